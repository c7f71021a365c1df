//! Recall against exact search, and what it costs in distances: both repeat to the last digit.

use proxime_core::{Index, Params, ScratchPool, rerank, search};
use proxime_simd::{Metric, Rows, reference};

use crate::fashion_mnist::{self, DIM};
use crate::support::{SplitMix, build, encode, reached};

const K: usize = 10;

/// Recall@10 of a search of width `ef`, and distances per query, on 10,000 real images.
fn measure_images(metric: Metric, ef: usize) -> (f64, u64) {
    let (base, queries) = (fashion_mnist::base(10_000), fashion_mnist::queries(100));
    measure(metric, ef, DIM, &base, &queries)
}

/// Recall@10 of a search of width `ef`, and distances per query.
fn measure(metric: Metric, ef: usize, dim: usize, base: &[f32], queries: &[f32]) -> (f64, u64) {
    let (rows, queries) = (
        Rows::new(base, dim).unwrap(),
        Rows::new(queries, dim).unwrap(),
    );
    let (codec, codes) = encode(base, dim, metric);
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
    let (recall, distances) = measure_images(Metric::L2, 32);
    println!("l2, ef 32: recall@10 {recall:.3}, {distances} distances");
    assert!(
        recall >= 0.99 && distances <= 330,
        "{recall} for {distances}"
    );
}

#[test]
fn cosine_on_real_images() {
    let (recall, distances) = measure_images(Metric::Cosine, 32);
    println!("cosine, ef 32: recall@10 {recall:.3}, {distances} distances");
    assert!(
        recall >= 0.97 && distances <= 320,
        "{recall} for {distances}"
    );
}

/// Raw pixels are not what dot product is used on: long vectors win every query.
#[test]
fn dot_on_real_images() {
    let (recall, distances) = measure_images(Metric::Dot, 128);
    println!("dot, ef 128: recall@10 {recall:.3}, {distances} distances");
    assert!(
        recall >= 0.98 && distances <= 550,
        "{recall} for {distances}"
    );
}

/// By dot product the nearest are the long ones among those in the query's direction, far from each other by L2.
#[test]
fn long_rows_are_found_by_dot_product() {
    const DIM: usize = 24;
    let mut random = SplitMix(7);
    let mut normal = || (0..12).map(|_| random.uniform()).sum::<f32>() - 6.0;
    let mut rows = |n: usize| -> Vec<f32> { (0..n * DIM).map(|_| normal()).collect() };
    let (base, queries) = (rows(8000), rows(200));
    let (recall, distances) = measure(Metric::Dot, 64, DIM, &base, &queries);
    println!("dot, ef 64: recall@10 {recall:.3}, {distances} distances");
    assert!(
        recall >= 0.95 && distances <= 900,
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

/// No short link leads from one to another, and a level above may have a few rows of each: it has to lead to all of them.
#[test]
fn clusters_far_apart_are_found() {
    const DIM: usize = 8;
    for (n, clusters) in [(1000, 4), (1500, 4), (5000, 4), (5000, 20), (20_000, 6)] {
        let mut random = SplitMix(n as u64);
        let centers: Vec<f32> = (0..clusters * DIM)
            .map(|_| 20.0 * random.uniform() - 10.0)
            .collect();
        let mut rows = |n: usize| -> Vec<f32> {
            (0..n * DIM)
                .map(|i| centers[i % (clusters * DIM)] + 2.0 * random.uniform())
                .collect()
        };
        let (base, queries) = (rows(n), rows(200));
        let (recall, distances) = measure(Metric::L2, 64, DIM, &base, &queries);
        println!("{clusters} clusters of {n}: recall@10 {recall:.3}, {distances} distances");
        assert!(recall >= 0.99, "{n} rows in {clusters} clusters: {recall}");
    }
}

/// The nearest neighbours of a node are in its own cluster on the levels above, too, until a cluster has only a few nodes there; and
/// the directions in which rows of one differ are not those in which all rows do.
#[test]
fn tight_clusters_are_found() {
    for (n, dim, clusters, least) in [
        (10_000, 100, 100, 0.97),
        (6000, 256, 10, 0.97),
        (10_000, 128, 250, 0.99),
        (20_000, 128, 500, 0.997),
    ] {
        let mut random = SplitMix(10_000);
        let centers: Vec<f32> = (0..clusters * dim)
            .map(|_| 20.0 * random.uniform() - 10.0)
            .collect();
        let mut rows = |n: usize| -> Vec<f32> {
            let mut spread = || 0.5 * (0..12).map(|_| random.uniform()).sum::<f32>();
            (0..n * dim)
                .map(|i| centers[i % (clusters * dim)] + spread())
                .collect()
        };
        let (base, queries) = (rows(n), rows(400));
        let (recall, distances) = measure(Metric::L2, 64, dim, &base, &queries);
        println!(
            "{clusters} clusters of {n} x {dim}: recall@10 {recall:.3}, {distances} distances"
        );
        assert!(
            recall >= least,
            "{n} x {dim} in {clusters} clusters: {recall}"
        );
    }
}

/// The nearest of a row are its copies: of enough of them lists name nothing else.
#[test]
fn copies_are_found() {
    const DIM: usize = 24;
    for (kinds, copies) in [(600, 12), (60, 200)] {
        let mut random = SplitMix(5);
        let firsts: Vec<f32> = (0..kinds * DIM).map(|_| random.uniform()).collect();
        let base = firsts.repeat(copies);
        let (codec, codes) = encode(&base, DIM, Metric::L2);
        let graph = build(&codes, &Params::default(), 2);
        assert_eq!(reached(&graph).len(), kinds * copies);
        let scratches = ScratchPool::default();
        let mut missed = 0;
        for (kind, query) in firsts.chunks_exact(DIM).enumerate() {
            let prepared = codec.prepare(query).unwrap();
            scratches.with(|scratch| {
                search(&graph, &codes, &prepared, 64, scratch);
                let nearest = scratch.candidates().take(copies.min(64));
                missed += nearest
                    .filter(|found| found.node as usize % kinds != kind)
                    .count();
            });
        }
        println!("{missed} missed of {}", kinds * copies.min(64));
        assert!(
            100 * missed <= kinds * copies.min(64),
            "{kinds} x {copies}: {missed}"
        );
    }
}
