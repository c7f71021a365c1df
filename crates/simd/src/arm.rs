//! The AArch64 tiers: tokens, and how they multiply codes.
//!
//! No `f32` kernel: pulp's vectors serve those.
#![expect(
    unsafe_code,
    reason = "the dot product instruction has no stable intrinsic yet"
)]

use core::arch::aarch64::*;
use core::arch::asm;

use pulp::aarch64::Neon;
use pulp::cast;

use crate::codes::{I8Lanes, I8Query};
use crate::enter::enter;
use crate::isa::sealed::Tier;
use crate::lanes::Lanes;

pulp::simd_type! {
    /// Token of the NEON tier with the dot product extension.
    pub struct NeonDot {
        neon: "neon",
        dotprod: "dotprod",
    }
}

enter!(NeonDot);
enter!(Neon);

impl Tier for NeonDot {
    type Float = Neon;
    const WIDE: bool = true;

    #[inline(always)]
    fn float(self) -> Neon {
        Neon { neon: self.neon }
    }
}

impl Tier for Neon {
    type Float = Self;
    const WIDE: bool = true;

    #[inline(always)]
    fn float(self) -> Self {
        self
    }
}

/// `sdot` multiplies signed bytes and adds four products to each 32-bit lane.
impl Lanes for NeonDot {
    type Block = [i8; 16];
    type Sums = int32x4_t;

    #[inline(always)]
    fn zero(self) -> int32x4_t {
        self.neon.vdupq_n_s32(0)
    }

    #[inline(always)]
    fn add(self, sums: int32x4_t, query: [i8; 16], row: [i8; 16]) -> int32x4_t {
        // SAFETY: the token exists only on CPUs with dotprod.
        unsafe { sdot(sums, cast(query), cast(row)) }
    }
}

/// `vdotq_s32`, which Rust 1.95 does not have yet.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot(mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: arithmetic on registers; whoever calls this has dotprod.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {a:v}.16b, {b:v}.16b",
            sums = inout(vreg) sums,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

impl I8Lanes for NeonDot {
    #[inline(always)]
    fn total<const WAYS: usize>(self, parts: [int32x4_t; WAYS], query: I8Query<'_>) -> i32 {
        self.float().total(parts, query)
    }
}

/// A product of any two codes fits 16 bits, a sum of two does not: `vpadalq` widens as it adds.
impl Lanes for Neon {
    type Block = [i8; 16];
    type Sums = int32x4_t;

    #[inline(always)]
    fn zero(self) -> int32x4_t {
        self.neon.vdupq_n_s32(0)
    }

    #[inline(always)]
    fn add(self, sums: int32x4_t, query: [i8; 16], row: [i8; 16]) -> int32x4_t {
        let (query, row) = (cast(query), cast(row));
        let low = self
            .neon
            .vmull_s8(self.neon.vget_low_s8(query), self.neon.vget_low_s8(row));
        let high = self.neon.vmull_high_s8(query, row);
        self.neon
            .vpadalq_s16(self.neon.vpadalq_s16(sums, low), high)
    }
}

impl I8Lanes for Neon {
    #[inline(always)]
    fn total<const WAYS: usize>(self, parts: [int32x4_t; WAYS], _query: I8Query<'_>) -> i32 {
        let mut sum = self.zero();
        for part in parts {
            sum = self.neon.vaddq_s32(sum, part);
        }
        self.neon.vaddvq_s32(sum)
    }
}
