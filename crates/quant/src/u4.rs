//! 4-bit codes: half a byte a component. What a finished graph is walked on.
//!
//! A row of int8 codes is rotated ([`rotate`](crate::rotate)), so that its components are all alike, and each is rounded to one of 16
//! steps: `x ~ a (t - 7.5)`, `t` in 0..=15. The step for rounding is the one that is best for normally distributed components of the
//! row's own length. The factor `a` is chosen so that what is left out is orthogonal to the row: the product of a row with
//! itself is then exact, that with a query near by nearly so, and no estimate is biased (Gao and Long 2024, "RaBitQ").
//!
//! All of that is integer arithmetic, and single float operations, on int8 codes: the same on every CPU, with no place in a file.

use proxime_simd::{AlignedRows, I8Query, Isa, Level, Metric, WithIsa};

use crate::codes::offset_dot;
use crate::rotate::Rotation;
use crate::scalar::ROUND_MAGIC;
use crate::{Codes, Error, ScalarI8, StoredCodes};

/// Codes in a cache line, which is what rows are padded to.
const LINE_CODES: usize = 128;

/// The step that rounds a normal distribution to 16 levels with the smallest squared error (Max 1960), in deviations.
const STEP: f32 = 0.335_2;

/// What rounding then does to a component, in steps, one standard deviation: the root of the squared error, 0.01154, by the step.
const ROUNDING: f32 = 0.320_5;

/// 4-bit codes of many rows, `[n, dim]`, two to a byte in the order of [`Isa::dots_u4`].
///
/// Recall@10 on 10,000 Fashion-MNIST images (784 components), by looking at every code, 50 queries: 0.976 for L2, 0.962 for
/// cosine and 0.944 for dot product from the codes alone; 1.000, 1.000 and 0.996 after reranking the nearest 20 by their vectors.
/// Half a byte a component, an eighth of float32, and 8 bytes a row.
#[derive(Debug, Clone)]
pub struct CodesU4 {
    rotation: Rotation,
    rows: AlignedRows<u8>,
    scales: Vec<Scale>,
}

/// What turns a product with a row's codes into a distance.
#[derive(Debug, Clone, Copy, Default)]
struct Scale {
    /// The row's share of the distance: a norm, or a product.
    term: f32,
    factor: f32,
}

/// A query prepared for distances to [`CodesU4`]; made by [`CodesU4::prepare`].
#[derive(Debug, Clone)]
pub struct QueryU4 {
    codes: Vec<i8>,
    /// 7.5 times the sum of the codes: what a product has too much because `t` is not centred.
    centre: f32,
    weight: f32,
    /// What rounding does to a distance, but for the row's factor.
    error: f32,
}

impl CodesU4 {
    /// Rotates and rounds int8 codes.
    ///
    /// Cost: about `20 dim` additions a row; no allocation but the result.
    pub fn new(codes: StoredCodes<'_>) -> Self {
        Self::by_tasks(codes, codes.n().max(1), |tasks| {
            tasks.into_iter().for_each(PackU4::run);
        })
    }

    /// The same in tasks of `rows` rows; `run_all` has to run each of them, on any thread.
    pub fn by_tasks(
        codes: StoredCodes<'_>,
        rows: usize,
        run_all: impl FnOnce(Vec<PackU4<'_>>),
    ) -> Self {
        let rotation = Rotation::new(codes.codec().dim().next_multiple_of(LINE_CODES));
        let mut packed = AlignedRows::zeroed(codes.n(), rotation.len() / 2);
        let mut scales = vec![Scale::default(); codes.n()];
        let pieces = packed.chunks_mut(rows).zip(scales.chunks_mut(rows));
        let tasks = pieces.enumerate().map(|(number, (packed, scales))| PackU4 {
            codes,
            rotation: &rotation,
            first: number * rows,
            packed,
            scales,
        });
        run_all(tasks.collect());
        Self {
            rotation,
            rows: packed,
            scales,
        }
    }

    /// Prepares a query for distances to these codes; `codec` is the one that made the int8 codes.
    ///
    /// Errors: as [`ScalarI8::prepare`].
    pub fn prepare(&self, codec: &ScalarI8, query: &[f32]) -> Result<QueryU4, Error> {
        let mut centred = codec.centred(query)?;
        centred.resize(self.rotation.len(), 0.0);
        Ok(Level::detect().dispatch(Prepare {
            rotation: &self.rotation,
            centred,
            // In int8 steps; products of rotated vectors are too large by a factor.
            unit: codec.per_product() / (self.rotation.factor_sq() * codec.scale()),
        }))
    }

    /// Memory of a row's codes.
    pub fn bytes_per_row(dim: usize) -> usize {
        dim.next_multiple_of(LINE_CODES) / 2
    }

    /// How far the distance between a row of `codes` and something near it will be off, in squared steps of these codes: one standard
    /// deviation.
    pub fn rounding(codes: &Codes, row: usize) -> f32 {
        let len = codes.dim().next_multiple_of(LINE_CODES) as f32;
        2.0 * codes.norm(row) as f32 * STEP * ROUNDING / len.sqrt()
    }

    /// Number of rows.
    pub fn n(&self) -> usize {
        self.scales.len()
    }

    /// A row's codes, padding included.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &[u8] {
        self.rows.row(row)
    }

