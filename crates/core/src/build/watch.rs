//! How far a build is, and whether it should stop.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::Progress;

/// Progress counted by many threads; once asked to stop, it stays stopped.
pub(crate) struct Watch<'a> {
    progress: Progress<'a>,
    /// Times a row is counted before it is done.
    times: usize,
    counted: AtomicUsize,
    stop: AtomicBool,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(progress: Progress<'a>, times: usize) -> Self {
        Self {
            progress,
            times,
            counted: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        }
    }

    /// Counts rows and reports.
    pub(crate) fn count(&self, rows: usize) {
        let counted = self.counted.fetch_add(rows, Ordering::Relaxed) + rows;
        if (self.progress)(counted / self.times).is_break() {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Whether to leave the rest undone.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
