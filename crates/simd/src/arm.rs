//! The AArch64 tiers: tokens, and how they multiply codes.
//!
//! No `f32` kernel: pulp's vectors serve those.
#![expect(
    unsafe_code,
    reason = "the dot product instruction has no stable intrinsic yet"
)]

use core::arch::aarch64::*;
use core::arch::asm;
use std::ops::Range;

use pulp::aarch64::Neon;
use pulp::cast;

use crate::bits::BitLanes;
use crate::block::{self, Gathered, I8Tiles, PANEL_ROWS, PanelLine, Panels, Products};
use crate::codes::{I8Lanes, I8Query};
use crate::enter::enter;
use crate::isa::sealed::Tier;
use crate::lanes::Lanes;
use crate::topk::plain_keys;
use crate::u4::U4Lanes;

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

impl U4Lanes for NeonDot {}
impl U4Lanes for Neon {}

impl BitLanes for NeonDot {}
impl BitLanes for Neon {}

plain_keys!(NeonDot);
plain_keys!(Neon);

/// A line is four registers, each four codes of four rows.
impl I8Tiles for NeonDot {
    type Tile = [int32x4_t; 4];

    #[inline(always)]
    fn tile_zero(self) -> [int32x4_t; 4] {
        [self.zero(); 4]
    }

    #[inline(always)]
    fn tile_add(self, mut tile: [int32x4_t; 4], left: [i8; 4], line: &PanelLine) -> [int32x4_t; 4] {
        let left: [i8; 16] = cast([left; 4]);
        for (sums, rows) in tile.iter_mut().zip(line.as_chunks::<16>().0) {
            *sums = self.add(*sums, left, *rows);
        }
        tile
    }

    #[inline(always)]
    fn tile_sums(self, tile: [int32x4_t; 4], _left_sum: i32) -> [i32; PANEL_ROWS] {
        cast(tile)
    }

    #[inline(always)]
    fn multiply(
        self,
        left: &Gathered,
        rows: Range<usize>,
        right: &Panels,
        panels: Range<usize>,
        out: &mut Products,
    ) {
        block::by::<Self, 4, 1>(self, left, rows, right, panels, out);
    }
}

/// Half a register of codes is two rows, whose products are added in pairs: a row's sum is in two lanes until the end.
impl I8Tiles for Neon {
    type Tile = [int32x4_t; 8];

    #[inline(always)]
    fn tile_zero(self) -> [int32x4_t; 8] {
        [self.zero(); 8]
    }

    #[inline(always)]
    fn tile_add(self, mut tile: [int32x4_t; 8], left: [i8; 4], line: &PanelLine) -> [int32x4_t; 8] {
        let left: int8x8_t = cast([left; 2]);
        for (sums, rows) in tile.iter_mut().zip(line.as_chunks::<8>().0) {
            *sums = self
                .neon
                .vpadalq_s16(*sums, self.neon.vmull_s8(left, cast(*rows)));
        }
        tile
    }

    #[inline(always)]
    fn tile_sums(self, tile: [int32x4_t; 8], _left_sum: i32) -> [i32; PANEL_ROWS] {
        let halves: [[i32; 2]; PANEL_ROWS] = cast(tile);
        halves.map(|[even, odd]| even.wrapping_add(odd))
    }

    #[inline(always)]
    fn multiply(
        self,
        left: &Gathered,
        rows: Range<usize>,
        right: &Panels,
        panels: Range<usize>,
        out: &mut Products,
    ) {
        block::by::<Self, 2, 1>(self, left, rows, right, panels, out);
    }
}
