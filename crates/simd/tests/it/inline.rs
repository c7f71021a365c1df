//! No kernel falls off the cliff of lost inlining.
//!
//! A vector kernel that is compiled outside its tier calls every instruction as a function and takes
//! five to twenty times as long as plain Rust. So it is enough to ask that each tier beats plain Rust,
//! which they do by a factor of four or more: a wide margin on both sides. Not under emulation, where
//! times say nothing.
#![cfg(target_arch = "x86_64")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use proxime_simd::{I8Query, Isa, Level, Scalar, WithIsa};

use crate::{Random, levels};

const DIM: usize = 768;

struct Data {
    floats: [Vec<f32>; 8],
    codes: [Vec<i8>; 8],
}

/// The four ways in which a kernel may be called.
#[derive(Clone, Copy, Debug)]
enum Call {
    F32,
    I8,
    F32Outlined,
    I8Outlined,
}

struct Run<'a>(&'a Data, Call);

impl WithIsa for Run<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> f32 {
        match self.1 {
            Call::F32 => f32s(isa, self.0),
            Call::I8 => i8s(isa, self.0),
            Call::F32Outlined => f32s_outlined(isa, self.0),
            Call::I8Outlined => i8s_outlined(isa, self.0),
        }
    }
}

#[inline(always)]
fn f32s<I: Isa>(isa: I, data: &Data) -> f32 {
    let query = data.floats[0].as_slice();
    data.floats
        .iter()
        .map(|row| isa.dot_f32(query, row) + isa.l2_sq_f32(query, row))
        .sum()
}

#[inline(always)]
fn i8s<I: Isa>(isa: I, data: &Data) -> f32 {
    let query = I8Query::new(&data.codes[0]);
    let dots = isa.dots_i8(query, data.codes.each_ref().map(Vec::as_slice));
    dots.iter().map(|&dot| dot as f32).sum()
}

/// What becomes of a helper that its author forgot to mark.
#[inline(never)]
fn f32s_outlined<I: Isa>(isa: I, data: &Data) -> f32 {
    f32s(isa, data)
}

#[inline(never)]
fn i8s_outlined<I: Isa>(isa: I, data: &Data) -> f32 {
    i8s(isa, data)
}

/// The shortest of many runs: what the code takes when nobody disturbs it.
fn shortest(level: Level, data: &Data, call: Call) -> Duration {
    let run = || {
        let start = Instant::now();
        for _ in 0..20 {
            black_box(level.dispatch(Run(black_box(data), call)));
        }
        start.elapsed()
    };
    (0..200).map(|_| run()).min().unwrap()
}

#[test]
fn every_tier_beats_plain_rust() {
    let mut random = Random::new(12);
    let data = Data {
        floats: std::array::from_fn(|_| random.floats(DIM)),
        codes: std::array::from_fn(|_| random.codes(DIM)),
    };
    for call in [Call::F32, Call::I8, Call::F32Outlined, Call::I8Outlined] {
        let plain = shortest(Level::Scalar(Scalar), &data, call);
        for &level in levels()
            .iter()
            .filter(|&&level| level != Level::Scalar(Scalar))
        {
            let tier = shortest(level, &data, call);
            assert!(
                tier < plain,
                "{call:?}: {level} takes {tier:?}, plain Rust {plain:?}"
            );
        }
    }
}
