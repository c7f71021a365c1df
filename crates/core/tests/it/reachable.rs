//! Every row can be found: reachable from the entry point on level 0, whatever the rows look like.

use proptest::prelude::*;
use proxime_core::{Graph, Index, Params};
use proxime_simd::{Metric, Rows};

use crate::support::{build, encode, hostile, reached};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_row_is_reachable(kind in 0usize..8, n in 0usize..1500, m in 2usize..6, seed: u64, metric in 0usize..2) {
        let metric = [Metric::L2, Metric::Dot][metric];
        let (data, dim) = hostile(kind, n, seed);
        let (_, codes) = encode(&data, dim, metric);
        let params = Params::default().with_m(m).unwrap().with_ef_construction(16).unwrap();
        let graph = build(&codes, &params, 2);
        prop_assert_eq!(reached(&graph).len(), n);
        prop_assert_eq!(graph.stats().unreachable, 0);
        let again = Graph::from_bytes(&graph.to_bytes(), n).unwrap();
        prop_assert_eq!(again, graph);
    }
}

/// So many rows, and as long, that sketches of them are what is linked by.
#[test]
fn every_row_is_reachable_by_sketches() {
    let (n, copies) = (4100, 256);
    for kind in 0..7 {
        let (data, dim) = hostile(kind, n, 1);
        let long: Vec<f32> = data
            .chunks(dim)
            .flat_map(|row| row.repeat(copies))
            .collect();
        for metric in [Metric::L2, Metric::Dot] {
            let (_, codes) = encode(&long, copies * dim, metric);
            let graph = build(&codes, &Params::default(), 2);
            assert_eq!(reached(&graph).len(), n, "kind {kind}, {metric}");
        }
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
