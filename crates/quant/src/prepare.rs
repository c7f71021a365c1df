//! A query made ready for distances to codes.
//!
//! The query is centred like the rows and rounded to int8 with a scale of its own. A distance is then one
//! exact integer product, one float multiply and one add; it orders rows as the metric does, in units of the
//! codec's step, up to a constant. True distances come from reranking on the vectors themselves.

use proxime_simd::{I8Query, Isa, Level, Metric, WithIsa};

/// A prepared query; made by [`ScalarI8::prepare`](crate::ScalarI8::prepare).
///
/// `distance = term(row) - weight * dot(query code, row code)`: smaller is nearer.
#[derive(Debug, Clone)]
pub struct Query {
    /// Zero padded to whole 64-byte lines, as rows are.
    codes: Vec<i8>,
    weight: f32,
}

/// Keeps `weight * dot` finite for any query: dots stay below 2^30.
const WEIGHT_MAX: f32 = 1e25;

impl Query {
    pub(crate) fn new(metric: Metric, scale: f32, centred: &[f32]) -> Self {
        let largest = centred
            .iter()
            .fold(0.0f32, |largest, x| largest.max(x.abs()))
            .min(f32::MAX);
        let step = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        let mut codes: Vec<i8> = centred
            .iter()
            .map(|&x| (x / step).clamp(-127.0, 127.0).round_ties_even() as i8)
            .collect();
        codes.resize(codes.len().next_multiple_of(64), 0);
        let per_dot = match metric {
            Metric::L2 | Metric::Cosine => 2.0,
            Metric::Dot => 1.0,
        };
        Self {
            codes,
            weight: (per_dot * (step / scale)).min(WEIGHT_MAX),
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
