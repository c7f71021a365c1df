//! A build asks whether to stop, in every step and however long it is, and stops.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use proxime_core::{Done, Error, Graph, Params, Step};
use proxime_simd::Metric;

use crate::support::{encode, mixture, pool};

/// Enough for sketches and for clusters that are divided.
const ROWS: usize = 12_000;
const DIM: usize = 256;

/// Rows of a step that nobody waits for longer than a moment.
const ROWS_BETWEEN: usize = 4096;

#[test]
fn every_step_asks_every_few_thousand_rows() {
    let (_, codes) = encode(&mixture(ROWS, DIM, 3), DIM, Metric::L2);
    let asked = Mutex::new(BTreeMap::<String, usize>::new());
    let count = |done: Done| {
        let mut asked = asked.lock().unwrap();
        *asked.entry(format!("{:?}", done.step)).or_default() += 1;
        ControlFlow::Continue(())
    };
    Graph::build(&codes, &Params::default(), &pool(2), &count).unwrap();
    let asked = asked.into_inner().unwrap();
    // Rows are sketched and given to clusters; pruned and united.
    for (step, passes) in [(Step::Partition, 2), (Step::Leaves, 1), (Step::Merge, 2)] {
        let asked = asked.get(&format!("{step:?}")).copied().unwrap_or(0);
        let least = passes * ROWS / ROWS_BETWEEN;
        assert!(asked >= least, "{step:?}: asked {asked} times, not {least}");
    }
}

#[test]
fn whenever_it_is_told_to_it_stops() {
    let (_, codes) = encode(&mixture(ROWS / 2, DIM, 3), DIM, Metric::L2);
    let calls = |stop_at: usize| {
        let calls = AtomicUsize::new(0);
        let stop = |_: Done| match calls.fetch_add(1, Ordering::Relaxed) {
            // Once is enough: whoever asks again is told to go on.
            call if call == stop_at => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let built = Graph::build(&codes, &Params::default(), &pool(2), &stop);
        (built, calls.into_inner())
    };
    let (built, all) = calls(usize::MAX);
    assert!(built.is_ok() && all > 40, "{all} calls");
    for stop_at in (0..all).step_by(all / 10).chain([all - 1]) {
        let (built, made) = calls(stop_at);
        assert_eq!(built, Err(Error::Interrupted), "at call {stop_at} of {all}");
        // What the other thread was in the middle of, and no more.
        assert!(
            made <= stop_at + 4,
            "{made} calls, told to stop at {stop_at}"
        );
    }
}
