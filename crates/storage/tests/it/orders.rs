//! Runs something in many orders of its threads: at random, and with few but ill-chosen changes of thread (PCT, Burckhardt et al. 2010).

use std::sync::Arc;
use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, rand::Rng};

/// Changes of thread that a bug may need.
const DEPTH: usize = 3;

/// As many orders as there is time for. A failure says how to run that order again.
pub(crate) fn explore(name: &str, run: impl Fn() + Send + Sync + 'static) {
    let seconds = std::env::var("PROXIME_TORTURE_SECONDS").map_or(2.0, |s| s.parse().unwrap());
    let config = || {
        let mut config = Config::new();
        config.max_time = Some(Duration::from_secs_f64(seconds / 2.0));
        config.stack_size = 1 << 20;
        config
    };
    let run = Arc::new(run);
    let (a, b) = (Arc::clone(&run), run);
    let random = Runner::new(RandomScheduler::new(usize::MAX), config()).run(move || a());
    let pct = Runner::new(PctScheduler::new(DEPTH, usize::MAX), config()).run(move || b());
    assert!(random > 0 && pct > 0);
    println!(
        "orders of threads: {name}: {} at random, {} by PCT; 0 wrong",
        random, pct
    );
}

/// A number below `limit` that belongs to the order.
pub(crate) fn choose(limit: usize) -> usize {
    shuttle::rand::thread_rng().gen_range(0..limit)
}
