//! The x86-64 tiers: tokens, and how they multiply codes.
//!
//! No `f32` kernel: pulp's vectors serve those.
#![expect(
    unsafe_code,
    reason = "pulp's tokens have no method for the VNNI instruction"
)]

use core::arch::x86_64::*;
use std::ops::Range;

use pulp::cast;
use pulp::x86::{V3, V4};

use crate::bits::BitLanes;
use crate::block::{self, Gathered, I8Tiles, PANEL_ROWS, PanelLine, Panels, Products};
use crate::codes::{I8Lanes, I8Query};
use crate::enter::enter;
use crate::isa::sealed::Tier;
use crate::lanes::Lanes;
use crate::topk::{self, KeyLanes};
use crate::transpose::Words;
use crate::u4::U4Lanes;

pulp::simd_type! {
    /// Token of the AVX-512 tier: x86-64-v4 and VNNI.
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
    }
}

enter!(V4x);
enter!(V3);

impl Tier for V4x {
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

impl Tier for V3 {
    type Float = V3;
    const WIDE: bool = false;

    #[inline(always)]
    fn float(self) -> V3 {
        self
    }
}

/// `vpdpbusd` multiplies unsigned by signed bytes and adds four products to a 32-bit lane, without
/// saturation. The row becomes unsigned by flipping its sign bits, which adds 128 to each code; in the
/// end `128 * sum(query)` is taken off. The row, not the query, because the query's sum is known.
impl Lanes for V4x {
    type Block = [i8; 64];
    type Sums = __m512i;

    #[inline(always)]
    fn zero(self) -> __m512i {
        self.avx512f._mm512_setzero_si512()
    }

    #[inline(always)]
    fn add(self, sums: __m512i, query: [i8; 64], row: [i8; 64]) -> __m512i {
        let unsigned = self
            .avx512f
            ._mm512_xor_si512(cast(row), cast([i8::MIN; 64]));
        // SAFETY: the token exists only on CPUs with avx512vnni.
        unsafe { _mm512_dpbusd_epi32(sums, unsigned, cast(query)) }
    }
}

impl I8Lanes for V4x {
    #[inline(always)]
    fn total<const WAYS: usize>(self, parts: [__m512i; WAYS], query: I8Query<'_>) -> i32 {
        let mut sum = self.zero();
        for part in parts {
            sum = self.avx512f._mm512_add_epi32(sum, part);
        }
        self.avx512f
            ._mm512_reduce_add_epi32(sum)
            .wrapping_sub(query.sum().wrapping_mul(128))
    }
}

/// Codes are widened to 16 bits and multiplied to 32; `vpmaddwd` adds the products in pairs. The cheaper
/// `vpmaddubsw` is no choice: it saturates where codes are -128.
impl Lanes for V3 {
    type Block = [i8; 16];
    type Sums = __m256i;

    #[inline(always)]
    fn zero(self) -> __m256i {
        self.avx._mm256_setzero_si256()
    }

