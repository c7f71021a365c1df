//! Scalar int8: one byte per component, one scale for all of them.
//!
//! Formula: `x_j ~ offset_j + scale * code_j`, `code_j` in -127..=127. The offset is the sample's mean,
//! per dimension; the scale is shared, so that the integer L2 distance between two codes is proportional
//! to the squared L2 distance between what they stand for. Per-dimension scales would be finer, but would
//! weigh the dimensions of that integer distance wrongly.
//!
//! Training: the mean of each dimension, then the clip that makes the sample's squared error smallest
//! (rounding noise inside, lost range outside), from a histogram of the deviations. By dot product nothing of the sample is clipped: the
//! longest rows are what is looked for, and most of a product may be in a few large components that query and row have in common.
//!
//! Metrics: cosine encodes rows scaled to length one, which makes cosine an L2 order. Dot product becomes
//! an L2 order between rows by one added coordinate, `sqrt(radius^2 - |x|^2)` (Neyshabur and Srebro 2015,
//! "On Symmetric and Asymmetric LSHs for Inner Product Search"); [`Codes`](crate::Codes) holds it.
//!
//! Deterministic on every CPU: all float work is per component, or sums in f64 over a fixed number of
//! lanes in a fixed order, and Rust never contracts a product and a sum.

use proxime_simd::{Isa, Metric, Rows, WithIsa};

use crate::{CodesMut, Error, Query};

/// The largest code: symmetric, so that a code can be negated.
pub(crate) const CODE_MAX: f32 = 127.0;

/// Below this scale the sample is constant for all practical purposes and codes carry nothing.
const SCALE_MIN: f32 = 1e-35;

/// Adding this pushes a float's fraction out, rounding to nearest even, and leaves the integer in the low
/// bits: 1.5 * 2^23. Unlike `round` it vectorises on every instruction set.
pub(crate) const ROUND_MAGIC: f32 = 12_582_912.0;

/// Partial sums kept apart: wide enough for two AVX-512 registers, and fixed, so that sums agree on all CPUs.
const LANES: usize = 16;

/// Bins of the histogram of deviations from which the clip is chosen.
const CLIP_BINS: usize = 1024;

/// A trained scalar int8 codec.
///
/// Recall@10 on 10,000 Fashion-MNIST images (784 components), by looking at every code, 50 queries: 0.998 for L2,
/// 0.996 for cosine and 0.994 for dot product from the codes alone; 1.000 for each after reranking the nearest 20
/// by their vectors. One byte a component: a quarter of float32.
///
/// ```
/// use proxime_quant::ScalarI8;
/// use proxime_simd::{Metric, Rows};
///
/// let sample = [0.0, 10.0, 4.0, 20.0];
/// let codec = ScalarI8::train(Rows::new(&sample, 2)?, Metric::L2)?;
/// let mut code = [0i8; 2];
/// codec.encode_row(&[4.0, 10.0], &mut code)?;
/// let mut back = [0f32; 2];
/// codec.decode_row(&code, &mut back)?;
/// assert!((back[0] - 4.0).abs() < 0.05 && (back[1] - 10.0).abs() < 0.05);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ScalarI8 {
    metric: Metric,
    scale: f32,
    /// Largest norm in the sample, in units of `scale`; dot product only.
    radius: f32,
    offset: Vec<f32>,
}

impl ScalarI8 {
    /// Trains on a sample; about a thousand rows are plenty.
    ///
    /// Errors: a component that is not finite; a zero row under cosine. An empty sample gives the identity
    /// range -1..1, which encodes anything, coarsely.
    /// Cost: three passes over the sample.
    pub fn train(sample: Rows<'_, f32>, metric: Metric) -> Result<Self, Error> {
        let mut prepared = Vec::with_capacity(sample.n() * sample.dim());
        for (row, values) in sample.iter().enumerate() {
            check_finite(values).map_err(|error| error.at_row(row))?;
            let factor = input_factor(metric, values).ok_or(Error::ZeroVector { row })?;
            prepared.extend(values.iter().map(|&x| scaled(x, factor)));
        }
        let offset = means(&prepared, sample.dim());
        let clip = match metric {
            Metric::L2 | Metric::Cosine => clip_for(&prepared, &offset),
            Metric::Dot => largest_deviation(&prepared, &offset) as f32,
        };
        let scale = clip.min(f32::MAX) / CODE_MAX;
        let scale = if scale >= SCALE_MIN {
            scale
        } else {
            1.0 / CODE_MAX
        };
        let radius = match metric {
            Metric::Dot => (max_norm(sample) / f64::from(scale)) as f32,
            Metric::L2 | Metric::Cosine => 0.0,
        };
        Ok(Self {
            metric,
            scale,
            radius,
            offset,
        })
    }

