//! The codes of many rows, with what distances need beside them.
//!
//! Everything beside the code bytes is a function of them and the codebook, so that only the bytes are
//! stored: `sum`, of the codes; `norm = |code|^2 + extra^2`; `extra`, the added coordinate that turns dot product into L2, and
//! `term`, a row's share of a query's distance.
//!
//! The distance between two rows is an integer, `norm_a + norm_b - 2 (code_a . code_b + extra_a extra_b)`,
//! and fits u32 for up to 65,536 dimensions: 254^2 * 65,536 < 2^32, and `extra` is capped to half of what is left.

use std::sync::Arc;

use proxime_simd::{AlignedRows, I8Query, Isa, Level, Metric, Rows, WithIsa};

use crate::scalar::lane_sum;
use crate::{Error, Query, ScalarI8};

/// Rows encoded in one task of [`Codes::encode`] and its kind.
const DERIVE_ROWS: usize = 1024;

/// Int8 codes `[n, dim]`, each row on a 64-byte boundary and zero padded.
#[derive(Debug, Clone)]
pub struct Codes {
    dim: usize,
    metric: Metric,
    rows: Arc<AlignedRows<i8>>,
    sums: Vec<i32>,
    norms: Vec<u32>,
    terms: Vec<f32>,
    /// Empty unless the metric is dot product.
    extras: Vec<u16>,
}

impl Codes {
    /// Room for `n` rows, all zero, to be filled through [`Codes::chunks_mut`].
    pub fn zeroed(codec: &ScalarI8, n: usize) -> Self {
        let extras = if codec.metric() == Metric::Dot { n } else { 0 };
        Self {
            dim: codec.dim(),
            metric: codec.metric(),
            rows: Arc::new(AlignedRows::zeroed(n, codec.dim())),
            sums: vec![0; n],
            norms: vec![0; n],
            terms: vec![0.0; n],
            extras: vec![0; extras],
        }
    }

    /// Encodes all rows on the calling thread.
    ///
    /// Errors: as [`ScalarI8::encode_rows`].
    pub fn encode(codec: &ScalarI8, rows: Rows<'_, f32>) -> Result<Self, Error> {
        let mut codes = Self::zeroed(codec, rows.n());
        for mut chunk in codes.chunks_mut(rows.n().max(1)) {
            codec.encode_rows(rows, &mut chunk)?;
        }
        Ok(codes)
    }

    /// Reads back [`Codes::as_bytes`].
    ///
    /// Errors: bytes that are not `n` padded rows.
    pub fn from_bytes(codec: &ScalarI8, bytes: &[u8], n: usize) -> Result<Self, Error> {
        Ok(StoredCodes::new(codec, bytes, n)?.to_codes())
    }

    /// Fills what follows from the codes.
    fn derive(&mut self, codec: &ScalarI8) {
        for mut chunk in self.chunks_mut(DERIVE_ROWS) {
            Level::detect().dispatch(DeriveRows {
                codec,
                out: &mut chunk,
            });
        }
    }

    /// The codes alone, with the codec that made them.
    pub fn stored<'a>(&'a self, codec: &'a ScalarI8) -> StoredCodes<'a> {
        StoredCodes {
            codec,
            rows: self.rows.as_rows(),
        }
    }

    /// The codes of some of the rows, in the order asked for. Panics where there is no such row.
    pub fn select(&self, rows: &[u32]) -> Self {
        let mut codes = AlignedRows::zeroed(rows.len(), self.dim);
        for (at, &row) in rows.iter().enumerate() {
            codes
                .row_mut(at)
                .copy_from_slice(&self.row(row as usize)[..self.dim]);
        }
        let has_extras = !self.extras.is_empty();
        Self {
            dim: self.dim,
            metric: self.metric,
            rows: Arc::new(codes),
            sums: rows.iter().map(|&row| self.sums[row as usize]).collect(),
            norms: rows.iter().map(|&row| self.norms[row as usize]).collect(),
            terms: rows.iter().map(|&row| self.terms[row as usize]).collect(),
            extras: rows
                .iter()
                .filter(|_| has_extras)
                .map(|&row| self.extras[row as usize])
                .collect(),
        }
    }

