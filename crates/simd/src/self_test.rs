//! The kernels against their definitions, on the machine at hand: for whoever suspects it.
//!
//! The tests of this crate look far closer. This asks whether the CPU, the compiler and this build do what they did there.

use crate::{I8Query, Isa, Level, WithIsa, reference};

/// Lengths with and without a rest for every width of vector.
const DIMS: [usize; 6] = [1, 7, 64, 100, 768, 1537];

/// Compares every kernel of a tier with its definition: products of codes exactly, sums of floats within the tolerance of
/// [`reference`]. The first that differs is named in the error.
///
/// ```
/// assert_eq!(proxime_simd::self_test(proxime_simd::Level::detect()), Ok(()));
/// ```
///
/// Cost: microseconds.
pub fn self_test(level: Level) -> Result<(), String> {
    let mut state = 1_u64;
    DIMS.into_iter().try_for_each(|dim| {
        let [a, b] = [(); 2].map(|()| codes(dim, &mut state));
        level.dispatch(Codes { a: &a, b: &b })?;
        let [a, b] = [a, b].map(|codes| codes.iter().map(|&c| f32::from(c) / 7.0).collect());
        level.dispatch(Floats { a, b })
    })
}

/// Any codes, the extremes among them.
fn codes(dim: usize, state: &mut u64) -> Vec<i8> {
    let mut next = || {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (*state >> 56) as u8 as i8
    };
    let mut codes: Vec<i8> = (0..dim).map(|_| next()).collect();
    if let Some(first) = codes.first_mut() {
        *first = i8::MIN;
    }
    codes
}

struct Codes<'a> {
    a: &'a [i8],
    b: &'a [i8],
}

impl WithIsa for Codes<'_> {
    type Output = Result<(), String>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Self::Output {
        let Codes { a, b } = self;
        let got = isa.dots_i8(I8Query::new(a), [b, a]);
        let expected = [reference::dot_i8(a, b), reference::dot_i8(a, a)];
        equal("int8", a.len(), got, expected)?;
        // Of 4-bit codes, as many as a row of them has.
        let dim = a.len().next_multiple_of(128);
        let query: Vec<i8> = a.iter().copied().cycle().take(dim).collect();
        let row: Vec<u8> = query.iter().take(dim / 2).map(|&c| c as u8).collect();
        let code = |j: usize| {
            let byte = row[j / 128 * 64 + j % 64];
            i64::from(if j % 128 < 64 { byte & 15 } else { byte >> 4 })
        };
        let expected = (0..dim).map(|j| i64::from(query[j]) * code(j)).sum();
        equal(
            "4-bit",
            dim,
            isa.dots_u4(I8Query::new(&query), [&row]),
            [expected],
        )?;
        let row = &row[..dim / 8];
        let bit = |j: usize| i64::from(row[j / 128 * 16 + j % 16] >> (j % 128 / 16) & 1);
        let expected = (0..dim).map(|j| i64::from(query[j]) * bit(j)).sum();
        equal(
            "1-bit",
            dim,
            isa.dots_bits(I8Query::new(&query), [row]),
            [expected],
        )
    }
}

fn equal<const N: usize>(
    kernel: &str,
    dim: usize,
    got: [i32; N],
    expected: [i64; N],
) -> Result<(), String> {
    match got.map(i64::from) == expected {
        true => Ok(()),
        false => Err(format!(
            "{kernel} products of {dim} components are {got:?}, not {expected:?}"
        )),
    }
}

struct Floats {
    a: Vec<f32>,
    b: Vec<f32>,
}

impl WithIsa for Floats {
    type Output = Result<(), String>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Self::Output {
        let (a, b) = (&self.a[..], &self.b[..]);
        let absolute = |row: &[f32]| -> Vec<f32> { row.iter().map(|x| x.abs()).collect() };
        let terms = reference::dot(&absolute(a), &absolute(b));
        let l2_sq = reference::l2_sq(a, b);
        close(
            "dot",
            a.len(),
            isa.dot_f32(a, b),
            reference::dot(a, b),
            terms,
        )?;
        close(
            "squared distance",
            a.len(),
            isa.l2_sq_f32(a, b),
            l2_sq,
            l2_sq,
        )?;
        let (dot, norm_sq) = isa.dot_and_norm_sq_f32(a, b);
        close("cosine", a.len(), dot, reference::dot(a, b), terms)?;
        let expected = reference::norm_sq(b);
        close("norm", a.len(), norm_sq, expected, expected)
    }
}

/// `terms` is the sum of their absolute values.
fn close(kernel: &str, dim: usize, got: f32, expected: f64, terms: f64) -> Result<(), String> {
    let allowed = (dim as f64 / 4.0 + 16.0) * 2f64.powi(-24) * terms;
    match (f64::from(got) - expected).abs() <= allowed {
        true => Ok(()),
        false => Err(format!(
            "the {kernel} of {dim} components is {got}, not {expected}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tier_passes_and_a_wrong_result_does_not() {
        for level in Level::available() {
            assert_eq!(self_test(level), Ok(()), "{level}");
        }
        assert!(equal("int8", 2, [1, 2], [1, 3]).is_err());
        assert!(close("dot", 2, 1.0, 1.001, 1.0).is_err());
        assert!(close("dot", 2, f32::NAN, 1.0, 1.0).is_err());
    }
}
