//! Rates of the block products beside what the instruction itself can do, measured in the same run.
//!
//! `cargo xtask bench kernels`. One thread. Every figure is the median of runs that take turns, so that a noisy neighbour
//! slows all of them or none.
#![expect(
    unsafe_code,
    reason = "the peak is that of an instruction, and safe code cannot name one"
)]
#![expect(clippy::print_stdout, reason = "a report is what it is for")]

use std::hint::black_box;
use std::time::Instant;

use proxime_simd::block::{Gathered, Panels, Products, all_pairs, multiply};
use proxime_simd::{AlignedRows, I8Query, Isa, Level, WithIsa};

const DIM: usize = 768;
const ROUNDS: usize = 31;

fn main() {
    println!(
        "One thread; 10^9 multiply-adds a second, and the share of the instruction's own peak. dim = {DIM}.\n"
    );
    println!("| tier | rows | peak | product | packed too | all pairs, packed too |");
    println!("|---|---|---|---|---|---|");
    for level in Level::available() {
        for rows in [256, 512] {
            report(level, rows);
        }
    }
    for rows in [256, 512] {
        println!(
            "| f32, crate gemm | {rows} | | {:.0} | | |",
            gemm_rate(rows)
        );
    }
    println!(
        "\nAll pairs are counted as n * n * dim, though little more than half of them are multiplied."
    );
}

fn report(level: Level, rows: usize) {
    let mut lab = Lab::new(rows);
    let work = (rows * rows * DIM) as f64;
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(peak_seconds(level));
        for (what, times) in [What::Product, What::Packed, What::AllPairs]
            .into_iter()
            .zip(&mut times[1..])
        {
            let start = Instant::now();
            level.dispatch(Run {
                lab: &mut lab,
                what,
            });
            black_box(lab.out.as_slice());
            times.push(start.elapsed().as_secs_f64());
        }
    }
    let [peak, product, packed, pairs] = times.map(median);
    let peak = PEAK_STEPS as f64 * peak_step(level) as f64 / peak / 1e9;
    let share = |seconds: f64| {
        let rate = work / seconds / 1e9;
        match peak > 0.0 {
            true => format!("{rate:.0} ({:.0} %)", 100.0 * rate / peak),
            false => format!("{rate:.0}"),
        }
    };
    println!(
        "| {level} | {rows} | {peak:.0} | {} | {} | {} |",
        share(product),
        share(packed),
        share(pairs)
    );
}

/// Rows to multiply and the memory for it.
struct Lab {
    rows: AlignedRows<i8>,
    sums: Vec<i32>,
    left: Gathered,
    panels: Panels,
    out: Products,
}

