//! Deleting: what is left is found as in a graph built without the rest, by any number of threads on any CPU.

use std::ops::ControlFlow;
use std::process::Command;

use proxime_core::{Candidate, Error, Graph, Params, Scratch, flat, rerank, search};
use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Level, Metric, Rows};

use crate::fashion_mnist::{self, DIM};
use crate::support::{SplitMix, build, encode, go_on, mixture, pool, reached};

const K: usize = 10;

/// Recall@10 of searches of width 16 among the live rows, and distances per query. `rows_of` has the rows of the nodes.
fn measure(
    graph: &Graph,
    codes: &Codes,
    codec: &ScalarI8,
    base: &[f32],
    rows_of: &[u32],
) -> (f64, u64) {
    let queries = fashion_mnist::queries(200);
    let (rows, queries) = (
        Rows::new(base, DIM).unwrap(),
        Rows::new(&queries, DIM).unwrap(),
    );
    let live: std::collections::BTreeSet<u32> = (0..graph.n() as u32)
        .filter(|&node| !graph.is_deleted(node))
        .map(|node| rows_of[node as usize])
        .collect();
    let truth = flat::search(Metric::L2, queries, rows, K, |row| live.contains(&row));
    let mut scratch = Scratch::default();
    let (mut found, mut distances) = (0, 0);
    for (query, truth) in queries.iter().zip(truth) {
        search(
            graph,
            codes,
            &codec.prepare(query).unwrap(),
            16,
            &mut scratch,
        );
        distances += scratch.distances();
        let row_of = |near: Candidate| Candidate {
            node: rows_of[near.node as usize],
            ..near
        };
        let near = rerank(Metric::L2, query, rows, scratch.candidates().map(row_of), K);
        found += near
            .iter()
            .filter(|near| truth.iter().any(|row| row.node == near.node))
            .count();
    }
    (
        found as f64 / (queries.n() * K) as f64,
        distances / queries.n() as u64,
    )
}

/// How much worse than in a graph built of the live rows alone a search may be: recall@10 at `ef` 16, and distances: what was
/// inserted or repaired has longer lists than a bulk build makes.
const RECALL_LOSS_MAX: f64 = 0.015;
const DISTANCES_MAX: f64 = 1.25;

fn assert_as_good_as_built(
    graph: &Graph,
    codes: &Codes,
    codec: &ScalarI8,
    base: &[f32],
    what: &str,
) {
    let all: Vec<u32> = (0..graph.n() as u32).collect();
    let live: Vec<u32> = all
        .iter()
        .copied()
        .filter(|&node| !graph.is_deleted(node))
        .collect();
    let (recall, distances) = measure(graph, codes, codec, base, &all);
    let survivors = codes.select(&live);
    let built = build(&survivors, &Params::default(), 2);
    let (recall_built, distances_built) = measure(&built, &survivors, codec, base, &live);
    assert!(
        recall >= recall_built - RECALL_LOSS_MAX
            && distances as f64 <= DISTANCES_MAX * distances_built as f64,
        "{what}: {recall} for {distances}; built {recall_built} for {distances_built}"
    );
}

#[test]
fn recall_is_that_of_a_graph_built_of_the_rest() {
    let base = fashion_mnist::base(10_000);
    let (codec, codes) = encode(&base, DIM, Metric::L2);
    let built = build(&codes, &Params::default(), 2);
    for percent in [20, 50, 80] {
        let gone = |&node: &u32| SplitMix(u64::from(node)).next() % 100 < percent;
        let nodes: Vec<u32> = (0..10_000).filter(gone).collect();
        let mut graph = built.clone();
        graph
            .delete(&codes, &nodes, &Params::default(), &pool(2), &go_on)
            .unwrap();
        assert_as_good_as_built(
            &graph,
            &codes,
            &codec,
            &base,
            &format!("{percent} % deleted"),
        );
    }
}

/// A window of 4,000 rows moves over 10,000: all that was built is gone in the end, in twelve rounds.
#[test]
fn recall_stays_when_all_rows_are_replaced() {
    const WINDOW: usize = 4000;
    const STEP: usize = 500;
    let base = fashion_mnist::base(10_000);
    let (codec, _) = encode(&base, DIM, Metric::L2);
    let codes_of = |n| Codes::encode(&codec, Rows::new(&base[..n * DIM], DIM).unwrap()).unwrap();
    let params = Params::default();
    let mut graph = build(&codes_of(WINDOW), &params, 2);
    for end in (WINDOW + STEP..=10_000).step_by(STEP) {
        let codes = codes_of(end);
        graph.insert(&codes, &params, &pool(2), &go_on).unwrap();
        let old: Vec<u32> = ((end - WINDOW - STEP) as u32..(end - WINDOW) as u32).collect();
        graph
            .delete(&codes, &old, &params, &pool(2), &go_on)
            .unwrap();
    }
    assert_eq!(graph.live(), WINDOW);
    assert_as_good_as_built(&graph, &codes_of(10_000), &codec, &base, "all replaced");
}