    /// The same rows without added coordinates: between two of them a distance is then what it is from a query to a row, the less
    /// the greater their product. Shares the code bytes.
    pub fn by_product(&self) -> Self {
        Self {
            extras: Vec::new(),
            ..self.clone()
        }
    }

    /// The padded code bytes, row after row: all that needs storing.
    pub fn as_bytes(&self) -> &[u8] {
        self.rows.as_bytes()
    }

    /// Number of rows.
    pub fn n(&self) -> usize {
        self.norms.len()
    }

    /// Number of components, without padding.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The metric of the codec that made the codes.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// A row's codes, padding included.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &[i8] {
        self.rows.row(row)
    }

    /// A row as what many others are compared with.
    #[inline(always)]
    pub fn query(&self, row: usize) -> I8Query<'_> {
        I8Query::with_sum(self.row(row), self.sums[row])
    }

    /// A row's squared norm in code units, the added coordinate included.
    #[inline(always)]
    pub fn norm(&self, row: usize) -> u32 {
        self.norms[row]
    }

    /// A row's share of the distance to a prepared query.
    #[inline(always)]
    pub fn term(&self, row: usize) -> f32 {
        self.terms[row]
    }

    /// How far a distance from a prepared query ([`Query::distance_from_dot`]) may be off, against others near it: one standard
    /// deviation, in the same units.
    pub fn error(&self, query: &Query, distance: f32) -> f32 {
        query.error(self.metric, distance)
    }

    /// The added coordinate of the reduction from dot product to L2; zero for the other metrics.
    #[inline(always)]
    pub fn extra(&self, row: usize) -> u32 {
        self.extras.get(row).copied().map_or(0, u32::from)
    }

    /// Disjoint runs of at most `rows` rows, to be filled in parallel.
    pub fn chunks_mut(&mut self, rows: usize) -> Vec<CodesMut<'_>> {
        let has_extras = !self.extras.is_empty();
        let mut extras = self.extras.chunks_mut(rows);
        let columns = self
            .sums
            .chunks_mut(rows)
            .zip(self.norms.chunks_mut(rows))
            .zip(self.terms.chunks_mut(rows));
        Arc::make_mut(&mut self.rows)
            .chunks_mut(rows)
            .zip(columns)
            .map(|(rows, ((sums, norms), terms))| CodesMut {
                stride: rows.len() / norms.len(),
                rows,
                sums,
                norms,
                terms,
                extras: if has_extras {
                    extras.next().unwrap_or_default()
                } else {
                    &mut []
                },
            })
            .collect()
    }
}

/// Codes where they are stored ([`Codes::as_bytes`]), and the codec that made them: checked, not copied.
#[derive(Debug, Clone, Copy)]
pub struct StoredCodes<'a> {
    codec: &'a ScalarI8,
    /// With their padding.
    rows: Rows<'a, i8>,
}

impl<'a> StoredCodes<'a> {
    /// Codes of `n` rows.
    ///
    /// Errors: bytes that are not `n` padded rows.
    /// Cost: a look at the padding of each row.
    pub fn new(codec: &'a ScalarI8, bytes: &'a [u8], n: usize) -> Result<Self, Error> {
        let rows = AlignedRows::view(bytes, n, codec.dim());
        let rows = rows.map_err(|error| Error::Damaged {
            what: "codes",
            expected: format!(
                "{n} rows of {} bytes, zero padded",
                codec.dim().next_multiple_of(64)
            ),
            got: error.to_string(),
        })?;
        Ok(Self { codec, rows })
    }

    /// Number of rows.
    pub fn n(&self) -> usize {
        self.rows.n()
    }

