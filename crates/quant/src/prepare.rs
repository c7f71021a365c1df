//! A query made ready for distances to codes.
//!
//! The query is centred like the rows and rounded to int8 with a scale of its own. A distance is then one
//! exact integer product, one float multiply and one add; it orders rows as the metric does, in units of the
//! codec's step, up to a constant. True distances come from reranking on the vectors themselves.

use proxime_simd::{I8Query, Isa, Level, Metric, WithIsa};

use crate::scalar::{CODE_MAX, ROUND_MAGIC};

/// A prepared query; made by [`ScalarI8::prepare`](crate::ScalarI8::prepare).
///
/// `distance = term(row) - weight * dot(query code, row code)`: smaller is nearer.
#[derive(Debug, Clone)]
pub struct Query {
    /// Zero padded to whole 64-byte lines, as rows are.
    codes: Vec<i8>,
    weight: f32,
    /// Squared length in the codec's steps: what distances by L2 lack.
    norm_sq: f32,
    /// What rounding the query adds to the distances by L2 of all rows near it alike, in the codec's steps: a query `q` rounded to
    /// `p` adds `2 (q - p).x` to that of a row `x`, which is about `q`.
    shift: f32,
    dim: usize,
}

/// The mean square of what rounding does to the difference of two components, in steps: each is off by what is spread evenly over
/// one, by 1/12 in the mean.
const ROUNDED_SQ: f32 = 1.0 / 6.0;

/// The variance of that square: the difference is off by at most a step, and by less more often.
const ROUNDED_SQ_VAR: f32 = 1.0 / 15.0 - 1.0 / 36.0;

/// Keeps `weight * dot` finite for any query: dots stay below 2^30.
pub(crate) const WEIGHT_MAX: f32 = 1e25;

impl Query {
    /// `scale` is the codec's step; a distance counts a product of the query with a row `per_product` times.
    pub(crate) fn new(scale: f32, per_product: f32, centred: &[f32]) -> Self {
        let (codes, step) = rounded(centred);
        let back = codes.iter().map(|&code| f32::from(code) * step);
        let squares = (centred.iter().zip(back)).map(|(q, p)| (q / scale) * ((q - p) / scale));
        let shift = 2.0 * squares.sum::<f32>();
        Self {
            codes,
            weight: (per_product / scale * step).min(WEIGHT_MAX),
            norm_sq: centred.iter().map(|x| (x / scale) * (x / scale)).sum(),
            shift,
            dim: centred.len(),
        }
    }

    /// See [`Codes::error`](crate::Codes::error).
    ///
    /// The query is rounded as rows are, though with another step. What that does to all rows near each other alike does not change
    /// their order.
    pub(crate) fn error(&self, metric: Metric, distance: f32) -> f32 {
        match metric {
            Metric::L2 | Metric::Cosine => {
                let distance_sq = (self.norm_sq + distance - self.shift).max(0.0);
                (4.0 * ROUNDED_SQ * distance_sq + self.dim as f32 * ROUNDED_SQ_VAR).sqrt()
            }
            Metric::Dot => (ROUNDED_SQ * self.norm_sq).sqrt(),
        }
    }

    /// The query's codes as the kernels take them; made once per search, for it sums them.
    #[inline(always)]
    pub fn codes(&self) -> I8Query<'_> {
        I8Query::new(&self.codes)
    }

    /// Exact integer product with a row of codes.
    pub fn dot(&self, row: &[i8]) -> i32 {
        struct Dot<'a>(&'a [i8], &'a [i8]);
        impl WithIsa for Dot<'_> {
            type Output = i32;
            #[inline(always)]
            fn with_isa<I: Isa>(self, isa: I) -> i32 {
                isa.dot_i8(self.0, self.1)
            }
        }
        Level::detect().dispatch(Dot(&self.codes, row))
    }

    /// The distance, from the integer product and the row's term ([`Codes::term`](crate::Codes::term)).
    #[inline(always)]
    pub fn distance_from_dot(&self, dot: i32, term: f32) -> f32 {
        term - self.weight * dot as f32
    }
}

/// The codes of a query, zero padded to whole 64-byte lines as rows are, and their step.
pub(crate) fn rounded(centred: &[f32]) -> (Vec<i8>, f32) {
    let (mut codes, step) = Level::detect().dispatch(Round(centred));
    codes.resize(codes.len().next_multiple_of(64), 0);
    (codes, step)
}

struct Round<'a>(&'a [f32]);

impl WithIsa for Round<'_> {
    type Output = (Vec<i8>, f32);

    #[inline(always)]
    fn with_isa<I: Isa>(self, _isa: I) -> (Vec<i8>, f32) {
        to_i8(self.0)
    }
}

/// The values in steps of a 127th of the largest, and that step.
#[inline(always)]
pub(crate) fn to_i8(values: &[f32]) -> (Vec<i8>, f32) {
    let largest = largest(values).min(f32::MAX);
    let step = if largest > 0.0 {
        largest / CODE_MAX
    } else {
        1.0
    };
    let round = |&x: &f32| ((x / step).clamp(-CODE_MAX, CODE_MAX) + ROUND_MAGIC).to_bits() as i8;
    (values.iter().map(round).collect(), step)
}

/// The largest absolute value: in lanes, because the compiler keeps the order of a fold.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let (blocks, rest) = values.as_chunks::<16>();
    let mut lanes = [0.0f32; 16];
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = lane.max(x.abs());
        }
    }
    rest.iter()
        .fold(lanes.into_iter().fold(0.0, f32::max), |largest, x| {
            largest.max(x.abs())
        })
}
