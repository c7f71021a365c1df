//! The promises of the kernels, one file each, kept on every tier that this CPU has.
//!
//! `PROXIME_REQUIRE_ISA=avx512,avx2` makes tiers mandatory: a test run that was meant to cover them
//! fails where the CPU lacks one, instead of passing on the others.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bits;
mod block;
mod codes;
mod floats;
mod inline;
mod same_bits;
mod shapes;
mod tiers;
mod topk;
mod u4;

use std::io::Write;
use std::sync::OnceLock;

use proxime_simd::{Isa, Level, WithIsa};

/// The tiers to test. Says once on standard error which ones it leaves out.
fn levels() -> &'static [Level] {
    static LEVELS: OnceLock<Vec<Level>> = OnceLock::new();
    LEVELS.get_or_init(|| {
        let found = Level::available();
        let has = |name: &str| found.iter().any(|level| level.name() == name);
        let all: &[&str] = match () {
            () if cfg!(target_arch = "x86_64") => &["amx", "avx512", "avx2", "scalar"],
            () if cfg!(target_arch = "aarch64") => &["neondot", "neon", "scalar"],
            () => &["scalar"],
        };
        for missing in all.iter().filter(|name| !has(name)) {
            // Not `eprintln`, which the harness keeps to itself.
            let mut stderr = std::io::stderr();
            writeln!(stderr, "\nNOT TESTED: this CPU lacks the tier {missing}").unwrap();
        }
        let required = std::env::var("PROXIME_REQUIRE_ISA").unwrap_or_default();
        for name in required.split(',').filter(|name| !name.is_empty()) {
            assert!(
                has(name),
                "PROXIME_REQUIRE_ISA={required}: this CPU lacks {name}"
            );
        }
        found
    })
}

/// Runs one method of [`Isa`] on a tier: what a test wants of a dispatch.
trait OnLevel {
    fn dots_i8<const N: usize>(self, query: &[i8], rows: [&[i8]; N]) -> [i32; N];
    fn dot_i8(self, a: &[i8], b: &[i8]) -> i32;
    fn sums_f32(self, query: &[f32], row: &[f32]) -> SumsF32;
}

/// What the `f32` kernels give for one pair.
#[derive(Clone, Copy, Debug)]
struct SumsF32 {
    dot: f32,
    l2_sq: f32,
    norm_sq: f32,
    dot_and_norm_sq: (f32, f32),
}

impl OnLevel for Level {
    fn dots_i8<const N: usize>(self, query: &[i8], rows: [&[i8]; N]) -> [i32; N] {
        struct Op<'a, const N: usize>(&'a [i8], [&'a [i8]; N]);
        impl<const N: usize> WithIsa for Op<'_, N> {
            type Output = [i32; N];
            #[inline(always)]
            fn with_isa<I: Isa>(self, isa: I) -> [i32; N] {
                isa.dots_i8(proxime_simd::I8Query::new(self.0), self.1)
            }
        }
        self.dispatch(Op(query, rows))
    }

    fn dot_i8(self, a: &[i8], b: &[i8]) -> i32 {
        struct Op<'a>(&'a [i8], &'a [i8]);
        impl WithIsa for Op<'_> {
            type Output = i32;
            #[inline(always)]
            fn with_isa<I: Isa>(self, isa: I) -> i32 {
                isa.dot_i8(self.0, self.1)
            }
        }
        self.dispatch(Op(a, b))
    }

    fn sums_f32(self, query: &[f32], row: &[f32]) -> SumsF32 {
        struct Op<'a>(&'a [f32], &'a [f32]);
        impl WithIsa for Op<'_> {
            type Output = SumsF32;
            #[inline(always)]
            fn with_isa<I: Isa>(self, isa: I) -> SumsF32 {
                let Self(query, row) = self;
                SumsF32 {
                    dot: isa.dot_f32(query, row),
                    l2_sq: isa.l2_sq_f32(query, row),
                    norm_sq: isa.norm_sq_f32(row),
                    dot_and_norm_sq: isa.dot_and_norm_sq_f32(query, row),
                }
            }
        }
        self.dispatch(Op(query, row))
    }
}

/// A small seeded generator (xorshift64*): the same numbers on every machine.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// Any `i8`.
    fn codes(&mut self, len: usize) -> Vec<i8> {
        (0..len).map(|_| self.bits() as i8).collect()
    }

    /// From -1 to 1, of very different magnitudes.
    fn floats(&mut self, len: usize) -> Vec<f32> {
        let one = |bits: u64| {
            let unit = (bits & 0xFFFF) as f32 / 32768.0 - 1.0;
            unit * 2f32.powi(-((bits >> 16) as i32 & 7))
        };
        (0..len).map(|_| one(self.bits())).collect()
    }
}

/// Every length around the blocks of every tier, and what models produce.
fn lengths() -> impl Iterator<Item = usize> {
    (0..=200).chain([255, 256, 257, 384, 768, 784, 832, 1536])
}
