//! Adding to the log, from any number of threads.
//!
//! Frames are *queued* in the order in which they are to count. Whoever waits for one first becomes the *leader*: takes all that is
//! queued, writes it at once, syncs if the level asks for it, and tells the others. While that goes on the next group gathers.
//! There is no thread of our own.
//!
//! Two locks: the queue's for moments, the tail's by the leader alone and through its I/O. The first is never held while
//! the second is taken.
//!
//! A write that fails (a full disk) is taken back, and fails the frames of its group and those queued behind it, which were
//! numbered after them. A sync that fails poisons the store: nothing more is acknowledged until it is opened again.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};

use super::Durability;
use super::frame::{self, FRAME_BYTES_MAX, KIND_OWN};
use super::generation::Tail;
use crate::error::{Error, Result};
use crate::store::Shared;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// The log of an open store. Clones are the same log.
///
/// ```
/// use std::sync::Arc;
/// use proxime_storage::{Access, Durability, Error, MemVfs, Store};
///
/// let memory = MemVfs::new();
/// let (mut store, _) = Store::open(Arc::new(memory.clone()), Access::Create)?;
/// let (log, _) = store.recover(Durability::Always, |_| Ok::<_, Error>(()))?;
/// assert_eq!(log.append(0, 1, &[b"a batch, ", b"in pieces"])?, 1);
/// drop((store, log));
///
/// let (mut store, _) = Store::open(Arc::new(memory), Access::Write)?;
/// let mut found = Vec::new();
/// store.recover(Durability::Always, |frame| {
///     found.push((frame.seq, frame.payload.to_vec()));
///     Ok::<_, Error>(())
/// })?;
/// assert_eq!(found, [(1, b"a batch, in pieces".to_vec())]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    durability: Durability,
    queue: Mutex<Queue>,
    /// Told when a leader is done.
    done: Condvar,
    tail: Mutex<Tail>,
    /// Copies of what is in the tail, for those who may not wait for it.
    durable_seq: AtomicU64,
    bytes: AtomicU64,
}

#[derive(Debug)]
struct Queue {
    /// Pushed, not stamped.
    frames: Vec<u8>,
    next_seq: u64,
    /// Whose outcome the queued frames share.
    group: Arc<Group>,
    /// Somebody has the tail.
    led: bool,
    closed: bool,
    /// Why frames were last taken out of the queue unwritten.
    failure: Option<Failure>,
}

impl Queue {
    /// Errors: why another frame than `seq` is the last.
    fn check_last(&self, seq: u64) -> Result<()> {
        match &self.failure {
            Some(failure) if seq + 1 != self.next_seq => Err(failure.error()),
            _ => Ok(()),
        }
    }
}

/// Frames that are written together succeed or fail together.
#[derive(Debug, Default)]
struct Group {
    outcome: OnceLock<Result<(), Failure>>,
}

/// A frame that is queued. It is written with the next group even if nobody waits for it.
#[derive(Debug)]
#[must_use = "only `wait` tells whether the frame was written"]
pub struct Ticket {
    seq: u64,
    group: Arc<Group>,
}

impl Ticket {
    /// The number that the frame has unless it fails; then another frame gets it.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

/// Where a checkpoint cuts the log: made by [`Store::start_checkpoint`](crate::Store::start_checkpoint).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub(crate) generation: u64,
    pub(crate) last_seq: u64,
}

impl Checkpoint {
    /// The last frame before the cut: this one and all before it have to be in segments when the checkpoint is committed.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }
}

impl Log {
    pub(crate) fn new(shared: Arc<Shared>, durability: Durability, tail: Tail) -> Log {
        Log(Arc::new(Inner {
            shared,
            durability,
            queue: Mutex::new(Queue {
                frames: Vec::new(),
                next_seq: tail.written_seq + 1,
                group: Arc::default(),
                led: false,
                closed: false,
                failure: None,
            }),
            done: Condvar::new(),
            durable_seq: AtomicU64::new(tail.durable_seq),
            bytes: AtomicU64::new(tail.bytes()),
            tail: Mutex::new(tail),
        }))
    }

    /// Adds a frame whose payload is these pieces, and returns its seq when it is acknowledged as the level says.
    ///
    /// `kind` is below 128 and, like `collection`, means nothing here.
    ///
    /// Errors: the system's, and then the frame is not in the log, unless what failed was a sync: after that everything gives
    /// [`Error::Poisoned`], and the frame may or may not be found when the store is opened again; [`Error::Log`].
    pub fn append(&self, kind: u8, collection: u64, payload: &[&[u8]]) -> Result<u64> {
        self.wait(self.enqueue(kind, collection, payload)?)
    }