    /// A copy, with what distances need beside the codes.
    pub fn to_codes(&self) -> Codes {
        let n = self.n();
        let mut codes = Codes::zeroed(self.codec, n);
        Arc::make_mut(&mut codes.rows)
            .rows_mut(0..n)
            .copy_from_slice(self.rows.as_slice());
        codes.derive(self.codec);
        codes
    }

    /// The same of some of the rows, in the order asked for. Panics where there is no such row.
    pub fn select(&self, rows: &[u32]) -> Codes {
        let mut codes = Codes::zeroed(self.codec, rows.len());
        let out = Arc::make_mut(&mut codes.rows);
        for (at, &row) in rows.iter().enumerate() {
            let code = out.row_mut(at);
            code.copy_from_slice(&self.row(row as usize)[..code.len()]);
        }
        codes.derive(self.codec);
        codes
    }

    /// The codec that made them.
    pub fn codec(&self) -> &'a ScalarI8 {
        self.codec
    }

    /// A row's codes, padding included.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> &'a [i8] {
        self.rows.row(row)
    }
}

/// A run of rows of [`Codes`] being filled.
#[derive(Debug)]
pub struct CodesMut<'a> {
    stride: usize,
    rows: &'a mut [i8],
    sums: &'a mut [i32],
    norms: &'a mut [u32],
    terms: &'a mut [f32],
    extras: &'a mut [u16],
}

impl CodesMut<'_> {
    /// Number of rows.
    pub fn n(&self) -> usize {
        self.norms.len()
    }

    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [i8] {
        &mut self.rows[row * self.stride..(row + 1) * self.stride]
    }

    /// Fills what follows from a row's codes.
    #[inline(always)]
    pub(crate) fn derive<I: Isa>(&mut self, isa: I, codec: &ScalarI8, row: usize) {
        let code = &self.rows[row * self.stride..(row + 1) * self.stride];
        let query = I8Query::new(code);
        let [code_sq] = isa.dots_i8(query, [code]);
        let code_sq = code_sq as u32;
        self.sums[row] = query.sum();
        if codec.metric() != Metric::Dot {
            self.norms[row] = code_sq;
            self.terms[row] = code_sq as f32;
            return;
        }
        let steps = 1.0 / f64::from(codec.scale());
        let offset = codec.offset();
        let offset_dot = offset_dot(codec, code);
        let units = |j: usize| f64::from(offset[j]) * steps;
        let offset_sq = lane_sum(offset.len(), |j| units(j) * units(j));
        let row_sq = offset_sq + 2.0 * offset_dot + f64::from(code_sq);
        let radius = f64::from(codec.radius());
        let extra_sq = radius * radius - row_sq;
        let extra = extra_sq
            .max(0.0)
            .sqrt()
            .min(f64::from(extra_max(offset.len()))) as u16;
        self.extras[row] = extra;
        self.norms[row] = code_sq + u32::from(extra) * u32::from(extra);
        self.terms[row] = -offset_dot as f32;
    }
}

/// The product of a row's codes with what code 0 stands for, in squared steps.
#[inline(always)]
pub(crate) fn offset_dot(codec: &ScalarI8, code: &[i8]) -> f64 {
    let (steps, offset) = (1.0 / f64::from(codec.scale()), codec.offset());
    lane_sum(offset.len(), |j| {
        f64::from(offset[j]) * steps * f64::from(code[j])
    })
}

/// The largest added coordinate with which a distance still fits u32, also where the squares of two are added to one.
fn extra_max(dim: usize) -> u16 {
    let left = u64::from(u32::MAX).saturating_sub(254 * 254 * dim as u64);
    (left / 2).isqrt().min(u64::from(u16::MAX / 2)) as u16
}

struct DeriveRows<'a, 'b> {
    codec: &'a ScalarI8,
    out: &'a mut CodesMut<'b>,
}

impl WithIsa for DeriveRows<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        for row in 0..self.out.n() {
            self.out.derive(isa, self.codec, row);
        }
    }
}