    /// Number of components.
    pub fn dim(&self) -> usize {
        self.offset.len()
    }

    /// The metric the codec was trained for.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Length of one quantisation step, in the units of the (cosine: normalised) vectors.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// Largest norm of the sample (dot product; zero otherwise).
    pub fn largest_norm(&self) -> f32 {
        self.radius * self.scale
    }

    /// The same in quantisation steps.
    pub(crate) fn radius(&self) -> f32 {
        self.radius
    }

    /// What code 0 stands for, per dimension.
    pub(crate) fn offset(&self) -> &[f32] {
        &self.offset
    }

    /// Encodes one row; `code` may be longer than the row, its rest is left alone.
    ///
    /// Values outside the trained range are clipped to it.
    /// Errors: another dimension, a component that is not finite, a zero row under cosine.
    pub fn encode_row(&self, row: &[f32], code: &mut [i8]) -> Result<(), Error> {
        self.check_dim(row.len())?;
        self.check_dim(code.len().min(row.len()))?;
        self.encode_checked(row, code)
    }

    /// Encodes rows into their place among the codes, with all that is derived from them.
    ///
    /// Shapes: `rows [n, dim]`, `out` of `n` rows.
    /// Errors: as [`ScalarI8::encode_row`], naming the row within this call; what `out` then holds is unspecified.
    /// Cost: about two passes over the rows, no allocation; the loop runs inside the SIMD tier of `isa`.
    pub fn encode_rows(&self, rows: Rows<'_, f32>, out: &mut CodesMut<'_>) -> Result<(), Error> {
        self.check_dim(rows.dim())?;
        assert_eq!(rows.n(), out.n(), "a place for every row");
        proxime_simd::Level::detect().dispatch(EncodeRows {
            codec: self,
            rows,
            out,
        })
    }

    #[inline(always)]
    fn encode_checked(&self, row: &[f32], code: &mut [i8]) -> Result<(), Error> {
        check_finite(row)?;
        let factor = input_factor(self.metric, row).ok_or(Error::ZeroVector { row: 0 })?;
        let steps = 1.0 / self.scale;
        for ((code, &x), &offset) in code.iter_mut().zip(row).zip(&self.offset) {
            *code = round_to_code((scaled(x, factor) - offset) * steps);
        }
        Ok(())
    }

    /// What a code stands for (cosine: the vector of length one).
    ///
    /// Errors: fewer bytes or another output length than the dimension.
    pub fn decode_row(&self, code: &[i8], row: &mut [f32]) -> Result<(), Error> {
        self.check_dim(row.len())?;
        self.check_dim(code.len().min(row.len()))?;
        for ((x, &code), &offset) in row.iter_mut().zip(code).zip(&self.offset) {
            *x = offset + self.scale * f32::from(code);
        }
        Ok(())
    }

    /// Prepares a query for distances to codes.
    ///
    /// The query gets a scale of its own, so that one far from the data is not clipped.
    /// Errors: as [`ScalarI8::encode_row`].
    pub fn prepare(&self, query: &[f32]) -> Result<Query, Error> {
        let centred = self.centred(query)?;
        Ok(Query::new(self.scale, self.per_product(), &centred))
    }

    /// A query as rows are before rounding, less what code 0 stands for.
    pub(crate) fn centred(&self, query: &[f32]) -> Result<Vec<f32>, Error> {
        self.check_dim(query.len())?;
        check_finite(query)?;
        let factor = input_factor(self.metric, query).ok_or(Error::ZeroVector { row: 0 })?;
        let centred = query.iter().zip(&self.offset);
        Ok(centred
            .map(|(&x, &offset)| scaled(x, factor) - offset)
            .collect())
    }