    /// The first half of [`append`](Log::append): decides the frame's place in the order, copies the payload, and does not wait for
    /// the disk unless 64 MiB are queued already. For callers that must decide the order under a lock of their own.
    pub fn enqueue(&self, kind: u8, collection: u64, payload: &[&[u8]]) -> Result<Ticket> {
        self.0.enqueue(None, kind, collection, payload)
    }

    /// The same for a frame that makes sense behind frame `seq` only, which may be queued, too.
    ///
    /// Errors: also those of the frames before it, if they have failed meanwhile.
    pub fn enqueue_after(
        &self,
        seq: u64,
        kind: u8,
        collection: u64,
        payload: &[&[u8]],
    ) -> Result<Ticket> {
        self.0.enqueue(Some(seq), kind, collection, payload)
    }

    /// The last frame that is queued or in the log. Less than before, when queued ones have failed.
    pub fn last_seq(&self) -> u64 {
        self.0.queue().next_seq - 1
    }

    /// The second half of [`append`](Log::append).
    pub fn wait(&self, ticket: Ticket) -> Result<u64> {
        self.0.wait(&ticket.group)?;
        Ok(ticket.seq)
    }

    /// Returns when everything that was acknowledged or queued before is durable.
    pub fn flush(&self) -> Result<()> {
        Leader::become_one(&self.0).commit(true)
    }

    /// The same for a caller who knows `seq` as the last frame.
    ///
    /// Errors: also those of frames up to there that have failed meanwhile.
    pub fn flush_after(&self, seq: u64) -> Result<()> {
        self.flush()?;
        self.0.queue().check_last(seq)
    }

    /// To be called about every 50 ms: syncs what [`Durability::Batch`] left unsynced; when there is nothing to sync, notes in the
    /// log what is durable, so that later damage to it cannot be taken for a torn end.
    pub fn tick(&self) -> Result<()> {
        Leader::become_one(&self.0).tick()
    }

    /// Every frame up to this one survives a loss of power.
    pub fn durable_seq(&self) -> u64 {
        self.0.durable_seq.load(Ordering::Relaxed)
    }

    /// Bytes logged since the last checkpoint was started. A log grows until there is one.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Makes the log durable and starts a new generation, unless the newest is empty.
    pub(crate) fn cut(&self) -> Result<Checkpoint> {
        Leader::become_one(&self.0).cut()
    }

    /// Makes the log durable; nothing can be added to it any more.
    pub(crate) fn close(&self) -> Result<()> {
        self.0.queue().closed = true;
        Leader::become_one(&self.0).sign_off()
    }
}

impl Inner {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it holds this lock, and if it did: every change to the queue is complete in itself.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tail; a leader that panicked has left it in an unknown state.
    fn tail(&self) -> Result<MutexGuard<'_, Tail>> {
        self.tail.lock().map_err(|_| Error::Poisoned)
    }

    fn enqueue(
        &self,
        after: Option<u64>,
        kind: u8,
        collection: u64,
        payload: &[&[u8]],
    ) -> Result<Ticket> {
        let too_large = Error::Log {
            problem: "a frame has at most 64 MiB, its head included",
        };
        let payload_bytes = payload.iter().map(|piece| piece.len());
        let payload_bytes = payload_bytes.fold(0, usize::saturating_add);
        let total = frame::total(payload_bytes).ok_or(too_large)?;
        if kind >= KIND_OWN {
            return Err(Error::Log {
                problem: "kinds from 128 on are the log's own",
            });
        }
        let mut queue = self.room_for(total);
        self.shared.not_poisoned()?;
        if queue.closed {
            return Err(Error::Log {
                problem: "it is closed",
            });
        }
        let seq = queue.next_seq;
        if let Some(after) = after {
            queue.check_last(after)?;
        }
        frame::push(&mut queue.frames, seq, kind, collection, payload);
        queue.next_seq += 1;
        Ok(Ticket {
            seq,
            group: Arc::clone(&queue.group),
        })
    }

    /// Keeps what is queued, or being gathered, to one large frame.
    fn room_for(&self, bytes: usize) -> MutexGuard<'_, Queue> {
        loop {
            let queue = self.queue();
            if queue.frames.is_empty() || (queue.frames.len() + bytes) as u64 <= FRAME_BYTES_MAX {
                return queue;
            }
            let group = Arc::clone(&queue.group);
            drop(queue);
            // Its own waiters learn what became of it.
            self.wait(&group).ok();
        }
    }

    fn wait(&self, group: &Group) -> Result<()> {
        let mut queue = self.queue();
        while queue.led && group.outcome.get().is_none() {
            queue = self
                .done
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if group.outcome.get().is_none() {
            queue.led = true;
            drop(queue);
            // The group is the one that is queued, and its outcome, looked at next, says the same.
            Leader { log: self }.commit(false).ok();
        }
        match group.outcome.get() {
            Some(outcome) => outcome.as_ref().copied().map_err(Failure::error),
            // Whoever took it out of the queue has panicked.
            None => Err(Error::Poisoned),
        }
    }
}