/// The graph after deletes and inserts.
fn mutated(threads: usize) -> Graph {
    let data = mixture(2500, 24, 6);
    let (codec, codes) = encode(&data, 24, Metric::L2);
    let codes_of =
        |n: usize| Codes::encode(&codec, Rows::new(&data[..n * 24], 24).unwrap()).unwrap();
    let (params, pool) = (Params::default().with_m(6).unwrap(), pool(threads));
    let mut graph = build(&codes_of(1500), &params, threads);
    for (n, modulus) in [(1510, 3), (2400, 2), (2401, 5)] {
        let nodes: Vec<u32> = (0..graph.n() as u32)
            .filter(|node| node % modulus == 0)
            .collect();
        graph
            .delete(&codes, &nodes, &params, &pool, &go_on)
            .unwrap();
        graph.insert(&codes_of(n), &params, &pool, &go_on).unwrap();
    }
    graph
}

#[test]
fn threads_do_not_matter() {
    let one = mutated(1);
    assert_eq!(one.stats().unreachable, 0);
    for threads in [2, 3, 8] {
        assert_eq!(mutated(threads).digest(), one.digest(), "{threads} threads");
    }
}

/// Not a test of its own: prints a digest for the test below, which runs it under each tier.
#[test]
#[ignore = "run by tiers_do_not_matter"]
fn print_digest() {
    println!("digest {} {:032x}", Level::detect(), mutated(1).digest());
}

#[test]
fn tiers_do_not_matter() {
    let digest = mutated(2).digest();
    for level in Level::available() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "delete::print_digest",
                "--ignored",
                "--nocapture",
            ])
            .env("PROXIME_ISA", level.name())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains(&format!("digest {level} {digest:032x}")),
            "{level} differs: {text}"
        );
    }
}

#[test]
fn what_cannot_be_deleted_changes_nothing() {
    let data = mixture(300, 4, 5);
    let (codec, codes) = encode(&data, 4, Metric::L2);
    let fewer = Codes::encode(&codec, Rows::new(&data[..400], 4).unwrap()).unwrap();
    let params = Params::default();
    let mut graph = build(&codes, &params, 1);
    let before = graph.clone();
    let other_m = params.with_m(8).unwrap();
    let pool = pool(1);
    let no_such_node = graph.delete(&codes, &[7, 300], &params, &pool, &go_on);
    assert_eq!(no_such_node, Err(Error::NoSuchNode { node: 300, n: 300 }));
    assert_eq!(
        no_such_node.unwrap_err().to_string(),
        "there is no node 300: the graph has 300 rows"
    );
    assert!(matches!(
        graph.delete(&codes, &[7], &other_m, &pool, &go_on),
        Err(Error::Parameter { name: "m", .. })
    ));
    assert!(matches!(
        graph.delete(&fewer, &[7], &params, &pool, &go_on),
        Err(Error::Parameter { name: "rows", .. })
    ));
    assert_eq!(
        graph.delete(&codes, &[7], &params, &pool, &|_| ControlFlow::Break(())),
        Err(Error::Interrupted)
    );
    assert_eq!(graph.delete(&codes, &[], &params, &pool, &go_on), Ok(0));
    assert_eq!(graph, before);
    assert_eq!(
        graph.delete(&codes, &[7, 9, 7], &params, &pool, &go_on),
        Ok(2)
    );
    let after = graph.clone();
    assert_eq!(graph.delete(&codes, &[9, 7], &params, &pool, &go_on), Ok(0));
    assert_eq!(graph, after);
}

#[test]
fn everything_can_be_deleted_and_inserted_after() {
    let data = mixture(400, 4, 5);
    let (codec, codes) = encode(&data, 4, Metric::L2);
    let fewer = Codes::encode(&codec, Rows::new(&data[..1200], 4).unwrap()).unwrap();
    let (params, pool) = (Params::default(), pool(2));
    let mut graph = build(&fewer, &params, 2);
    let all: Vec<u32> = (0..300).collect();
    assert_eq!(graph.delete(&codes, &all, &params, &pool, &go_on), Ok(300));
    assert_eq!((graph.entry(), graph.live(), graph.n()), (None, 0, 300));
    assert_eq!((graph.stats().levels, graph.stats().deleted), (0, 300));
    let mut scratch = Scratch::default();
    let query = codec.prepare(&data[..4]).unwrap();
    search(&graph, &fewer, &query, 10, &mut scratch);
    assert_eq!(scratch.candidates().count(), 0);
    let mut graph = Graph::from_bytes(&graph.to_bytes(), 300).unwrap();
    graph.insert(&codes, &params, &pool, &go_on).unwrap();
    assert_eq!(reached(&graph), (300..400).collect());
    let found = (300..400).filter(|&node| {
        let query = codec.prepare(&data[node * 4..][..4]).unwrap();
        search(&graph, &codes, &query, 4, &mut scratch);
        scratch.candidates().any(|near| near.node as usize == node)
    });
    assert_eq!(found.count(), 100);
}
