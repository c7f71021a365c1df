//! Walks from match to match find what a loop over the matches finds, wherever these lie.

use proxime_core::{Candidate, Graph, Params, Scratch, rerank, search_among, search_filtered};
use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Metric, Rows, reference};

use crate::fashion_mnist::{self, DIM};
use crate::support::{SplitMix, build, encode};

const K: usize = 10;
const QUERIES: usize = 40;

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

    /// How many of the true `K` a walk finds, where these match.
    fn found(&self, query: &[f32], matches: &[u32], ordered: &[u32]) -> usize {
        let mut chosen = vec![false; self.graph.n()];
        matches
            .iter()
            .for_each(|&node| chosen[node as usize] = true);
        let is_chosen = |node: u32| chosen[node as usize];
        let seeds: Vec<u32> = matches
            .iter()
            .step_by(matches.len() / 32)
            .copied()
            .collect();
        let prepared = self.codec.prepare(query).unwrap();
        let mut scratch = Scratch::default();
        search_filtered(
            &self.graph,
            &self.codes,
            &prepared,
            64,
            is_chosen,
            &seeds,
            &mut scratch,
        );
        let candidates: Vec<Candidate> = scratch.candidates().collect();
        assert!(candidates.iter().all(|candidate| is_chosen(candidate.node)));
        let near = rerank(
            Metric::L2,
            query,
            self.rows(),
            candidates.into_iter().take(2 * K),
            K,
        );
        let truth: Vec<u32> = ordered
            .iter()
            .copied()
            .filter(|&node| is_chosen(node))
            .take(K)
            .collect();
        near.iter()
            .filter(|neighbor| truth.contains(&neighbor.node))
            .count()
    }
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
            let mut random = SplitMix(seed);
            let mut shuffled = ordered.clone();
            shuffled.sort_by_cached_key(|_| random.next());
            // Around the row that is farthest from the query.
            let far = bench.ordered(bench.rows().row(*ordered.last().unwrap() as usize));
            for (matches, found) in [&shuffled, &ordered, &far].into_iter().zip(&mut found) {
                let mut matches = matches[..n].to_vec();
                matches.sort();
                *found += bench.found(query, &matches, &ordered);
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
    assert!(scratch.candidates().eq(all.into_iter().take(5)));
    found.sort();
    assert_eq!(found, matches);
}