    #[inline(always)]
    fn add(self, sums: __m256i, query: [i8; 16], row: [i8; 16]) -> __m256i {
        let query = self.avx2._mm256_cvtepi8_epi16(cast(query));
        let row = self.avx2._mm256_cvtepi8_epi16(cast(row));
        self.avx2
            ._mm256_add_epi32(sums, self.avx2._mm256_madd_epi16(query, row))
    }
}

impl I8Lanes for V3 {
    #[inline(always)]
    fn total<const WAYS: usize>(self, parts: [__m256i; WAYS], _query: I8Query<'_>) -> i32 {
        let mut sum = self.zero();
        for part in parts {
            sum = self.avx2._mm256_add_epi32(sum, part);
        }
        cast::<_, [i32; 8]>(sum)
            .into_iter()
            .fold(0, i32::wrapping_add)
    }
}

impl U4Lanes for V4x {}

/// The group in each quarter of a register, shifted by one bit more than in the quarter before.
impl BitLanes for V4x {
    #[inline(always)]
    fn add_group(self, sums: __m512i, query: &[i8; 128], group: &[u8; 16]) -> __m512i {
        let group = self.avx512f._mm512_broadcast_i32x4(cast(*group));
        let query: [[i8; 64]; 2] = cast(*query);
        let mut sums = sums;
        for (half, query) in (0u16..).zip(query) {
            let shifts: [u16; 32] = std::array::from_fn(|i| 4 * half + i as u16 / 8);
            let shifted = self.avx512bw._mm512_srlv_epi16(group, cast(shifts));
            let bits = self.avx512f._mm512_and_si512(shifted, cast([1i8; 64]));
            sums = self.add(sums, query, cast(bits));
        }
        sums
    }
}

/// As with 4-bit codes, `vpmaddubsw` saturates nowhere: a lane gets two components a product, and eight products a group.
impl BitLanes for V3 {
    #[inline(always)]
    fn add_group(self, sums: __m256i, query: &[i8; 128], group: &[u8; 16]) -> __m256i {
        let group = self.avx2._mm256_broadcastsi128_si256(cast(*group));
        let query: [__m256i; 4] = cast(*query);
        let mut products = self.zero();
        for (pair, query) in (0u64..).zip(query) {
            let shifts: [u64; 4] = std::array::from_fn(|i| 2 * pair + i as u64 / 2);
            let shifted = self.avx2._mm256_srlv_epi64(group, cast(shifts));
            let bits = self
                .avx2
                ._mm256_and_si256(shifted, self.avx._mm256_set1_epi8(1));
            let product = self.avx2._mm256_maddubs_epi16(bits, query);
            products = self.avx2._mm256_add_epi16(products, product);
        }
        let ones = self.avx._mm256_set1_epi16(1);
        self.avx2
            ._mm256_add_epi32(sums, self.avx2._mm256_madd_epi16(products, ones))
    }
}

/// `vpmaddubsw` is the right one here: codes are unsigned already, and no sum of two products leaves 16 bits, nor does that of
/// a line's four.
impl U4Lanes for V3 {
    #[inline(always)]
    fn add_line(self, sums: __m256i, query: &[i8; 128], line: &[u8; 64]) -> __m256i {
        let query: [__m256i; 4] = cast(*query);
        let line: [__m256i; 2] = cast(*line);
        let half = self.avx._mm256_set1_epi8(15);
        let mut products = self.zero();
        for i in 0..2 {
            let low = self.avx2._mm256_and_si256(line[i], half);
            let high = self
                .avx2
                ._mm256_and_si256(self.avx2._mm256_srli_epi16::<4>(line[i]), half);
            let low = self.avx2._mm256_maddubs_epi16(low, query[i]);
            let high = self.avx2._mm256_maddubs_epi16(high, query[2 + i]);
            products = self.avx2._mm256_add_epi16(products, low);
            products = self.avx2._mm256_add_epi16(products, high);
        }
        let ones = self.avx._mm256_set1_epi16(1);
        self.avx2
            ._mm256_add_epi32(sums, self.avx2._mm256_madd_epi16(products, ones))
    }
}

impl KeyLanes for V4x {
    type Keys = __m512i;

    #[inline(always)]
    fn load(self, keys: &[u32; 16]) -> __m512i {
        cast(*keys)
    }

    #[inline(always)]
    fn line(self, keys: __m512i) -> [u32; 16] {
        cast(keys)
    }

    #[inline(always)]
    fn splat(self, key: u32) -> __m512i {
        self.avx512f._mm512_set1_epi32(key as i32)
    }

    #[inline(always)]
    fn min(self, a: __m512i, b: __m512i) -> __m512i {
        self.avx512f._mm512_min_epu32(a, b)
    }

    #[inline(always)]
    fn max(self, a: __m512i, b: __m512i) -> __m512i {
        self.avx512f._mm512_max_epu32(a, b)
    }

    #[inline(always)]
    fn greatest(self, keys: __m512i) -> u32 {
        self.avx512f._mm512_reduce_max_epu32(keys)
    }

    #[inline(always)]
    fn least(self, keys: __m512i) -> u32 {
        self.avx512f._mm512_reduce_min_epu32(keys)
    }

    #[inline(always)]
    fn less(self, a: __m512i, b: __m512i) -> u16 {
        self.avx512f._mm512_cmplt_epu32_mask(a, b)
    }

    #[inline(always)]
    fn equal(self, a: __m512i, b: __m512i) -> u16 {
        self.avx512f._mm512_cmpeq_epu32_mask(a, b)
    }

    #[inline(always)]
    fn set(self, keys: __m512i, bits: u16, key: u32) -> __m512i {
        self.avx512f
            ._mm512_mask_mov_epi32(keys, bits, self.splat(key))
    }

    #[inline(always)]
    fn compress(self, keys: __m512i, bits: u16) -> __m512i {
        self.avx512f._mm512_maskz_compress_epi32(bits, keys)
    }

    #[inline(always)]
    fn pick(self, keys: &[u32], places: __m512i) -> __m512i {
        assert!(keys.len() <= i32::MAX as usize);
        let within = self.less(places, self.splat(keys.len() as u32));
        assert_eq!(within, u16::MAX, "a place behind the last key");
        // SAFETY: the token exists only on CPUs with avx512f, and every place is one of a key.
        unsafe { _mm512_i32gather_epi32::<4>(places, keys.as_ptr().cast()) }
    }
}

/// Two registers of eight keys. There is no unsigned comparison: `a` is less where it is not the greater of the two.
impl KeyLanes for V3 {
    type Keys = [__m256i; 2];

    #[inline(always)]
    fn load(self, keys: &[u32; 16]) -> [__m256i; 2] {
        cast(*keys)
    }

    #[inline(always)]
    fn line(self, keys: [__m256i; 2]) -> [u32; 16] {
        cast(keys)
    }

