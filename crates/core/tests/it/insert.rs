//! Rows inserted into a graph are found like those it was built of; the result does not depend on threads.

use std::ops::ControlFlow;

use proxime_core::{Error, Graph, Params, ScratchPool, rerank, search};
use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Metric, Rows, reference};

use crate::fashion_mnist::{self, DIM};
use crate::support::{build, encode, go_on, mixture, pool};

const K: usize = 10;

/// A graph built of the first `n` rows, with the others inserted in two calls.
fn built_then_inserted(codec: &ScalarI8, data: &[f32], n: usize, threads: usize) -> (Graph, Codes) {
    let dim = codec.dim();
    let codes_of =
        |rows: usize| Codes::encode(codec, Rows::new(&data[..rows * dim], dim).unwrap()).unwrap();
    let all = data.len() / dim;
    let params = Params::default();
    let mut graph = build(&codes_of(n), &params, threads);
    for rows in [n + (all - n) / 3, all] {
        graph
            .insert(&codes_of(rows), &params, &pool(threads), &go_on)
            .unwrap();
    }
    (graph, codes_of(all))
}

#[test]
fn inserted_rows_are_found() {
    let base = fashion_mnist::base(4000);
    let rows = Rows::new(&base, DIM).unwrap();
    let (codec, _) = encode(&base, DIM, Metric::L2);
    for n in [0, 1, 600, 3990] {
        let (graph, codes) = built_then_inserted(&codec, &base, n, 2);
        assert_eq!((graph.n(), graph.stats().unreachable), (4000, 0));
        let scratches = ScratchPool::default();
        let mut found = 0;
        for query in fashion_mnist::queries(50).chunks(DIM) {
            let mut order: Vec<(f64, u32)> = rows
                .iter()
                .zip(0..)
                .map(|(row, node)| (reference::distance(Metric::L2, query, row), node))
                .collect();
            order.sort_by(|a, b| a.partial_cmp(b).unwrap());
            let prepared = codec.prepare(query).unwrap();
            let near = scratches.with(|scratch| {
                search(&graph, &codes, &prepared, 48, scratch);
                rerank(Metric::L2, query, rows, scratch.candidates().take(2 * K), K)
            });
            found += near
                .iter()
                .filter(|near| order[..K].iter().any(|&(_, node)| node == near.node))
                .count();
        }
        let recall = found as f64 / (50 * K) as f64;
        assert!(
            recall >= 0.98,
            "recall@10 {recall} with {n} rows built and the rest inserted"
        );
    }
}

/// Short lists and a narrow beam: every free slot that an attachment could take is taken at some point.
#[test]
fn small_calls_never_run_out_of_slots() {
    let data = mixture(700, 24, 3);
    let (codec, _) = encode(&data, 24, Metric::L2);
    let params = Params::default().with_m(2).unwrap();
    let params = params.with_ef_construction(1).unwrap();
    let codes_of = |n| Codes::encode(&codec, Rows::new(&data[..n * 24], 24).unwrap()).unwrap();
    let mut graph = build(&codes_of(200), &params, 1);
    for n in 201usize..=700 {
        graph
            .insert(&codes_of(n), &params, &pool(1), &go_on)
            .unwrap();
        assert_eq!(graph.stats().unreachable, 0);
    }
}

#[test]
fn threads_do_not_matter() {
    let data = mixture(1500, 16, 4);
    let (codec, _) = encode(&data, 16, Metric::Cosine);
    let (one, _) = built_then_inserted(&codec, &data, 500, 1);
    let (three, _) = built_then_inserted(&codec, &data, 500, 3);
    assert_eq!(one.digest(), three.digest());
    assert!(Graph::from_bytes(&one.to_bytes(), 1500).is_ok_and(|again| again == one));
}

#[test]
fn what_cannot_be_inserted_changes_nothing() {
    let data = mixture(300, 4, 5);
    let (codec, codes) = encode(&data, 4, Metric::L2);
    let fewer = Codes::encode(&codec, Rows::new(&data[..400], 4).unwrap()).unwrap();
    let params = Params::default();
    let mut graph = build(&fewer, &params, 1);
    let before = graph.digest();
    let other_m = params.with_m(8).unwrap();
    assert_eq!(
        graph.insert(&codes, &other_m, &pool(1), &go_on),
        Err(Error::Parameter {
            name: "m",
            value: 8,
            min: 16,
            max: 16
        })
    );
    assert_eq!(
        graph.insert(&codes, &params, &pool(1), &|_| ControlFlow::Break(())),
        Err(Error::Interrupted)
    );
    assert_eq!(graph.digest(), before);
    let none = Codes::encode(&codec, Rows::new(&[], 4).unwrap()).unwrap();
    assert!(matches!(
        graph.insert(&none, &params, &pool(1), &go_on),
        Err(Error::Parameter { name: "rows", .. })
    ));
    graph.insert(&fewer, &params, &pool(1), &go_on).unwrap();
    assert_eq!(graph.digest(), before);
}
