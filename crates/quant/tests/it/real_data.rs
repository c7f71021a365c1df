//! Recall of the codes alone, by looking at all of them, on real images: what `ScalarI8`'s documentation states.

use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Metric, Rows, reference};

use crate::fashion_mnist::{self, DIM};

const N: usize = 10_000;
const QUERIES: usize = 50;
const K: usize = 10;

/// Of the true ten nearest, how many are among the `keep` nearest by codes.
fn recall(metric: Metric, keep: usize) -> f64 {
    let (base, queries) = (fashion_mnist::base(N), fashion_mnist::queries(QUERIES));
    let rows = Rows::new(&base, DIM).unwrap();
    let sample: Vec<f32> = rows.iter().step_by(10).flatten().copied().collect();
    let codec = ScalarI8::train(Rows::new(&sample, DIM).unwrap(), metric).unwrap();
    let codes = Codes::encode(&codec, rows).unwrap();
    let mut found = 0;
    for query in Rows::new(&queries, DIM).unwrap() {
        let nearest = |distance: &dyn Fn(usize) -> f64, count: usize| {
            let mut order: Vec<(f64, usize)> = (0..N).map(|row| (distance(row), row)).collect();
            order.sort_by(|a, b| a.partial_cmp(b).unwrap());
            order
                .into_iter()
                .take(count)
                .map(|(_, row)| row)
                .collect::<Vec<_>>()
        };
        let truth = nearest(&|row| reference::distance(metric, query, rows.row(row)), K);
        let prepared = codec.prepare(query).unwrap();
        let by_codes = nearest(
            &|row| {
                f64::from(prepared.distance_from_dot(prepared.dot(codes.row(row)), codes.term(row)))
            },
            keep,
        );
        found += truth.iter().filter(|row| by_codes.contains(row)).count();
    }
    found as f64 / (QUERIES * K) as f64
}

#[test]
fn recall_on_fashion_mnist_is_what_the_documentation_says() {
    for (metric, alone, reranked) in [
        (Metric::L2, 0.97, 1.0),
        (Metric::Cosine, 0.97, 1.0),
        (Metric::Dot, 0.97, 1.0),
    ] {
        let got = (recall(metric, K), recall(metric, 2 * K));
        println!(
            "{metric}: recall@10 {:.3} from the codes, {:.3} after reranking 20",
            got.0, got.1
        );
        assert!(got.0 >= alone && got.1 >= reranked, "{metric}: {got:?}");
    }
}
