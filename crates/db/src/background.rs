//! The thread in the background: merges, and syncs at the level that wants that.
//!
//! It is started by the first write that leaves something to merge, or by opening at that level, and ends when the database is closed. It holds nothing that
//! keeps a database open, so dropping the last handle closes it whatever the thread is doing.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::{JoinHandle, ScopedJoinHandle};
use std::time::Duration;

use crate::compact;
use crate::database::{Inner, Shared, hold};
use crate::snapshot::Snapshot;
use crate::{Error, Result};

/// How often the log is synced at [`Durability::Batch`].
const TICK: Duration = Duration::from_millis(50);

/// The thread that merges in the background, and syncs at the level that wants that. It holds nothing that keeps a database open.
#[derive(Debug)]
pub(crate) struct Background {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Background {
    /// `ticks`: it also syncs the log from time to time.
    pub(crate) fn start(shared: &Arc<Shared>, ticks: bool) -> Result<Background> {
        let (wake, woken) = sync_channel(1);
        let shared = Arc::downgrade(shared);
        let thread = std::thread::Builder::new()
            .name("proxime-background".to_owned())
            .spawn(move || match ticks {
                true => run_ticking(&shared, &woken),
                false => run(&shared, &woken),
            })
            .map_err(|error| Error::Threads {
                reason: error.to_string(),
            })?;
        Ok(Background { wake, thread })
    }

    pub(crate) fn wake(&self) {
        // It is full if the thread is about to look anyway.
        self.wake.try_send(()).ok();
    }

    /// Returns when the thread has stopped. The database must be closed, or it goes on to the end of a merge.
    pub(crate) fn stop(self) {
        drop(self.wake);
        self.thread.join().ok();
    }
}

fn run(shared: &Weak<Shared>, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        merge_all(shared);
    }
}

/// The same, with a sync in between. A merge can be long: it goes on beside.
fn run_ticking(shared: &Weak<Shared>, woken: &Receiver<()>) {
    std::thread::scope(|scope| {
        let mut merging: Option<ScopedJoinHandle<'_, ()>> = None;
        loop {
            match woken.recv_timeout(TICK) {
                Ok(()) if merging.as_ref().is_none_or(ScopedJoinHandle::is_finished) => {
                    merging = Some(scope.spawn(|| merge_all(shared)));
                }
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => {
                    // A failed sync has poisoned the store: the next write says so.
                    if let Some(shared) = shared.upgrade() {
                        shared.tick();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    });
}

/// What fails, for want of room or because the database is closed, is tried again after the next write.
fn merge_all(shared: &Weak<Shared>) {
    if let Some(shared) = shared.upgrade() {
        while shared.merge_due().unwrap_or(false) {}
    }
}

impl Inner {
    /// Has the background look at a collection, if there is something to merge.
    pub(crate) fn merge_later(&self, id: u64) {
        let due = |snapshot: Arc<Snapshot>| {
            snapshot
                .by_id(id)
                .ok()
                .flatten()
                .and_then(|view| compact::due(view))
                .is_some()
        };
        if !self.snapshot().is_ok_and(due) {
            return;
        }
        let mut background = hold(&self.background);
        if background.is_none() {
            // Without a thread there is nothing wrong but more segments than need be.
            *background = Background::start(&self.0, false).ok();
        }
        background.iter().for_each(Background::wake);
    }
}
