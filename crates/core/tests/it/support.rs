//! Short ways to codes and graphs, and seeded data.

use std::ops::ControlFlow;

use proxime_core::{Graph, Params};
use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Metric, Rows};

/// A codec trained on all rows, and their codes.
pub(crate) fn encode(data: &[f32], dim: usize, metric: Metric) -> (ScalarI8, Codes) {
    let rows = Rows::new(data, dim).unwrap();
    let codec = ScalarI8::train(rows, metric).unwrap();
    let codes = Codes::encode(&codec, rows).unwrap();
    (codec, codes)
}

pub(crate) fn build(codes: &Codes, params: &Params, threads: usize) -> Graph {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    Graph::build(codes, params, &pool, &|_| ControlFlow::Continue(())).unwrap()
}

/// Points around a few centres in a subspace of a few dimensions: what embeddings look like, more than noise does.
pub(crate) fn mixture(n: usize, dim: usize, seed: u64) -> Vec<f32> {
    const CENTRES: usize = 20;
    const INTRINSIC: usize = 12;
    let mut random = SplitMix(seed);
    let axes: Vec<f32> = (0..INTRINSIC * dim)
        .map(|_| random.uniform() - 0.5)
        .collect();
    let centres: Vec<f32> = (0..CENTRES * INTRINSIC)
        .map(|_| 4.0 * random.uniform())
        .collect();
    let mut data = Vec::with_capacity(n * dim);
    for _ in 0..n {
        let centre = (random.next() % CENTRES as u64) as usize;
        let place: Vec<f32> = (0..INTRINSIC)
            .map(|axis| centres[centre * INTRINSIC + axis] + random.uniform())
            .collect();
        data.extend((0..dim).map(|j| {
            (0..INTRINSIC)
                .map(|axis| place[axis] * axes[axis * dim + j])
                .sum::<f32>()
        }));
    }
    data
}

/// Steele, Lea, Flood 2014: small, seeded, and the same everywhere.
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }
}