/// The one who has the tail, until dropped.
struct Leader<'a> {
    log: &'a Inner,
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.log.queue().led = false;
        self.log.done.notify_all();
    }
}

impl<'a> Leader<'a> {
    /// Waits for the one before.
    fn become_one(log: &'a Inner) -> Leader<'a> {
        let mut queue = log.queue();
        while queue.led {
            queue = log.done.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.led = true;
        Leader { log }
    }

    /// Writes what is queued, syncs if the level or `barrier` asks for it, and tells the group.
    fn commit(&self, barrier: bool) -> Result<()> {
        let mut queue = self.log.queue();
        let mut frames = std::mem::take(&mut queue.frames);
        let group = std::mem::take(&mut queue.group);
        let last_seq = queue.next_seq - 1;
        drop(queue);
        let written = self.write(&mut frames, last_seq, barrier);
        let outcome = written.as_ref().map_err(Failure::of);
        if let Err(failure) = &outcome {
            self.fail_queued(failure);
        }
        // Nobody else sets it: this leader has taken the group out of the queue.
        group.outcome.set(outcome.copied()).ok();
        written
    }

    fn write(&self, frames: &mut [u8], last_seq: u64, barrier: bool) -> Result<()> {
        let mut tail = self.log.tail()?;
        self.log.shared.not_poisoned()?;
        if let Err(e) = tail.write(frames, last_seq) {
            self.log.shared.poison(tail.cut())?;
            return Err(e);
        }
        let due = barrier
            || match self.log.durability {
                Durability::Always => true,
                Durability::Batch { bytes_max } => tail.unsynced_bytes >= bytes_max,
                Durability::Os => false,
            };
        if due && tail.unsynced_bytes > 0 {
            self.log.shared.poison(tail.sync())?;
        }
        self.publish(&tail);
        Ok(())
    }

    fn publish(&self, tail: &Tail) {
        self.log
            .durable_seq
            .store(tail.durable_seq, Ordering::Relaxed);
        self.log.bytes.store(tail.bytes(), Ordering::Relaxed);
    }

    /// What was queued behind a group that failed is numbered after it, and fails too.
    fn fail_queued(&self, failure: &Failure) {
        let written_seq = self.log.tail().map(|tail| tail.written_seq);
        let mut queue = self.log.queue();
        queue.frames.clear();
        if let Ok(written_seq) = written_seq {
            queue.next_seq = written_seq + 1;
        }
        let group = std::mem::take(&mut queue.group);
        group.outcome.set(Err(failure.clone())).ok();
        queue.failure = Some(failure.clone());
    }

    fn tick(&self) -> Result<()> {
        let barrier = self.log.durability != Durability::Os;
        let mut tail = self.log.tail()?;
        if (barrier && tail.unsynced_bytes > 0) || tail.noted_seq == tail.durable_seq {
            drop(tail);
            return self.commit(barrier);
        }
        self.log.shared.not_poisoned()?;
        if let Err(e) = tail.mark() {
            self.log.shared.poison(tail.cut())?;
            return Err(e);
        }
        Ok(())
    }

    fn cut(&self) -> Result<Checkpoint> {
        self.commit(true)?;
        let mut tail = self.log.tail()?;
        let last_seq = tail.written_seq;
        if tail.first_seq <= last_seq {
            let none = std::iter::empty();
            *tail = Tail::create(&self.log.shared, tail.generation + 1, last_seq + 1, none)?;
            self.publish(&tail);
        }
        Ok(Checkpoint {
            generation: tail.generation,
            last_seq,
        })
    }

    fn sign_off(&self) -> Result<()> {
        self.commit(true)?;
        // All is durable. What this adds helps to notice damage later; a disk without room for it is no reason to fail.
        self.log.tail()?.sign_off().ok();
        Ok(())
    }
}

/// An error for each of those whose frames failed together.
#[derive(Clone, Debug)]
enum Failure {
    Poisoned,
    Io {
        op: &'static str,
        path: PathBuf,
        kind: io::ErrorKind,
        os: Option<i32>,
    },
}

impl Failure {
    fn of(error: &Error) -> Failure {
        match error {
            Error::Io { op, path, source } => Failure::Io {
                op,
                path: path.clone(),
                kind: source.kind(),
                os: source.raw_os_error(),
            },
            _ => Failure::Poisoned,
        }
    }

    fn error(&self) -> Error {
        match self {
            Failure::Poisoned => Error::Poisoned,
            Failure::Io { op, path, kind, os } => Error::Io {
                op,
                path: path.clone(),
                source: os.map_or_else(|| io::Error::from(*kind), io::Error::from_raw_os_error),
            },
        }
    }
}
