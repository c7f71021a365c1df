//! Recall against exact search, and what it costs in distances: both repeat to the last digit.

use proxime_core::{Index, Params, ScratchPool, rerank, search};
use proxime_simd::{Metric, Rows, reference};

use crate::fashion_mnist::{self, DIM};
use crate::support::{build, encode};

const K: usize = 10;

/// Recall@10 of a search of width `ef`, and distances per query, on 10,000 real images.
fn measure(metric: Metric, ef: usize) -> (f64, u64) {
    let (base, queries) = (fashion_mnist::base(10_000), fashion_mnist::queries(100));
    let (rows, queries) = (
        Rows::new(&base, DIM).unwrap(),
        Rows::new(&queries, DIM).unwrap(),
    );
    let (codec, codes) = encode(&base, DIM, metric);
    let graph = build(&codes, &Params::default(), 2);
    let scratches = ScratchPool::default();
    let (mut found, mut distances) = (0, 0);
    for query in queries {
        let truth = exact(metric, query, rows);
        let prepared = codec.prepare(query).unwrap();
        scratches.with(|scratch| {
            search(&graph, &codes, &prepared, ef, scratch);
            distances += scratch.distances();
            let near = rerank(metric, query, rows, scratch.candidates().take(2 * K), K);
            found += near
                .iter()
                .filter(|neighbor| truth.contains(&neighbor.node))
                .count();
        });
    }
    (
        found as f64 / (queries.n() * K) as f64,
        distances / queries.n() as u64,
    )
}

/// The oracle: f64 loops and a sort.
fn exact(metric: Metric, query: &[f32], rows: Rows<'_, f32>) -> Vec<u32> {
    let mut order: Vec<(f64, u32)> = rows
        .iter()
        .zip(0..)
        .map(|(row, node)| (reference::distance(metric, query, row), node))
        .collect();
    order.sort_by(|a, b| a.partial_cmp(b).unwrap());
    order.into_iter().take(K).map(|(_, node)| node).collect()
}

#[test]
fn l2_on_real_images() {
    let (recall, distances) = measure(Metric::L2, 32);
    println!("l2, ef 32: recall@10 {recall:.3}, {distances} distances");
    assert!(
        recall >= 0.99 && distances <= 330,
        "{recall} for {distances}"
    );
}

#[test]
fn cosine_on_real_images() {
    let (recall, distances) = measure(Metric::Cosine, 32);
    println!("cosine, ef 32: recall@10 {recall:.3}, {distances} distances");
    assert!(
        recall >= 0.97 && distances <= 320,
        "{recall} for {distances}"
    );
}

/// Raw pixels are not what dot product is used on: long vectors win every query.
#[test]
fn dot_on_real_images() {
    let (recall, distances) = measure(Metric::Dot, 128);
    println!("dot, ef 128: recall@10 {recall:.3}, {distances} distances");
    assert!(
        recall >= 0.93 && distances <= 700,
        "{recall} for {distances}"
    );
}

#[test]
fn a_wide_beam_finds_everything() {
    let base = fashion_mnist::base(2000);
    let rows = Rows::new(&base, DIM).unwrap();
    for metric in [Metric::L2, Metric::Cosine, Metric::Dot] {
        let index = Index::build(rows, metric, &Params::default()).unwrap();
        for query in rows.iter().step_by(97) {
            let all: Vec<u32> = index
                .search(query, 2000, None)
                .unwrap()
                .iter()
                .map(|found| found.node)
                .collect();
            let exact: Vec<u32> = index
                .search_exact(query, 2000)
                .unwrap()
                .iter()
                .map(|found| found.node)
                .collect();
            assert_eq!(all.len(), 2000);
            assert_eq!(all, exact, "{metric}");
        }
    }
}
