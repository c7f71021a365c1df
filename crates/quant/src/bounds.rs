//! Codes that bound the distances of the vectors they are of: what an exact search reads first.
//!
//! Rounding moves a row `x` to `y` and a query `q` to `p`. By the triangle inequality `|q - x|` differs from `|p - y|`, which codes tell
//! exactly, by at most `|q - p| + |x - y|`, and both are known. With `c`, what codes start from, the product `q.x` differs from
//! `p.(y - c) + q.c` by at most `|q - p| |y - c| + |q| |x - y|`. So a quarter of a row's bytes is enough to see that it is not among the
//! nearest, whatever the codec was trained on: one that fits badly rules out less.

use proxime_simd::{I8Query, Metric, Rows};

use crate::prepare::rounded;
use crate::scalar::lane_sum;
use crate::{Codes, Error, ScalarI8};

/// More than any product of codes: of 65,536 components.
const DOT_MAX: f32 = 1.1e9;

/// [`Codes`] of rows, and how far off each of them is. All lengths are in the codec's steps.
///
/// ```
/// use proxime_quant::{BoundedCodes, ScalarI8};
/// use proxime_simd::{Isa, Metric, Rows, Scalar};
///
/// let data = [0.0, 1.0, 0.5, 0.25, 1.0, 0.0];
/// let rows = Rows::new(&data, 2)?;
/// let codec = ScalarI8::train(rows, Metric::L2)?;
/// let codes = BoundedCodes::encode(&codec, rows)?;
/// let query = codes.prepare(&[0.0, 0.9])?;
/// let dot = |row| Scalar.dot_i8(query.codes().codes(), codes.codes().row(row));
/// let [nearest, other] = [0, 2].map(|row| codes.bounds(&query, row, dot(row)));
/// assert!(nearest.1 < other.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BoundedCodes {
    codec: ScalarI8,
    codes: Codes,
    /// `|x - y|` of each row.
    off: Vec<f32>,
    /// `|c|`.
    origin: f32,
    /// What sums of so many floats may be off by, here and where vectors are compared, for each unit of what is summed.
    slack: f32,
    /// A square of what is compared by vectors and no codes tell of: of the length that rows are scaled to, or so small that it vanishes.
    least_sq: f32,
}

/// A query for [`BoundedCodes::bounds`].
#[derive(Debug)]
pub struct BoundedQuery {
    /// Zero padded to whole 64-byte lines, as rows are.
    codes: Vec<i8>,
    weight: f32,
    /// `|p - c|^2`; by dot product `|q|`.
    size: f32,
    /// `|q - p|`.
    off: f32,
}

impl BoundedCodes {
    /// Encodes rows by a codec that may have been trained on others.
    ///
    /// Errors: as [`ScalarI8::encode_rows`].
    pub fn encode(codec: &ScalarI8, rows: Rows<'_, f32>) -> Result<Self, Error> {
        let codes = Codes::encode(codec, rows)?;
        let steps = 1.0 / codec.scale();
        let mut off = Vec::with_capacity(rows.n());
        for (at, row) in rows.iter().enumerate() {
            let (centred, code) = (codec.centred(row)?, codes.row(at));
            let rounded = length(&centred, |x, j| x * steps - f32::from(code[j]));
            off.push(rounded + strangeness(row, codec.metric()));
        }
        Ok(Self {
            codec: codec.clone(),
            codes,
            off,
            origin: length(codec.offset(), |c, _| c * steps),
            slack: codec.dim() as f32 * f32::EPSILON,
            least_sq: match codec.metric() {
                Metric::Cosine => steps * steps,
                Metric::L2 | Metric::Dot => f32::MIN_POSITIVE * steps * steps / f32::EPSILON,
            },
        })
    }

    /// Prepares a query.
    ///
    /// Errors: as [`ScalarI8::prepare`].
    pub fn prepare(&self, query: &[f32]) -> Result<BoundedQuery, Error> {
        let steps = 1.0 / self.codec.scale();
        let centred = self.codec.centred(query)?;
        let (codes, step) = rounded(&centred);
        let off = length(&centred, |x, j| (x - f32::from(codes[j]) * step) * steps);
        let size = match self.codes.metric() {
            Metric::L2 | Metric::Cosine => {
                length(&centred, |_, j| f32::from(codes[j]) * step * steps).powi(2)
            }
            Metric::Dot => length(query, |x, _| x * steps),
        };
        let weight = self.codec.per_product() * steps * step;
        let too_long = match (size + weight * DOT_MAX).is_finite() {
            true => 0.0,
            false => f32::INFINITY,
        };
        Ok(BoundedQuery {
            codes,
            weight,
            size,
            off: off + strangeness(query, self.codes.metric()) + too_long,
        })
    }

    /// The least and the greatest that a row's distance can be, given the product of its codes with the query's: on a scale of their own,
    /// on which they order rows as distances do.
    #[inline(always)]
    pub fn bounds(&self, query: &BoundedQuery, row: usize, dot: i32) -> (f32, f32) {
        let (term, row_off) = (self.codes.term(row), self.off[row]);
        if !(query.off + row_off).is_finite() {
            return (f32::NEG_INFINITY, f32::INFINITY);
        }
        let distance = term - query.weight * dot as f32;
        match self.codes.metric() {
            Metric::L2 | Metric::Cosine => {
                let (sq, off) = (query.size + distance, query.off + row_off);
                let slack = self.slack * (query.size + term + self.least_sq);
                let [least, most] = [sq - slack, sq + slack].map(|sq| sq.max(0.0).sqrt());
                (least - off, most + off)
            }
            Metric::Dot => {
                let extra = self.codes.extra(row);
                let length = ((self.codes.norm(row) - extra * extra) as f32).sqrt();
                let sums = (query.size + self.origin) * (self.origin + length + row_off);
                let rounded = query.off * length + query.size * row_off;
                let off = rounded + self.slack * (sums + self.least_sq);
                (distance - off, distance + off)
            }
        }
    }

    /// The codes.
    pub fn codes(&self) -> &Codes {
        &self.codes
    }
}

impl BoundedQuery {
    /// The query's codes as the kernels take them.
    #[inline(always)]
    pub fn codes(&self) -> I8Query<'_> {
        I8Query::new(&self.codes)
    }
}

/// The length of a vector made of the values and their places.
fn length(values: &[f32], of: impl Fn(f32, usize) -> f32) -> f32 {
    let square = |j: usize| f64::from(of(values[j], j)).powi(2);
    // Rounded up, so that it bounds.
    (lane_sum(values.len(), square).sqrt() as f32).next_up()
}

/// Infinite for a vector so long or so short that float32 has no place for its squares: what is computed of it says nothing.
fn strangeness(vector: &[f32], metric: Metric) -> f32 {
    let square = lane_sum(vector.len(), |j| f64::from(vector[j]).powi(2));
    let is_short = metric == Metric::Cosine && square < 1e-30;
    match is_short || square > 1e37 {
        true => f32::INFINITY,
        false => 0.0,
    }
}
