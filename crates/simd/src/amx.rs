//! The AMX tier: AVX-512, and a matrix unit for products of many rows with many.
//!
//! A tile is 16 rows of 64 bytes. `tdpbssd` multiplies 16 rows of 64 codes with a panel's 16 lines and adds the products to
//! a tile of 16 by 16 sums: 16,384 multiply-adds in 16 cycles. Only [`multiply`](I8Tiles::multiply) uses it; all else is the
//! AVX-512 tier's.
#![expect(
    unsafe_code,
    reason = "neither pulp nor the compiler has the instructions"
)]

use core::arch::asm;
use core::arch::x86_64::__cpuid_count;
use std::ops::Range;
use std::sync::OnceLock;

use crate::bits::BitLanes;
use crate::block::{BLOCK_ROWS, GROUP, Gathered, I8Tiles, PANEL_ROWS, PanelLine, Panels, Products};
use crate::codes::{I8Lanes, I8Query};
use crate::enter::Entered;
use crate::isa::sealed::Tier;
use crate::isa::{Isa, WithIsa};
use crate::lanes::Lanes;
use crate::raw::{LINE_BYTES, Line};
use crate::topk::KeyLanes;
use crate::transpose::Words;
use crate::u4::U4Lanes;
use crate::x86::V4x;

/// Token of the AMX tier: AVX-512 with VNNI, and tiles of `int8` that the system lets this process use.
#[derive(Clone, Copy, Debug)]
pub struct Amx(V4x);

impl Amx {
    /// The token, where the CPU has the instructions and the system grants them.
    pub fn try_new() -> Option<Self> {
        static GRANTED: OnceLock<bool> = OnceLock::new();
        let v4x = V4x::try_new()?;
        GRANTED
            .get_or_init(|| has_tiles() && may_use_tiles())
            .then_some(Self(v4x))
    }
}

/// AMX-TILE and AMX-INT8, in the extended features of leaf 7.
fn has_tiles() -> bool {
    const AMX_TILE_AND_INT8: u32 = 1 << 24 | 1 << 25;
    __cpuid_count(7, 0).edx & AMX_TILE_AND_INT8 == AMX_TILE_AND_INT8
}

/// Linux keeps the tiles from a process until it asks: they enlarge what a context switch saves.
#[cfg(target_os = "linux")]
fn may_use_tiles() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: a system call with two numbers and no pointer; it changes nothing but this permission.
    let refused = unsafe {
        libc::syscall(
            libc::SYS_arch_prctl,
            ARCH_REQ_XCOMP_PERM,
            XFEATURE_XTILEDATA,
        )
    };
    refused == 0
}

#[cfg(not(target_os = "linux"))]
fn may_use_tiles() -> bool {
    false
}

impl Isa for Amx {
    #[inline(always)]
    fn vectorize<O: WithIsa>(self, op: O) -> O::Output {
        self.0.vectorize(Entered(self, op))
    }

    #[inline(always)]
    fn prefetch<T>(self, row: &[T]) {
        self.0.prefetch(row);
    }
}

impl Tier for Amx {
    type Float = <V4x as Tier>::Float;
    const WIDE: bool = V4x::WIDE;

    #[inline(always)]
    fn float(self) -> Self::Float {
        self.0.float()
    }
}

impl Lanes for Amx {
    type Block = <V4x as Lanes>::Block;
    type Sums = <V4x as Lanes>::Sums;

    #[inline(always)]
    fn zero(self) -> Self::Sums {
        self.0.zero()
    }

    #[inline(always)]
    fn add(self, sums: Self::Sums, query: Self::Block, row: Self::Block) -> Self::Sums {
        self.0.add(sums, query, row)
    }
}

impl I8Lanes for Amx {
    #[inline(always)]
    fn total<const WAYS: usize>(self, parts: [Self::Sums; WAYS], query: I8Query<'_>) -> i32 {
        self.0.total(parts, query)
    }
}

impl U4Lanes for Amx {}

impl BitLanes for Amx {
    #[inline(always)]
    fn add_group(self, sums: Self::Sums, query: &[i8; 128], group: &[u8; 16]) -> Self::Sums {
        self.0.add_group(sums, query, group)
    }
}

impl KeyLanes for Amx {
    type Keys = <V4x as KeyLanes>::Keys;

    #[inline(always)]
    fn load(self, keys: &[u32; 16]) -> Self::Keys {
        self.0.load(keys)
    }

    #[inline(always)]
    fn line(self, keys: Self::Keys) -> [u32; 16] {
        self.0.line(keys)
    }

    #[inline(always)]
    fn splat(self, key: u32) -> Self::Keys {
        self.0.splat(key)
    }

    #[inline(always)]
    fn min(self, a: Self::Keys, b: Self::Keys) -> Self::Keys {
        self.0.min(a, b)
    }

    #[inline(always)]
    fn max(self, a: Self::Keys, b: Self::Keys) -> Self::Keys {
        self.0.max(a, b)
    }

    #[inline(always)]
    fn greatest(self, keys: Self::Keys) -> u32 {
        self.0.greatest(keys)
    }

    #[inline(always)]
    fn least(self, keys: Self::Keys) -> u32 {
        self.0.least(keys)
    }

