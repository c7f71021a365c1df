//! A stopwatch for the steps of a build, which tell of themselves only that they go on.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use proxime_core::{Done, Step};
use serde::Serialize;

/// A step, from its first report to that of the next.
#[derive(Serialize)]
pub(crate) struct Stage {
    pub(crate) step: &'static str,
    pub(crate) seconds: f64,
    /// In block products. Those of upper levels, built beside, are not in it.
    pub(crate) multiply_adds: u64,
}

/// Hears of steps in their order, from any thread.
pub(crate) struct Stopwatch {
    begun: Mutex<Vec<Begun>>,
}

struct Begun {
    step: &'static str,
    at: Instant,
    /// Since the call began, when it was last heard of.
    multiply_adds: u64,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            begun: Mutex::default(),
        }
    }

    /// A step of the caller's own begins.
    pub(crate) fn begin(&self, step: &'static str) {
        self.note(step, 0);
    }

    /// To be called by the progress hook; never stops anything.
    pub(crate) fn hear(&self, done: Done) -> ControlFlow<()> {
        self.note(name(done.step), done.multiply_adds);
        ControlFlow::Continue(())
    }

    fn note(&self, step: &'static str, multiply_adds: u64) {
        let at = Instant::now();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        match begun.last_mut() {
            Some(last) if last.step == step => {
                last.multiply_adds = last.multiply_adds.max(multiply_adds);
            }
            // What a step has not told of itself before the next began was done by then.
            last => {
                if let Some(last) = last {
                    last.multiply_adds = last.multiply_adds.max(multiply_adds);
                }
                begun.push(Begun {
                    step,
                    at,
                    multiply_adds,
                });
            }
        }
    }

    /// The last step ends now.
    pub(crate) fn stop(self) -> Vec<Stage> {
        let end = Instant::now();
        let begun = self
            .begun
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let ends = begun.iter().skip(1).map(|next| next.at).chain([end]);
        let mut before = 0;
        let stage = |(this, end): (&Begun, Instant)| Stage {
            step: this.step,
            seconds: (end - this.at).as_secs_f64(),
            multiply_adds: this.multiply_adds - std::mem::replace(&mut before, this.multiply_adds),
        };
        begun.iter().zip(ends).map(stage).collect()
    }
}

fn name(step: Step) -> &'static str {
    match step {
        Step::Partition => "partition",
        Step::Leaves => "leaves",
        Step::Merge => "merge",
        Step::Connect => "connect",
        Step::Insert => "insert",
        Step::Delete => "delete",
    }
}