    /// How often a distance counts the product of a query with a row.
    pub(crate) fn per_product(&self) -> f32 {
        match self.metric {
            Metric::L2 | Metric::Cosine => 2.0,
            Metric::Dot => 1.0,
        }
    }

    /// The codebook as bytes, little-endian: metric u32, dim u32, scale f32, radius f32, offsets f32.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + 4 * self.dim());
        bytes.extend(metric_tag(self.metric).to_le_bytes());
        bytes.extend((self.dim() as u32).to_le_bytes());
        for value in [self.scale, self.radius].iter().chain(&self.offset) {
            bytes.extend(value.to_le_bytes());
        }
        bytes
    }

    /// Reads back [`ScalarI8::to_bytes`].
    ///
    /// Errors: a length, metric or number that no trained codec has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let damaged = |expected: &str, got: String| Error::Damaged {
            what: "codebook",
            expected: expected.to_owned(),
            got,
        };
        let mut words = bytes
            .chunks_exact(4)
            .map(|word| [word[0], word[1], word[2], word[3]]);
        let mut word = || {
            words
                .next()
                .ok_or_else(|| damaged("16 bytes or more", format!("{} bytes", bytes.len())))
        };
        let tag = u32::from_le_bytes(word()?);
        let dim = u32::from_le_bytes(word()?) as usize;
        let (scale, radius) = (f32::from_le_bytes(word()?), f32::from_le_bytes(word()?));
        let offset: Vec<f32> = words.map(f32::from_le_bytes).collect();
        let metric = [Metric::L2, Metric::Cosine, Metric::Dot]
            .into_iter()
            .find(|&metric| metric_tag(metric) == tag);
        let metric = metric.ok_or_else(|| damaged("a metric of 0, 1 or 2", tag.to_string()))?;
        if bytes.len() != 16 + 4 * dim || offset.len() != dim || dim == 0 {
            return Err(damaged(
                "one offset per dimension",
                format!("{} bytes for {dim} dimensions", bytes.len()),
            ));
        }
        if !(scale.is_finite() && scale >= SCALE_MIN && radius.is_finite() && radius >= 0.0) {
            return Err(damaged(
                "a positive scale and radius",
                format!("scale {scale}, radius {radius}"),
            ));
        }
        if let Some(bad) = offset.iter().find(|offset| !offset.is_finite()) {
            return Err(damaged("finite offsets", bad.to_string()));
        }
        Ok(Self {
            metric,
            scale,
            radius,
            offset,
        })
    }

    fn check_dim(&self, got: usize) -> Result<(), Error> {
        match got == self.dim() {
            true => Ok(()),
            false => Err(Error::Dimension {
                expected: self.dim(),
                got,
            }),
        }
    }
}

struct EncodeRows<'a, 'b> {
    codec: &'a ScalarI8,
    rows: Rows<'a, f32>,
    out: &'a mut CodesMut<'b>,
}

impl WithIsa for EncodeRows<'_, '_> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Self::Output {
        for (index, row) in self.rows.iter().enumerate() {
            self.codec
                .encode_checked(row, self.out.row_mut(index))
                .map_err(|error| error.at_row(index))?;
            self.out.derive(isa, self.codec, index);
        }
        Ok(())
    }
}

fn metric_tag(metric: Metric) -> u32 {
    match metric {
        Metric::L2 => 0,
        Metric::Cosine => 1,
        Metric::Dot => 2,
    }
}

/// What every component is multiplied by before it is encoded; `None` where the metric has no answer.
#[inline(always)]
fn input_factor(metric: Metric, row: &[f32]) -> Option<f64> {
    match metric {
        Metric::L2 | Metric::Dot => Some(1.0),
        Metric::Cosine => Some(1.0 / norm_sq(row).sqrt()).filter(|factor| factor.is_finite()),
    }
}

#[inline(always)]
fn scaled(x: f32, factor: f64) -> f32 {
    (f64::from(x) * factor) as f32
}

#[inline(always)]
fn round_to_code(steps: f32) -> i8 {
    (steps.clamp(-CODE_MAX, CODE_MAX) + ROUND_MAGIC).to_bits() as i8
}