    #[inline(always)]
    fn less(self, a: Self::Keys, b: Self::Keys) -> u16 {
        self.0.less(a, b)
    }

    #[inline(always)]
    fn equal(self, a: Self::Keys, b: Self::Keys) -> u16 {
        self.0.equal(a, b)
    }

    #[inline(always)]
    fn set(self, keys: Self::Keys, bits: u16, key: u32) -> Self::Keys {
        self.0.set(keys, bits, key)
    }

    #[inline(always)]
    fn compress(self, keys: Self::Keys, bits: u16) -> Self::Keys {
        self.0.compress(keys, bits)
    }

    #[inline(always)]
    fn pick(self, keys: &[u32], places: Self::Keys) -> Self::Keys {
        self.0.pick(keys, places)
    }
}

impl I8Tiles for Amx {
    type Tile = <V4x as I8Tiles>::Tile;

    #[inline(always)]
    fn deal(self, a: Words, b: Words) -> (Words, Words) {
        self.0.deal(a, b)
    }

    #[inline(always)]
    fn tile_zero(self) -> Self::Tile {
        self.0.tile_zero()
    }

    #[inline(always)]
    fn tile_add(self, tile: Self::Tile, left: [i8; GROUP], line: &PanelLine) -> Self::Tile {
        self.0.tile_add(tile, left, line)
    }

    #[inline(always)]
    fn tile_sums(self, tile: Self::Tile, left_sum: i32) -> [i32; PANEL_ROWS] {
        self.0.tile_sums(tile, left_sum)
    }

    fn multiply(
        self,
        left: &Gathered,
        rows: Range<usize>,
        right: &Panels,
        panels: Range<usize>,
        out: &mut Products,
    ) {
        let tiles = Tiles::configure(self);
        for panel in panels.step_by(BLOCK_ROWS / PANEL_ROWS) {
            for row in rows.clone().step_by(BLOCK_ROWS) {
                tiles.multiply(left, row, right, panel, out);
            }
        }
    }
}

/// The tile registers of this thread, configured as eight tiles of 16 by 64 bytes until it goes.
struct Tiles;

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Tiles {
    fn configure(_granted: Amx) -> Self {
        let mut config = Config {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        config.row_bytes[..8].fill(LINE_BYTES as u16);
        config.rows[..8].fill(PANEL_ROWS as u8);
        // SAFETY: the token exists only where the CPU has tiles and the system grants them; the configuration is a valid one
        // of palette 1.
        unsafe {
            asm!("ldtilecfg [{0}]", in(reg) &raw const config, options(nostack, preserves_flags, readonly))
        };
        Self
    }

    /// 32 left rows with two panels: four tiles of sums, for the whole length of a row.
    #[inline(always)]
    fn multiply(
        &self,
        left: &Gathered,
        row: usize,
        right: &Panels,
        panel: usize,
        out: &mut Products,
    ) {
        let (upper, lower) = (
            left.panel(row / PANEL_ROWS),
            left.panel(row / PANEL_ROWS + 1),
        );
        let (low, high) = (right.panel(panel), right.panel(panel + 1));
        let (products, row_bytes) = out.lines_from(row, panel);
        let steps = low.len() / PANEL_ROWS;
        let lines = row_bytes / size_of::<Line>() * (BLOCK_ROWS - 1) + BLOCK_ROWS / PANEL_ROWS;
        assert!(
            steps > 0
                && [upper, lower, low, high]
                    .iter()
                    .all(|panel| panel.len() == steps * PANEL_ROWS)
                && products.len() >= lines,
            "whole blocks"
        );
        // SAFETY: `self` says that the tiles are configured. Each step reads a square of four panels; then two
        // lines of 32 rows of products are written: all within what was just asserted.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{upper} + {line}*1]",
                "tileloadd tmm6, [{low} + {line}*1]",
                "tileloadd tmm5, [{lower} + {line}*1]",
                "tileloadd tmm7, [{high} + {line}*1]",
                "tdpbssd tmm0, tmm4, tmm6",
                "tdpbssd tmm1, tmm4, tmm7",
                "tdpbssd tmm2, tmm5, tmm6",
                "tdpbssd tmm3, tmm5, tmm7",
                "add {upper}, 1024",
                "add {lower}, 1024",
                "add {low}, 1024",
                "add {high}, 1024",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{out} + {row_bytes}*1], tmm0",
                "tilestored [{out} + {row_bytes}*1 + 64], tmm1",
                "tilestored [{out_lower} + {row_bytes}*1], tmm2",
                "tilestored [{out_lower} + {row_bytes}*1 + 64], tmm3",
                upper = inout(reg) upper.as_ptr() => _,
                lower = inout(reg) lower.as_ptr() => _,
                low = inout(reg) low.as_ptr() => _,
                high = inout(reg) high.as_ptr() => _,
                steps = inout(reg) steps => _,
                line = in(reg) LINE_BYTES,
                out = in(reg) products.as_mut_ptr(),
                out_lower = in(reg) products.as_mut_ptr().wrapping_byte_add(row_bytes * PANEL_ROWS),
                row_bytes = in(reg) row_bytes,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: gives the tiles back; needs no more than `configure` did.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
    }
}
