//! The threads in the background: one seals tails, one merges segments, one syncs at the level that wants that.
//!
//! Each is started when there is first something for it to do, and ends when the database is closed. They hold nothing that
//! keeps a database open, so dropping the last handle closes it whatever they are doing. A write wakes them. Before the next one, if they are too
//! far behind by then, it does what is due itself, or waits for whoever does.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::database::{Inner, Shared, hold};
use crate::seal::Lag;
use crate::snapshot::View;
use crate::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use crate::sync::thread::{self, JoinHandle};
use crate::{Error, Progress, Result, Stage, compact, pool};

/// How often the log is synced at [`Durability::Batch`](crate::Durability::Batch).
const TICK: Duration = Duration::from_millis(50);

/// The threads that there are.
#[derive(Debug, Default)]
pub(crate) struct Background {
    ticks: Option<Thread>,
    seals: Option<Thread>,
    merges: Option<Thread>,
}

impl Background {
    /// Syncs the log from time to time.
    pub(crate) fn with_ticks(shared: &Arc<Shared>) -> Result<Background> {
        let ticks = Thread::start(shared, "proxime-sync", |shared, woken| {
            // A failed sync has poisoned the store: the next write says so.
            while woken.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                shared.upgrade().inspect(|shared| shared.tick());
            }
        })?;
        Ok(Background {
            ticks: Some(ticks),
            ..Background::default()
        })
    }

    /// Without a thread, for want of one, whoever is held back does its work.
    fn seal(&mut self, shared: &Arc<Shared>) {
        wake(&mut self.seals, shared, "proxime-seal", |s| {
            s.seal_due(None)
        });
    }

    fn merge(&mut self, shared: &Arc<Shared>) {
        wake(&mut self.merges, shared, "proxime-merge", |s| {
            s.merge_due(None)
        });
    }

    /// Returns when the threads have stopped. The database must be closed, or they go on to the end of what they do.
    pub(crate) fn stop(self) {
        for thread in [self.ticks, self.seals, self.merges].into_iter().flatten() {
            drop(thread.wake);
            thread.handle.join().ok();
        }
    }
}

#[derive(Debug)]
struct Thread {
    wake: SyncSender<()>,
    handle: JoinHandle<()>,
}

impl Thread {
    fn start(
        shared: &Arc<Shared>,
        name: &str,
        run: impl FnOnce(Weak<Shared>, Receiver<()>) + Send + 'static,
    ) -> Result<Thread> {
        let (wake, woken) = sync_channel(1);
        let shared = Arc::downgrade(shared);
        let handle = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                pool::step_back();
                run(shared, woken);
            })
            .map_err(|error| Error::Threads {
                reason: error.to_string(),
            })?;
        Ok(Thread { wake, handle })
    }

    /// Whether it was there to be woken. If it is about to look anyway, there is no room for more.
    fn wake(&self) -> bool {
        !matches!(self.wake.try_send(()), Err(TrySendError::Disconnected(())))
    }
}

/// Has a thread do what is due, until nothing is: whatever fails, for want of room or because the database is closed, is tried again after
/// a later write, by another thread if this one has panicked.
fn wake(
    thread: &mut Option<Thread>,
    shared: &Arc<Shared>,
    name: &str,
    due: fn(&Shared) -> Result<bool>,
) {
    if thread.as_ref().is_some_and(Thread::wake) {
        return;
    }
    let run = move |shared: Weak<Shared>, woken: Receiver<()>| {
        while woken.recv().is_ok() {
            if let Some(shared) = shared.upgrade() {
                while due(&shared).unwrap_or(false) {}
            }
        }
    };
    *thread = Thread::start(shared, name, run).ok();
    thread.as_ref().map(Thread::wake);
}

impl Inner {
    /// Holds back who wants to write to a collection as long as the background is too far behind.
    ///
    /// Errors: interrupted by `progress`.
    pub(crate) fn wait_for_background(
        &self,
        id: u64,
        progress: Option<Progress<'_>>,
    ) -> Result<()> {
        // The write is going to say why. In a forked child, locks may be held by threads that are not there.
        if self.check_writable().is_err() {
            return Ok(());
        }
        let told = progress
            .map(|progress| move |_: Stage, _: usize, rows: usize| progress(Stage::Wait, 0, rows));
        let progress = told.as_ref().map(|told| told as Progress<'_>);
        // What fails is tried again later, by whoever is next.
        let went_on = |outcome: Result<bool>| match outcome {
            Err(Error::Interrupted) if !self.closed.load(Ordering::Acquire) => {
                Err(Error::Interrupted)
            }
            outcome => Ok(outcome.unwrap_or(false)),
        };
        if self.lag(id) == Lag::Far {
            went_on(self.seal_due(progress))?;
        }
        while self.is(id, compact::is_over_budget) && went_on(self.merge_due(progress))? {}
        Ok(())
    }

    /// Whether a write to a collection would be held back now. One that is refused is not: in a forked child, locks may be held by
    /// threads that are not there.
    pub(crate) fn holds_back(&self, id: u64) -> bool {
        let is_behind = || self.lag(id) == Lag::Far || self.is(id, compact::is_over_budget);
        self.check_writable().is_ok() && is_behind()
    }

    /// Has the background do what is due in a collection.
    pub(crate) fn wake_background(&self, id: u64) {
        if self.lag(id) >= Lag::Due {
            hold(&self.background).seal(&self.0);
        }
        if self.is(id, |view| compact::due(view).is_some()) {
            hold(&self.background).merge(&self.0);
        }
    }

    fn is(&self, id: u64, what: fn(&View) -> bool) -> bool {
        let snapshot = self.snapshot();
        snapshot.is_ok_and(|s| s.by_id(id).ok().flatten().is_some_and(|view| what(view)))
    }
}
