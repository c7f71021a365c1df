//! Walks from match to match find what a loop over the matches finds, wherever these lie.

use proxime_core::{
    Candidate, FilteredRoute, Graph, Matches, Params, Scratch, rerank, search_among,
    search_filtered_unless,
};
use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Metric, Rows, reference};

use crate::fashion_mnist::{self, DIM};
use crate::support::{SplitMix, build, encode};

const K: usize = 10;
const QUERIES: usize = 40;
const EF: usize = 64;
/// So that walks are tested where looking at all matches would take less time.
const MATCHES_PER_STEP: usize = 32;

/// Nodes that may be found, ascending.
struct Chosen {
    nodes: Vec<u32>,
    seeds: Vec<u32>,
}

impl Chosen {
    fn new(nodes: &[u32]) -> Chosen {
        let mut nodes = nodes.to_vec();
        nodes.sort();
        let seeds = nodes.iter().step_by((nodes.len() / 32).max(1));
        Chosen {
            seeds: seeds.copied().collect(),
            nodes,
        }
    }
}

impl Matches for Chosen {
    fn contains(&self, node: u32) -> bool {
        self.nodes.binary_search(&node).is_ok()
    }

    fn count(&self) -> usize {
        self.nodes.len()
    }

    fn iter(&self) -> impl Iterator<Item = u32> {
        self.nodes.iter().copied()
    }

    fn seeds(&self) -> &[u32] {
        &self.seeds
    }
}

struct Bench {
    base: Vec<f32>,
    codec: ScalarI8,
    codes: Codes,
    graph: Graph,
}

impl Bench {
    fn new() -> Bench {
        let base = fashion_mnist::base(10_000);
        let (codec, codes) = encode(&base, DIM, Metric::L2);
        let graph = build(&codes, &Params::default(), 2);
        Bench {
            base,
            codec,
            codes,
            graph,
        }
    }

    fn rows(&self) -> Rows<'_, f32> {
        Rows::new(&self.base, DIM).unwrap()
    }

    /// All rows, the nearest to the point first: the oracle, f64 loops and a sort.
    fn ordered(&self, point: &[f32]) -> Vec<u32> {
        let mut order: Vec<(f64, u32)> = (self.rows().iter().zip(0..))
            .map(|(row, node)| (reference::distance(Metric::L2, point, row), node))
            .collect();
        order.sort_by(|a, b| a.partial_cmp(b).unwrap());
        order.into_iter().map(|(_, node)| node).collect()
    }

    /// How many of the true `K` are found where these match, and how.
    fn found(&self, query: &[f32], matches: &[u32], ordered: &[u32]) -> (usize, FilteredRoute) {
        let matches = Chosen::new(matches);
        let prepared = self.codec.prepare(query).unwrap();
        let mut scratch = Scratch::default();
        let route = search_filtered_unless(
            |count, ef| count <= ef.saturating_mul(MATCHES_PER_STEP),
            &self.graph,
            &self.codes,
            &prepared,
            EF,
            &matches,
            &mut scratch,
        );
        let candidates: Vec<Candidate> = scratch.candidates().collect();
        assert!((candidates.iter()).all(|candidate| matches.contains(candidate.node)));
        let near = candidates.into_iter().take(2 * K);
        let near = rerank(Metric::L2, query, self.rows(), near, K);
        let truth = ordered.iter().filter(|&&node| matches.contains(node));
        let truth: Vec<u32> = truth.copied().take(K).collect();
        let found = near.iter().filter(|near| truth.contains(&near.node));
        (found.count(), route)
    }
}

fn shuffled(nodes: &[u32], seed: u64) -> Vec<u32> {
    let mut random = SplitMix(seed);
    let mut nodes = nodes.to_vec();
    nodes.sort_by_cached_key(|_| random.next());
    nodes
}

#[test]
fn at_every_selectivity_near_and_far() {
    let bench = Bench::new();
    let queries = fashion_mnist::queries(QUERIES);
    for percent in [90, 50, 10, 5] {
        let mut found = [0; 3];
        for (query, seed) in Rows::new(&queries, DIM).unwrap().iter().zip(0..) {
            let ordered = bench.ordered(query);
            let n = ordered.len() * percent / 100;
            let shuffled = shuffled(&ordered, seed);
            // Around the row that is farthest from the query.
            let far = bench.ordered(bench.rows().row(*ordered.last().unwrap() as usize));
            for (matches, found) in [&shuffled, &ordered, &far].into_iter().zip(&mut found) {
                *found += bench.found(query, &matches[..n], &ordered).0;
            }
        }
        println!(
            "{percent} %: random, near, far: {found:?} of {}",
            K * QUERIES
        );
        assert!(
            found.iter().all(|&found| found * 100 >= K * QUERIES * 95),
            "{percent} %: {found:?}"
        );
    }
}

/// Half of all rows match, around the query none or few: no short steps lead from one of the nearest to the next.
#[test]
fn around_a_hole() {
    let bench = Bench::new();
    let queries = fashion_mnist::queries(QUERIES);
    let mut found = 0;
    for (query, seed) in Rows::new(&queries, DIM).unwrap().iter().zip(0..) {
        let ordered = bench.ordered(query);
        let half = |nodes: &[u32]| shuffled(nodes, seed)[..5000].to_vec();
        let (_, route) = bench.found(query, &half(&ordered), &ordered);
        assert!(matches!(route, FilteredRoute::Walk { ef } if ef <= 2 * EF));
        let (_, route) = bench.found(query, &ordered[5000..], &ordered);
        assert_eq!(route, FilteredRoute::Among);
        found += bench.found(query, &half(&ordered[20..]), &ordered).0;
    }
    assert!(found * 100 >= K * QUERIES * 95, "{found}");
}

#[test]
fn among_is_every_one_of_them() {
    let bench = Bench::new();
    let query = fashion_mnist::queries(1);
    let prepared = bench.codec.prepare(&query).unwrap();
    let matches: Vec<u32> = (0..10_000).step_by(17).collect();
    let mut scratch = Scratch::default();
    search_among(
        &bench.codes,
        &prepared,
        matches.iter().copied(),
        10_000,
        &mut scratch,
    );
    assert_eq!(scratch.distances(), matches.len() as u64);
    let mut found: Vec<u32> = scratch
        .candidates()
        .map(|candidate| candidate.node)
        .collect();
    let all: Vec<Candidate> = scratch.candidates().collect();
    search_among(
        &bench.codes,
        &prepared,
        matches.iter().copied(),
        5,
        &mut scratch,
    );
    assert!(scratch.candidates().eq(all.iter().copied().take(5)));
    scratch.widen(100);
    assert!(scratch.candidates().eq(all.iter().copied().take(100)));
    scratch.widen(20_000);
    assert!(scratch.candidates().eq(all));
    found.sort();
    assert_eq!(found, matches);
}
