//! Every row can be found: reachable from the entry point on level 0, whatever the rows look like.

use proptest::prelude::*;
use proxime_core::{Graph, Index, Params};
use proxime_simd::{Metric, Rows};

use crate::support::{SplitMix, build, encode, mixture};

/// A walk of its own over the public lists.
fn reached(graph: &Graph) -> usize {
    let mut met: std::collections::BTreeSet<u32> = graph.entry().into_iter().collect();
    let mut frontier: Vec<u32> = met.iter().copied().collect();
    while let Some(node) = frontier.pop() {
        frontier.extend(
            graph
                .neighbors(0, node)
                .iter()
                .filter(|&&next| met.insert(next)),
        );
    }
    met.len()
}

/// Data that graphs break on: equal rows, islands, lines, one dimension.
fn hostile(kind: usize, n: usize, seed: u64) -> (Vec<f32>, usize) {
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_row_is_reachable(kind in 0usize..8, n in 0usize..1500, m in 2usize..6, seed: u64, metric in 0usize..2) {
        let metric = [Metric::L2, Metric::Dot][metric];
        let (data, dim) = hostile(kind, n, seed);
        let (_, codes) = encode(&data, dim, metric);
        let params = Params::default().with_m(m).unwrap().with_ef_construction(16).unwrap();
        let graph = build(&codes, &params, 2);
        prop_assert_eq!(reached(&graph), n);
        prop_assert_eq!(graph.stats().unreachable, 0);
        let again = Graph::from_bytes(&graph.to_bytes(), n).unwrap();
        prop_assert_eq!(again, graph);
    }
}

#[test]
fn a_few_rows_are_all_found() {
    for n in 0..40usize {
        for metric in [Metric::L2, Metric::Cosine, Metric::Dot] {
            let data: Vec<f32> = (0..n)
                .flat_map(|i| [1.0 + i as f32, 3.0, (i * i) as f32])
                .collect();
            let index =
                Index::build(Rows::new(&data, 3).unwrap(), metric, &Params::default()).unwrap();
            let mut found: Vec<u32> = index
                .search(&[1.0, 1.0, 1.0], 100, None)
                .unwrap()
                .iter()
                .map(|f| f.node)
                .collect();
            found.sort_unstable();
            assert_eq!(
                found,
                (0..n as u32).collect::<Vec<_>>(),
                "{n} rows, {metric}"
            );
        }
    }
}
