//! Any sequence of inserts and deletes, on any data: what is live can be reached, what is deleted is nowhere.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use proptest::prelude::*;
use proxime_core::{Done, Error, Graph, Params, Scratch, search};
use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Metric, Rows};

use crate::support::{SplitMix, build, encode, go_on, hostile, pool, reached};

/// One step of a sequence; the numbers are cut down to what there is.
#[derive(Debug, Clone)]
enum Step {
    Insert { rows: usize },
    InsertInterrupted { rows: usize, calls: usize },
    DeleteSome { part: u64, of: u64 },
    DeleteRun { first: usize, rows: usize },
    DeleteInterrupted,
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..4).prop_map(|rows| Step::Insert { rows }),
        2 => (1usize..200).prop_map(|rows| Step::Insert { rows }),
        1 => (1usize..300, 0usize..3).prop_map(|(rows, calls)| Step::InsertInterrupted { rows, calls }),
        3 => (0u64..10, 2u64..20).prop_map(|(part, of)| Step::DeleteSome { part, of }),
        2 => (0usize..600, 1usize..600).prop_map(|(first, rows)| Step::DeleteRun { first, rows }),
        1 => Just(Step::DeleteInterrupted),
        1 => Just(Step::Reload),
    ]
}

/// The oracle: a set of rows, beside the graph.
struct World {
    data: Vec<f32>,
    codec: ScalarI8,
    params: Params,
    graph: Graph,
    live: BTreeSet<u32>,
}

impl World {
    fn codes(&self, n: usize) -> Codes {
        let dim = self.codec.dim();
        Codes::encode(&self.codec, Rows::new(&self.data[..n * dim], dim).unwrap()).unwrap()
    }

    fn rows(&self) -> usize {
        self.data.len() / self.codec.dim()
    }

    fn take(&mut self, step: &Step) {
        let n = self.graph.n();
        match *step {
            Step::Insert { rows } => self.insert(rows),
            Step::InsertInterrupted { rows, calls } => self.insert_interrupted(rows, calls),
            Step::DeleteSome { part, of } => self.delete(
                (0..n as u32)
                    .filter(|&node| SplitMix(u64::from(node)).next() % of <= part)
                    .collect(),
            ),
            Step::DeleteRun { first, rows } => {
                self.delete((first.min(n) as u32..(first + rows).min(n) as u32).collect());
            }
            Step::DeleteInterrupted => {
                let all: Vec<u32> = (0..n as u32).collect();
                let codes = self.codes(n);
                let before = self.graph.clone();
                let stop = |_| ControlFlow::Break(());
                let stopped = self
                    .graph
                    .delete(&codes, &all, &self.params, &pool(2), &stop);
                let nothing_to_do = self.live.is_empty();
                assert_eq!(
                    stopped,
                    if nothing_to_do {
                        Ok(0)
                    } else {
                        Err(Error::Interrupted)
                    }
                );
                assert_eq!(self.graph, before);
            }
            Step::Reload => {
                let again = Graph::from_bytes(&self.graph.to_bytes(), n).unwrap();
                assert_eq!(again, self.graph);
                self.graph = again;
            }
        }
    }

    fn insert(&mut self, rows: usize) {
        let n = (self.graph.n() + rows).min(self.rows());
        self.live.extend(self.graph.n() as u32..n as u32);
        let codes = self.codes(n);
        self.graph
            .insert(&codes, &self.params, &pool(2), &go_on)
            .unwrap();
    }

    fn insert_interrupted(&mut self, rows: usize, calls: usize) {
        let codes = self.codes((self.graph.n() + rows).min(self.rows()));
        let before = self.graph.clone();
        let left = std::sync::atomic::AtomicUsize::new(calls);
        let stop = |_: Done| match left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) {
            0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        match self.graph.insert(&codes, &self.params, &pool(2), &stop) {
            Err(error) => {
                assert_eq!(error, Error::Interrupted);
                assert_eq!(self.graph, before);
            }
            Ok(()) => self.live.extend(before.n() as u32..codes.n() as u32),
        }
    }

    fn delete(&mut self, nodes: Vec<u32>) {
        let new = nodes.iter().filter(|node| self.live.remove(node)).count();
        let codes = self.codes(self.graph.n());
        let twice = [&nodes[..], &nodes[..]].concat();
        let deleted = self
            .graph
            .delete(&codes, &twice, &self.params, &pool(2), &go_on);
        assert_eq!(deleted, Ok(new));
    }

