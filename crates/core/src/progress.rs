//! What a long call on a graph tells its caller, and how the caller stops it.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::Error;

/// Called from the pool's threads; `Break` stops the call with [`Error::Interrupted`](crate::Error::Interrupted).
pub type Progress<'a> = &'a (dyn Fn(Done) -> ControlFlow<()> + Sync);

/// `Break` if this is so: the answer of a callback that stops a call.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// use proxime_core::{Done, break_if};
///
/// let pressed = AtomicBool::new(true);
/// let progress = |_: Done| break_if(pressed.load(Ordering::Relaxed));
/// # let done = Done { step: proxime_core::Step::Merge, rows: 0, multiply_adds: 0 };
/// assert!(progress(done).is_break());
/// ```
pub fn break_if(stopped: bool) -> ControlFlow<()> {
    match stopped {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// What is being done. Upper levels are built beside level 0 and not reported.
    pub step: Step,
    /// Rows done, of all that the call is about.
    pub rows: usize,
    /// Multiply-adds in block products since the call began.
    pub multiply_adds: u64,
}

/// The steps of a call, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Rows are divided into leaves.
    Partition,
    /// Leaves are linked; the only step of a build that rows are counted in.
    Leaves,
    /// The lists of the leaves are merged.
    Merge,
    /// What cannot be reached is attached.
    Connect,
    /// Rows are inserted.
    Insert,
    /// Rows are repaired around what is deleted.
    Delete,
}

/// Progress counted by many threads; once asked to stop, it stays stopped.
pub(crate) struct Watch<'a> {
    progress: Progress<'a>,
    /// Times a row is counted before it is done.
    times: usize,
    counted: AtomicUsize,
    multiply_adds: AtomicU64,
    stop: AtomicBool,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(progress: Progress<'a>, times: usize) -> Self {
        Self {
            progress,
            times,
            counted: AtomicUsize::new(0),
            multiply_adds: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }

    /// Reports that a step begins, or that it goes on: at least every few thousand rows, for whoever waits for a stop.
    ///
    /// Errors: asked to stop, now or before.
    pub(crate) fn report(&self, step: Step) -> Result<(), Error> {
        let done = Done {
            step,
            rows: self.counted.load(Ordering::Relaxed) / self.times,
            multiply_adds: self.multiply_adds.load(Ordering::Relaxed),
        };
        if (self.progress)(done).is_break() {
            self.stop.store(true, Ordering::Relaxed);
        }
        match self.stopped() {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }

    /// Counts rows and reports.
    ///
    /// Errors: as [`report`](Watch::report).
    pub(crate) fn count(&self, step: Step, rows: usize) -> Result<(), Error> {
        self.counted.fetch_add(rows, Ordering::Relaxed);
        self.report(step)
    }

    /// Counts a product of `rows` with `columns` rows of `dim` codes.
    pub(crate) fn multiplied(&self, rows: usize, columns: usize, dim: usize) {
        let multiply_adds = rows as u64 * columns as u64 * dim as u64;
        self.multiply_adds
            .fetch_add(multiply_adds, Ordering::Relaxed);
    }

    /// Whether to leave the rest undone.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