    /// Hints that a row's distance will be asked for soon.
    #[inline(always)]
    pub fn prefetch<I: Isa>(&self, isa: I, row: usize) {
        isa.prefetch(self.rows.row(row));
        isa.prefetch(&self.scales[row..=row]);
    }

    /// The distance from the integer product of the query's codes with a row's, up to a constant: smaller is nearer.
    #[inline(always)]
    pub fn distance_from_dot(&self, query: &QueryU4, dot: i32, row: usize) -> f32 {
        let Scale { term, factor } = self.scales[row];
        term - query.weight * factor * (dot as f32 - query.centre)
    }

    /// How far [`distance_from_dot`](CodesU4::distance_from_dot) may be off: one standard deviation, in the same units.
    ///
    /// Source: Gao and Long 2024; the errors of rotated components are independent, as many as there are components.
    pub fn error(&self, query: &QueryU4, row: usize) -> f32 {
        query.error * self.scales[row].factor
    }
}

impl QueryU4 {
    /// The query's codes as the kernels take them; made once per search, for it sums them.
    #[inline(always)]
    pub fn codes(&self) -> I8Query<'_> {
        I8Query::new(&self.codes)
    }
}

/// Some rows to be rotated and rounded: see [`CodesU4::by_tasks`].
#[derive(Debug)]
pub struct PackU4<'a> {
    codes: StoredCodes<'a>,
    rotation: &'a Rotation,
    first: usize,
    packed: &'a mut [u8],
    scales: &'a mut [Scale],
}

impl PackU4<'_> {
    /// Does it.
    pub fn run(self) {
        Level::detect().dispatch(self);
    }
}

impl WithIsa for PackU4<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, _isa: I) {
        let (codec, len) = (self.codes.codec(), self.rotation.len());
        let (mut values, mut scratch) = (vec![0i32; len], vec![0i32; len]);
        let packed = self.packed.chunks_exact_mut(len / 2);
        for (row, (scale, packed)) in (self.first..).zip(self.scales.iter_mut().zip(packed)) {
            values.fill(0);
            for (value, &code) in values.iter_mut().zip(self.codes.row(row)) {
                *value = i32::from(code);
            }
            let norm_sq: u32 = (values.iter()).map(|&x| (x * x) as u32).sum();
            self.rotation.apply(&mut values, &mut scratch);
            // Of the rotated row.
            let norm = (f64::from(norm_sq) * f64::from(self.rotation.factor_sq())).sqrt();
            let steps = (len as f64).sqrt() / (f64::from(STEP) * norm.max(1.0));
            let along = pack(&values, steps as f32, packed);
            *scale = Scale {
                term: match codec.metric() {
                    Metric::L2 | Metric::Cosine => norm_sq as f32,
                    Metric::Dot => -offset_dot(codec, self.codes.row(row)) as f32,
                },
                // `along` counts halves. A row of zeros has no direction, and no product.
                factor: (2.0 * norm * norm / (along as f64).max(1.0)) as f32,
            };
        }
    }
}

/// Rounds the components to `steps` a unit; the product of the row with twice what it is rounded to, in steps.
#[inline(always)]
fn pack(values: &[i32], steps: f32, row: &mut [u8]) -> i64 {
    let mut along = 0;
    for (line, values) in row
        .chunks_exact_mut(64)
        .zip(values.chunks_exact(LINE_CODES))
    {
        let mut codes = [0i32; LINE_CODES];
        for (code, &value) in codes.iter_mut().zip(values) {
            let level = (value as f32 * steps + 7.5).clamp(0.0, 15.0);
            *code = ((level + ROUND_MAGIC).to_bits() & 15) as i32;
        }
        for (&code, &value) in codes.iter().zip(values) {
            along += i64::from((2 * code - 15) * value);
        }
        for (i, byte) in line.iter_mut().enumerate() {
            *byte = (codes[i] | (codes[64 + i] << 4)) as u8;
        }
    }
    along
}

struct Prepare<'a> {
    rotation: &'a Rotation,
    centred: Vec<f32>,
    unit: f32,
}

impl WithIsa for Prepare<'_> {
    type Output = QueryU4;

    #[inline(always)]
    fn with_isa<I: Isa>(mut self, _isa: I) -> QueryU4 {
        let mut scratch = vec![0.0; self.centred.len()];
        self.rotation.apply(&mut self.centred, &mut scratch);
        let (codes, step) = crate::prepare::to_i8(&self.centred);
        let sum: i32 = codes.iter().map(|&code| i32::from(code)).sum();
        let square = |&code: &i8| i32::from(code) * i32::from(code);
        let norm = (codes.iter().map(square).sum::<i32>() as f32).sqrt();
        let weight = (self.unit * step).min(crate::prepare::WEIGHT_MAX);
        QueryU4 {
            centre: 7.5 * sum as f32,
            weight,
            error: weight * ROUNDING * norm,
            codes,
        }
    }
}