    fn check(&self) {
        let graph = &self.graph;
        assert_eq!(reached(graph), self.live);
        let stats = graph.stats();
        assert_eq!(
            (stats.n - stats.deleted, stats.unreachable),
            (self.live.len(), 0)
        );
        assert_eq!(graph.live(), self.live.len());
        for node in 0..graph.n() as u32 {
            let deleted = !self.live.contains(&node);
            assert_eq!(graph.is_deleted(node), deleted);
            let is_dead_end = graph.neighbors(0, node).is_empty();
            assert!(
                deleted || !is_dead_end || self.live.len() == 1,
                "{node} leads nowhere"
            );
            for level in 0..=graph.top_level() {
                let list = graph.neighbors(level, node);
                assert!(list.iter().all(|next| self.live.contains(next)));
                assert!(
                    !deleted || list.is_empty(),
                    "{node} is deleted and has links"
                );
            }
        }
        assert!(
            upper_nodes(graph)
                .iter()
                .all(|node| self.live.contains(node))
        );
        self.check_search();
    }

    fn check_search(&self) {
        let (codes, dim) = (self.codes(self.graph.n()), self.codec.dim());
        let mut scratch = Scratch::default();
        for row in (0..self.rows()).step_by(1 + self.rows() / 5) {
            let query = self.codec.prepare(&self.data[row * dim..][..dim]).unwrap();
            search(&self.graph, &codes, &query, self.graph.n(), &mut scratch);
            let found: Vec<u32> = scratch.candidates().map(|found| found.node).collect();
            assert!(found.iter().all(|node| self.live.contains(node)));
            assert_eq!(found.is_empty(), self.live.is_empty());
        }
    }
}

/// The nodes of all upper levels, read from the bytes.
fn upper_nodes(graph: &Graph) -> Vec<u32> {
    let bytes = graph.to_bytes();
    let words: Vec<u32> = bytes
        .chunks(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    let (n, m, levels) = (words[0] as usize, words[1] as usize, words[3] as usize);
    let mut at = 4 + levels + n * 2 * m;
    let mut nodes = Vec::new();
    for &count in &words[4..4 + levels] {
        nodes.extend_from_slice(&words[at..at + count as usize]);
        at += count as usize * (1 + m);
    }
    assert_eq!(at, words.len());
    nodes
}

fn world(kind: usize, rows: usize, built: usize, m: usize, seed: u64) -> World {
    let (data, dim) = hostile(kind, rows, seed);
    let (codec, _) = encode(&data, dim, Metric::L2);
    let params = Params::default()
        .with_m(m)
        .unwrap()
        .with_ef_construction(8)
        .unwrap()
        .with_seed(seed);
    let mut world = World {
        data,
        codec,
        params,
        graph: Graph::empty(&params),
        live: (0..built as u32).collect(),
    };
    world.graph = build(&world.codes(built), &params, 2);
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn live_rows_are_reachable_and_deleted_ones_are_gone(
        kind in 0usize..8,
        built in prop_oneof![0usize..4, 0usize..1000],
        m in 2usize..6,
        seed: u64,
        steps in prop::collection::vec(step(), 1..12),
    ) {
        let mut world = world(kind, 1200, built, m, seed);
        world.check();
        for step in &steps {
            world.take(step);
            world.check();
        }
    }
}

/// Rows that come one by one never pay for a walk over the graph, and lists of four links lose many.
#[test]
fn rows_inserted_one_by_one_displace_nobody() {
    for kind in 0..8 {
        let mut world = world(kind, 900, 500, 2, 3);
        for step in 0..400 {
            world.insert(1);
            assert_eq!(reached(&world.graph).len(), 501 + step, "data {kind}");
        }
        world.check();
    }
}

#[test]
fn a_panicking_progress_hook_changes_nothing() {
    let mut world = world(7, 900, 300, 4, 5);
    let codes = world.codes(900);
    let before = world.graph.clone();
    let panics = |done: Done| {
        if done.rows > 300 {
            panic!("stop")
        } else {
            ControlFlow::Continue(())
        }
    };
    let params = world.params;
    let graph = &mut world.graph;
    let insert = std::panic::AssertUnwindSafe(|| graph.insert(&codes, &params, &pool(2), &panics));
    assert!(std::panic::catch_unwind(insert).is_err());
    assert_eq!(world.graph, before);
}