#[inline(always)]
fn check_finite(row: &[f32]) -> Result<(), Error> {
    // A sum would be faster to write but could overflow; the maximum exponent marks what is not finite.
    let suspicious = row.iter().fold(false, |bad, x| bad | !x.is_finite());
    match suspicious {
        false => Ok(()),
        true => {
            let found = row.iter().position(|x| !x.is_finite()).unwrap_or(0);
            Err(Error::NotFinite {
                row: 0,
                column: found,
                value: row[found],
            })
        }
    }
}

/// Sum of `f(j)` over `0..n`, in [`LANES`] partial sums of fixed order: the same bits on every CPU.
#[inline(always)]
pub(crate) fn lane_sum(n: usize, f: impl Fn(usize) -> f64) -> f64 {
    let mut lanes = [0.0f64; LANES];
    let whole = n - n % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += f(start + lane);
        }
    }
    for (lane, sum) in lanes[..n - whole].iter_mut().enumerate() {
        *sum += f(whole + lane);
    }
    lanes.iter().sum()
}

/// Squared norm in f64: no float32 row overflows or vanishes.
#[inline(always)]
fn norm_sq(row: &[f32]) -> f64 {
    lane_sum(row.len(), |j| f64::from(row[j]) * f64::from(row[j]))
}

fn max_norm(sample: Rows<'_, f32>) -> f64 {
    sample.iter().map(norm_sq).fold(0.0, f64::max).sqrt()
}

fn means(values: &[f32], dim: usize) -> Vec<f32> {
    let n = (values.len() / dim).max(1) as f64;
    let mut sums = vec![0.0f64; dim];
    for row in values.chunks_exact(dim) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += f64::from(x);
        }
    }
    sums.into_iter().map(|sum| (sum / n) as f32).collect()
}

/// The half-width of the range that makes the sample's squared error smallest.
///
/// Cost: one pass over the sample and one over the histogram. The error of a clip `c` is `c^2 / (12 * 127^2)`
/// for what lies inside and `(|v| - c)^2` for what lies outside.
fn clip_for(values: &[f32], offset: &[f32]) -> f32 {
    let largest = largest_deviation(values, offset);
    if largest == 0.0 {
        return 0.0;
    }
    let width = largest / CLIP_BINS as f64;
    let mut counts = [0u64; CLIP_BINS];
    for value in deviations(values, offset) {
        counts[((value / width) as usize).min(CLIP_BINS - 1)] += 1;
    }
    // From the widest clip inwards, with running sums over what has been left outside: count, v, v^2.
    let (mut outside, mut sum, mut sum_sq) = (0.0, 0.0, 0.0);
    let mut best = (f64::INFINITY, largest);
    for bin in (1..=CLIP_BINS).rev() {
        let clip = bin as f64 * width;
        let inside = values.len() as f64 - outside;
        let rounding = inside * clip * clip / (12.0 * f64::from(CODE_MAX) * f64::from(CODE_MAX));
        let lost = sum_sq - 2.0 * clip * sum + outside * clip * clip;
        if rounding + lost < best.0 {
            best = (rounding + lost, clip);
        }
        let (count, centre) = (counts[bin - 1] as f64, clip - width / 2.0);
        outside += count;
        sum += count * centre;
        sum_sq += count * centre * centre;
    }
    best.1 as f32
}

fn largest_deviation(values: &[f32], offset: &[f32]) -> f64 {
    deviations(values, offset).fold(0.0, f64::max)
}

/// How far each component is from its dimension's mean.
fn deviations(values: &[f32], offset: &[f32]) -> impl Iterator<Item = f64> {
    let offset = offset.iter().map(|&offset| f64::from(offset)).cycle();
    (values.iter().zip(offset)).map(|(&x, offset)| (f64::from(x) - offset).abs())
}

impl Error {
    /// The same error at another row: inner functions see one row, callers know which.
    fn at_row(self, row: usize) -> Self {
        match self {
            Self::NotFinite { column, value, .. } => Self::NotFinite { row, column, value },
            Self::ZeroVector { .. } => Self::ZeroVector { row },
            other => other,
        }
    }
}