impl Lab {
    fn new(n: usize) -> Self {
        let mut rows = AlignedRows::zeroed(n, DIM);
        let mut state = 1u64;
        for i in 0..n {
            for code in rows.row_mut(i) {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                *code = (state >> 57) as i8;
            }
        }
        let sum = |i| I8Query::new(rows.row(i)).sum();
        Self {
            sums: (0..n).map(sum).collect(),
            rows,
            left: Gathered::default(),
            panels: Panels::default(),
            out: Products::default(),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Product,
    Packed,
    AllPairs,
}

struct Run<'a> {
    lab: &'a mut Lab,
    what: What,
}

impl WithIsa for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let Lab {
            rows,
            sums,
            left,
            panels,
            out,
        } = self.lab;
        if self.what != What::Product || left.n() == 0 {
            let queries = (0..rows.n()).map(|i| I8Query::with_sum(rows.row(i), sums[i]));
            panels.pack(isa, rows.stride(), queries, left);
        }
        match self.what {
            What::AllPairs => all_pairs(isa, left, panels, out, |_, _, _| ()),
            What::Product | What::Packed => multiply(isa, left, panels, out),
        }
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// The same product of `f32` by the crate `gemm`, on one thread.
fn gemm_rate(rows: usize) -> f64 {
    let left: Vec<f32> = (0..rows * DIM).map(|i| (i % 17) as f32).collect();
    let right = left.clone();
    let mut out = vec![0f32; rows * rows];
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        // SAFETY: the strides are those of row-major matrices of these shapes, the right one read as its transpose.
        unsafe {
            gemm::gemm(
                rows,
                rows,
                DIM,
                out.as_mut_ptr(),
                1,
                rows as isize,
                false,
                left.as_ptr(),
                1,
                DIM as isize,
                right.as_ptr(),
                DIM as isize,
                1,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
        black_box(&out);
        times.push(start.elapsed().as_secs_f64());
    }
    (rows * rows * DIM) as f64 / median(times) / 1e9
}

/// Rounds of the loop that does nothing but the instruction.
const PEAK_STEPS: usize = 20_000;

#[cfg(target_arch = "x86_64")]
use x86::{peak_seconds, peak_step};

#[cfg(not(target_arch = "x86_64"))]
fn peak_step(_level: Level) -> usize {
    0
}

#[cfg(not(target_arch = "x86_64"))]
fn peak_seconds(_level: Level) -> f64 {
    1.0
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::PEAK_STEPS;
    use core::arch::asm;
    use core::arch::x86_64::*;
    use proxime_simd::Level;
    use std::hint::black_box;
    use std::time::Instant;

    /// Multiply-adds in one round of [`peak_seconds`]; 0 where no single instruction is the limit.
    pub(super) fn peak_step(level: Level) -> usize {
        match level {
            Level::Amx(_) => 4 * 16 * 16 * 64,
            Level::V4x(_) => 12 * 64,
            Level::V3(_) => 12 * 16,
            _ => 0,
        }
    }

    /// Seconds for [`PEAK_STEPS`] rounds on registers alone.
    pub(super) fn peak_seconds(level: Level) -> f64 {
        let start = Instant::now();
        match level {
            // SAFETY: the level exists only where the CPU has these instructions and the system grants them.
            Level::Amx(_) => unsafe { amx() },
            // SAFETY: as above.
            Level::V4x(_) => unsafe { vnni() },
            // SAFETY: as above.
            Level::V3(_) => unsafe { madd() },
            _ => {}
        }
        start.elapsed().as_secs_f64()
    }

    /// # Safety
    /// The CPU has AMX-INT8 and the system has granted it.
    unsafe fn amx() {
        let mut config = [0u8; 64];
        config[0] = 1;
        (0..8).for_each(|tile| (config[16 + 2 * tile], config[48 + tile]) = (64, 16));
        // SAFETY: promised by the caller; no memory is touched but the configuration.
        unsafe {
            asm!(
                "ldtilecfg [{config}]",
                "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                "tilezero tmm4", "tilezero tmm5", "tilezero tmm6", "tilezero tmm7",
                "2:",
                "tdpbssd tmm0, tmm4, tmm6", "tdpbssd tmm1, tmm4, tmm7",
                "tdpbssd tmm2, tmm5, tmm6", "tdpbssd tmm3, tmm5, tmm7",
                "dec {steps}",
                "jnz 2b",
                "tilerelease",
                config = in(reg) &raw const config,
                steps = inout(reg) PEAK_STEPS => _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            );
        }
    }

    /// # Safety
    /// The CPU has AVX-512 VNNI.
    #[target_feature(enable = "avx512f,avx512vnni")]
    unsafe fn vnni() {
        let (a, b) = black_box((_mm512_set1_epi8(1), _mm512_set1_epi8(2)));
        let mut sums = [_mm512_setzero_si512(); 12];
        for _ in 0..PEAK_STEPS {
            sums.iter_mut()
                .for_each(|sum| *sum = _mm512_dpbusd_epi32(*sum, a, b));
        }
        black_box(sums);
    }

    /// # Safety
    /// The CPU has AVX2.
    #[target_feature(enable = "avx2")]
    unsafe fn madd() {
        let mut a = black_box(_mm256_set1_epi16(1));
        let b = black_box(_mm256_set1_epi16(2));
        let mut sums = [_mm256_setzero_si256(); 12];
        for _ in 0..PEAK_STEPS {
            a = black_box(a);
            sums.iter_mut()
                .for_each(|sum| *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(a, b)));
        }
        black_box(sums);
    }
}
