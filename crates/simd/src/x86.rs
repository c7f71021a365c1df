//! The x86-64 tiers: tokens, and the `int8` kernels that pulp has no operation for.
//!
//! No `f32` kernel: pulp's vectors serve those. Each kernel is a function with its own features, entered by one `unsafe` call
//! that the token justifies; inside, loads go through checked casts and every intrinsic is safe.
#![expect(
    unsafe_code,
    reason = "a token's method calls a function that needs the token's features"
)]

use core::arch::x86_64::*;

use pulp::x86::{V3, V4};
use pulp::{NullaryFnOnce, cast};

use crate::codes::{self, I8Query};
use crate::isa::{Isa, WithIsa, sealed};
use crate::raw;

pulp::simd_type! {
    /// Token of the AVX-512 tier: x86-64-v4 and VNNI, with the bit-counting extensions every such CPU has.
    pub struct V4x {
        sse: "sse",
        sse2: "sse2",
        fxsr: "fxsr",
        sse3: "sse3",
        ssse3: "ssse3",
        sse4_1: "sse4.1",
        sse4_2: "sse4.2",
        popcnt: "popcnt",
        avx: "avx",
        avx2: "avx2",
        bmi1: "bmi1",
        bmi2: "bmi2",
        fma: "fma",
        lzcnt: "lzcnt",
        avx512f: "avx512f",
        avx512bw: "avx512bw",
        avx512cd: "avx512cd",
        avx512dq: "avx512dq",
        avx512vl: "avx512vl",
        avx512vnni: "avx512vnni",
        avx512vpopcntdq: "avx512vpopcntdq",
        avx512vbmi: "avx512vbmi",
        avx512bitalg: "avx512bitalg",
    }
}

/// Implements [`Isa`] for a token by pulp's entry into its features and by a kernel.
macro_rules! isa {
    ($token:ty, $dots_i8:ident) => {
        impl Isa for $token {
            #[inline(always)]
            fn vectorize<O: WithIsa>(self, op: O) -> O::Output {
                <$token>::vectorize(self, Entered(self, op))
            }

            #[inline(always)]
            fn dots_i8<const N: usize>(self, query: I8Query<'_>, rows: [&[i8]; N]) -> [i32; N] {
                // SAFETY: `self` exists only on a CPU with the features of its token, which include the kernel's.
                unsafe { $dots_i8(query, rows) }
            }

            #[inline(always)]
            fn prefetch<T>(self, row: &[T]) {
                raw::prefetch_row(row);
            }
        }
    };
}

/// `op` on its way through pulp's entry, which takes a function of nothing.
struct Entered<I, O>(I, O);

impl<I: Isa, O: WithIsa> NullaryFnOnce for Entered<I, O> {
    type Output = O::Output;

    #[inline(always)]
    fn call(self) -> O::Output {
        self.1.with_isa(self.0)
    }
}

impl sealed::Tier for V4x {
    type Float = V4;
    const WIDE: bool = true;

    #[inline(always)]
    fn float(self) -> V4 {
        V4 {
            sse: self.sse,
            sse2: self.sse2,
            fxsr: self.fxsr,
            sse3: self.sse3,
            ssse3: self.ssse3,
            sse4_1: self.sse4_1,
            sse4_2: self.sse4_2,
            popcnt: self.popcnt,
            avx: self.avx,
            avx2: self.avx2,
            bmi1: self.bmi1,
            bmi2: self.bmi2,
            fma: self.fma,
            lzcnt: self.lzcnt,
            avx512f: self.avx512f,
            avx512bw: self.avx512bw,
            avx512cd: self.avx512cd,
            avx512dq: self.avx512dq,
            avx512vl: self.avx512vl,
        }
    }
}

isa!(V4x, dots_i8_vnni);

impl sealed::Tier for V3 {
    type Float = V3;
    const WIDE: bool = false;

    #[inline(always)]
    fn float(self) -> V3 {
        self
    }
}

isa!(V3, dots_i8_avx2);

/// `vpdpbusd` multiplies unsigned by signed bytes and adds four products to a 32-bit lane, without saturation.
///
/// The row becomes unsigned by flipping its sign bit, which adds 128 to each code, and `128 * sum(query)` is taken off at the
/// end. The row, not the query: the query's sum is known, and a zero of padding in the query silences a biased one in the row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn dots_i8_vnni<const N: usize>(query: I8Query<'_>, rows: [&[i8]; N]) -> [i32; N] {
    query.assert_fits(&rows);
    let sign = _mm512_set1_epi8(i8::MIN);
    let (q_blocks, q_tail) = query.codes().as_chunks::<64>();
    let mut sums = [_mm512_setzero_si512(); N];
    for (i, q) in q_blocks.iter().enumerate() {
        let q = cast(*q);
        for (sum, row) in sums.iter_mut().zip(rows) {
            let (blocks, _) = row.as_chunks::<64>();
            *sum = _mm512_dpbusd_epi32(*sum, _mm512_xor_si512(cast(blocks[i]), sign), q);
        }
    }
    let mut out = [0; N];
    for ((out, sum), row) in out.iter_mut().zip(sums).zip(rows) {
        let tail = codes::tail(q_tail, &row[row.len() - q_tail.len()..]);
        *out = _mm512_reduce_add_epi32(sum)
            .wrapping_sub(query.bias())
            .wrapping_add(tail);
    }
    out
}

/// Codes are widened to 16 bits, where a product of any two is exact; `vpmaddwd` adds them in pairs to 32-bit lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn dots_i8_avx2<const N: usize>(query: I8Query<'_>, rows: [&[i8]; N]) -> [i32; N] {
    query.assert_fits(&rows);
    let (q_blocks, q_tail) = query.codes().as_chunks::<16>();
    let mut sums = [_mm256_setzero_si256(); N];
    for (i, q) in q_blocks.iter().enumerate() {
        let q = _mm256_cvtepi8_epi16(cast(*q));
        for (sum, row) in sums.iter_mut().zip(rows) {
            let (blocks, _) = row.as_chunks::<16>();
            let products = _mm256_madd_epi16(q, _mm256_cvtepi8_epi16(cast(blocks[i])));
            *sum = _mm256_add_epi32(*sum, products);
        }
    }
    let mut out = [0; N];
    for ((out, sum), row) in out.iter_mut().zip(sums).zip(rows) {
        let tail = codes::tail(q_tail, &row[row.len() - q_tail.len()..]);
        *out = add_lanes(sum).wrapping_add(tail);
    }
    out
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_lanes(v: __m256i) -> i32 {
    let v = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
    let v = _mm_add_epi32(v, _mm_unpackhi_epi64(v, v));
    _mm_cvtsi128_si32(_mm_add_epi32(v, _mm_shuffle_epi32::<1>(v)))
}