    #[inline(always)]
    fn splat(self, key: u32) -> [__m256i; 2] {
        [self.avx._mm256_set1_epi32(key as i32); 2]
    }

    #[inline(always)]
    fn min(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        [
            self.avx2._mm256_min_epu32(a[0], b[0]),
            self.avx2._mm256_min_epu32(a[1], b[1]),
        ]
    }

    #[inline(always)]
    fn max(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        [
            self.avx2._mm256_max_epu32(a[0], b[0]),
            self.avx2._mm256_max_epu32(a[1], b[1]),
        ]
    }

    #[inline(always)]
    fn greatest(self, keys: [__m256i; 2]) -> u32 {
        let keys: [u32; 8] = cast(self.avx2._mm256_max_epu32(keys[0], keys[1]));
        keys.into_iter().fold(0, u32::max)
    }

    #[inline(always)]
    fn least(self, keys: [__m256i; 2]) -> u32 {
        let keys: [u32; 8] = cast(self.avx2._mm256_min_epu32(keys[0], keys[1]));
        keys.into_iter().fold(u32::MAX, u32::min)
    }

    #[inline(always)]
    fn less(self, a: [__m256i; 2], b: [__m256i; 2]) -> u16 {
        !self.equal(self.max(a, b), a)
    }

    #[inline(always)]
    fn equal(self, a: [__m256i; 2], b: [__m256i; 2]) -> u16 {
        // No closure: one that is not inlined would leave the tier.
        let low = self.avx2._mm256_cmpeq_epi32(a[0], b[0]);
        let high = self.avx2._mm256_cmpeq_epi32(a[1], b[1]);
        let low = self.avx._mm256_movemask_ps(cast(low)) as u16;
        let high = self.avx._mm256_movemask_ps(cast(high)) as u16;
        low | high << 8
    }

    #[inline(always)]
    fn set(self, keys: [__m256i; 2], bits: u16, key: u32) -> [__m256i; 2] {
        let mut keys: [u32; 16] = cast(keys);
        let mut left = bits;
        while left != 0 {
            keys[left.trailing_zeros() as usize % 16] = key;
            left &= left - 1;
        }
        cast(keys)
    }

    #[inline(always)]
    fn compress(self, keys: [__m256i; 2], bits: u16) -> [__m256i; 2] {
        cast(topk::compress(cast(keys), bits))
    }

    #[inline(always)]
    fn pick(self, keys: &[u32], places: [__m256i; 2]) -> [__m256i; 2] {
        let places: [u32; 16] = cast(places);
        cast(places.map(|place| keys[place as usize]))
    }
}

/// A line of a panel is a register: four codes of 16 rows.
impl I8Tiles for V4x {
    /// Packed codes are unsigned, so that no line is flipped again for each block of left rows.
    const FLIP: i8 = i8::MIN;
    type Tile = __m512i;

    #[inline(always)]
    fn deal(self, a: Words, b: Words) -> (Words, Words) {
        let from = |first: i32| {
            let places: Words = std::array::from_fn(|i| first + i as i32 / 2 + 16 * (i as i32 % 2));
            cast(
                self.avx512f
                    ._mm512_permutex2var_epi32(cast(a), cast(places), cast(b)),
            )
        };
        (from(0), from(8))
    }

    #[inline(always)]
    fn tile_zero(self) -> __m512i {
        self.zero()
    }

    #[inline(always)]
    fn tile_add(self, tile: __m512i, left: [i8; 4], line: &PanelLine) -> __m512i {
        let left = self
            .avx512f
            ._mm512_set1_epi32(i32::from_le_bytes(cast(left)));
        // SAFETY: the token exists only on CPUs with avx512vnni.
        unsafe { _mm512_dpbusd_epi32(tile, cast(*line), left) }
    }

    #[inline(always)]
    fn tile_sums(self, tile: __m512i, left_sum: i32) -> [i32; PANEL_ROWS] {
        let too_much = self.avx512f._mm512_set1_epi32(left_sum.wrapping_mul(128));
        cast(self.avx512f._mm512_sub_epi32(tile, too_much))
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
        block::by::<Self, 6, 4>(self, left, rows, right, panels, out);
    }
}

/// A line is widened four rows at a time; a row's sum is in two lanes until the end.
impl I8Tiles for V3 {
    type Tile = [__m256i; 4];

    #[inline(always)]
    fn tile_zero(self) -> [__m256i; 4] {
        [self.zero(); 4]
    }

    #[inline(always)]
    fn tile_add(self, mut tile: [__m256i; 4], left: [i8; 4], line: &PanelLine) -> [__m256i; 4] {
        let left: [i8; 16] = cast([left; 4]);
        for (sums, rows) in tile.iter_mut().zip(line.as_chunks::<16>().0) {
            *sums = self.add(*sums, left, *rows);
        }
        tile
    }

    #[inline(always)]
    fn tile_sums(self, tile: [__m256i; 4], _left_sum: i32) -> [i32; PANEL_ROWS] {
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
