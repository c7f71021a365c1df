//! Short ways to codes and graphs, and seeded data.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use proxime_core::{Done, Graph, Params};
use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Metric, Rows};

/// A codec trained on all rows, and their codes.
pub(crate) fn encode(data: &[f32], dim: usize, metric: Metric) -> (ScalarI8, Codes) {
    let rows = Rows::new(data, dim).unwrap();
    let codec = ScalarI8::train(rows, metric).unwrap();
    let codes = Codes::encode(&codec, rows).unwrap();
    (codec, codes)
}

pub(crate) fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
}

/// A progress hook that never stops anything.
pub(crate) fn go_on(_: Done) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

pub(crate) fn build(codes: &Codes, params: &Params, threads: usize) -> Graph {
    Graph::build(codes, params, &pool(threads), &go_on).unwrap()
}

/// A walk of its own over the public lists.
pub(crate) fn reached(graph: &Graph) -> BTreeSet<u32> {
    let mut met: BTreeSet<u32> = graph.entry().into_iter().collect();
    let mut frontier: Vec<u32> = met.iter().copied().collect();
    while let Some(node) = frontier.pop() {
        frontier.extend(
            graph
                .neighbors(0, node)
                .iter()
                .filter(|&&next| met.insert(next)),
        );
    }
    met
}

/// Data that graphs break on: equal rows, islands, lines, one dimension.
pub(crate) fn hostile(kind: usize, n: usize, seed: u64) -> (Vec<f32>, usize) {
    let mut random = SplitMix(seed);
    let mut uniform = move || random.uniform();
    match kind {
        0 => (vec![0.0; n * 3], 3),
        1 => (vec![7.5; n * 3], 3),
        2 => (
            (0..n)
                .flat_map(|i| [(i % 5) as f32, (i % 3) as f32])
                .collect(),
            2,
        ),
        3 => (
            (0..n)
                .flat_map(|i| {
                    if i == n / 2 {
                        [1e6, -1e6]
                    } else {
                        [uniform(), uniform()]
                    }
                })
                .collect(),
            2,
        ),
        4 => (
            (0..n)
                .flat_map(|i| [if i % 2 == 0 { -1e4 } else { 1e4 } + uniform(), uniform()])
                .collect(),
            2,
        ),
        5 => (
            (0..n)
                .flat_map(|i| [i as f32, 2.0 * i as f32, 0.5])
                .collect(),
            3,
        ),
        6 => ((0..n).map(|_| uniform()).collect(), 1),
        _ => (mixture(n, 24, seed), 24),
    }
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
