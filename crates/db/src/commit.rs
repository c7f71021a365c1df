//! The one who writes: small batches to the log, everything else in segments that a commit names.
//!
//! A small batch is acknowledged when the log is synced as the durability level says, and from then on in the tail of its
//! collection. It is *queued* under the writer's mutex and waited for without, so that batches of several threads share a sync; each
//! is put on what those before it will have made of the database, and readers see that when it is acknowledged. If one fails, those
//! queued behind it do as well. A large one goes straight to a segment. It must not overtake what was logged before it, so the tail of its
//! collection is *sealed*, written to a segment, in the same commit; the manifest notes per collection up to which frame of the
//! log that is done. When no tail is left, the log is cut.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use proxime_storage::{Durability, Log, RecoveryReport, SegmentRef, Store, Ticket};
use roaring::RoaringBitmap;

use crate::compact::{Merge, Merged};
use crate::database::hold;
use crate::entry::Entry;
use crate::frame::{self, Joined};
use crate::merge::{Run, damaged};
use crate::pool::Workers;
use crate::record::versions::Versions;
use crate::seal::{self, LOG_BYTES_MAX, Lag, Seal};
use crate::segment::{LoggedRows, Segment};
use crate::snapshot::{Part, Snapshot, View};
use crate::sync::Mutex;
use crate::writer::{Checked, write_segment};
use crate::{Error, Result};

/// A store that is open for writing.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) store: Store,
    durability: Durability,
    log: SharedLog,
    /// The last frame that was found in the log.
    found_seq: u64,
    /// What was queued and may not be published yet, in order.
    queued: VecDeque<Queued>,
    /// The last frame that [`newest`](Writing::newest) had.
    built_on: u64,
    /// Counts what readers were or will be shown.
    version: u64,
    /// Sealing failed when the log had so many bytes: it is tried again when there are twice as many.
    failed_at: u64,
}

/// The log, once there has been something to write: opening alone changes nothing, unless the log was left as it should not be. For
/// the writer, and for those who sync while somebody else is the writer for long.
pub(crate) type SharedLog = Arc<Mutex<Option<Log>>>;

type Written = (SegmentRef, Segment);

/// Which collections were sealed, and where their rows are, if there are any left.
type Sealed = Vec<(u64, Option<SegmentRef>)>;

/// A database with a small batch that is on its way to the disk.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    seq: u64,
    pub(crate) version: u64,
    pub(crate) snapshot: Arc<Snapshot>,
}

/// How far a write has come.
pub(crate) enum Outcome {
    /// There was nothing to write.
    Nothing,
    /// In the queue of the log.
    Queued(View, Ticket),
    /// In a segment, durably.
    Committed(View),
}

/// What a commit adds to one collection.
struct Change<'a> {
    view: &'a View,
    /// The view's tail, written.
    tail: Option<Written>,
    newest: Option<Written>,
}

impl Writing {
    /// Takes what is in the log into the tails of `snapshot`.
    pub(crate) fn start(
        store: Store,
        durability: Durability,
        mut snapshot: Snapshot,
    ) -> Result<(Writing, Snapshot, RecoveryReport)> {
        let manifest = store.manifest().clone();
        let report = store.replay(|frame| snapshot.apply(&manifest, frame))?;
        let mut writing = Writing {
            store,
            durability,
            log: SharedLog::default(),
            found_seq: report.last_seq,
            queued: VecDeque::new(),
            built_on: 0,
            version: 0,
            failed_at: 0,
        };
        if !report.clean {
            // What was found may be in memory only: it is written again before anybody builds on it.
            writing.log()?;
        }
        Ok((writing, snapshot, report))
    }

    /// What the next write builds on. `published`: what readers see, and its version.
    pub(crate) fn newest(&mut self, (version, published): (u64, Arc<Snapshot>)) -> Arc<Snapshot> {
        self.built_on = self.last_seq();
        self.queued
            .retain(|queued| queued.version > version && queued.seq <= self.built_on);
        let newest = self.queued.back();
        newest.map_or(published, |queued| Arc::clone(&queued.snapshot))
    }

    /// Waits for what is queued: after this [`newest`](Writing::newest), as it was, is as good as acknowledged.
    ///
    /// Errors: those of the log, and then it is not.
    pub(crate) fn settle(&self) -> Result<()> {
        match self.opened_log() {
            Some(log) if !self.queued.is_empty() => Ok(log.flush_after(self.built_on)?),
            _ => Ok(()),
        }
    }

    /// The version of what is going to be published.
    pub(crate) fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Notes what a frame in the queue makes of the database.
    pub(crate) fn queue(&mut self, ticket: &Ticket, snapshot: Snapshot) -> Queued {
        let queued = Queued {
            seq: ticket.seq(),
            version: self.next_version(),
            snapshot: Arc::new(snapshot),
        };
        self.queued.push_back(queued.clone());
        queued
    }

    /// The last frame, queued ones included.
    fn last_seq(&self) -> u64 {
        self.opened_log()
            .map_or(self.found_seq, |log| log.last_seq())
    }

    /// The number of the next write. It has it if it is the next to add to the log, or [takes](Writing::take_seq) it.
    pub(crate) fn next_seq(&self) -> u64 {
        self.last_seq() + 1
    }

    /// Takes a number for what goes to segments, durably, and with it what was acknowledged before: at the weaker levels a
    /// segment must not survive that.
    pub(crate) fn take_seq(&mut self) -> Result<()> {
        let log = self.log()?;
        log.append(frame::NUMBER, 0, &[])?;
        Ok(log.flush()?)
    }

    /// To wait for a ticket, or to sync, while others write.
    pub(crate) fn shared_log(&self) -> SharedLog {
        Arc::clone(&self.log)
    }

    fn opened_log(&self) -> Option<Log> {
        hold(&self.log).clone()
    }

    fn log(&mut self) -> Result<Log> {
        if let Some(log) = self.opened_log() {
            return Ok(log);
        }
        let (log, _) = self
            .store
            .recover(self.durability, |_| Ok::<_, Error>(()))?;
        Ok(hold(&self.log).insert(log).clone())
    }

    /// Queues a small batch behind those that `view` has.
    pub(crate) fn log_batch(&mut self, view: &View, batch: LoggedRows) -> Result<Outcome> {
        let frame = frame::encode(&batch);
        let log = self.log()?;
        let ticket = log.enqueue_after(self.built_on, frame.kind, view.id, &frame.pieces())?;
        let versions = Versions::one(batch.ids.rows(), ticket.seq());
        let rows = Segment::in_memory(batch, versions, view.config.dim).map_err(damaged)?;
        Ok(Outcome::Queued(view.with_logged(rows)?, ticket))
    }

    /// Makes several small batches durable at once: those that made `next` of what there was.
    ///
    /// Errors: the system's; then none of them is.
    pub(crate) fn log_joined(
        &mut self,
        next: Snapshot,
        joined: &Joined,
        changed: &BTreeSet<u64>,
        workers: &Workers,
    ) -> Result<Snapshot> {
        if joined.as_bytes().is_empty() {
            return Ok(next);
        }
        if joined.as_bytes().len() > frame::BYTES_MAX {
            let sealed = self.seal(&next, workers, |view| changed.contains(&view.id))?;
            return Ok(sealed.unwrap_or(next));
        }
        self.log()?.append(frame::JOINED, 0, &[joined.as_bytes()])?;
        Ok(next)
    }

    /// Makes a large batch durable.
    pub(crate) fn write_batch(
        &mut self,
        snapshot: &Snapshot,
        view: &View,
        workers: &Workers,
        batch: Checked<'_>,
    ) -> Result<Outcome> {
        self.settle()?;
        let batch = batch.numbered(self.next_seq());
        let newest = write_segment(&self.store, workers, view.id, &view.config, batch)?;
        let tail = self.write_tail(view, workers);
        let tail = tail.inspect_err(|_| self.store.discard([newest.0.clone()]))?;
        let others = snapshot
            .collections
            .iter()
            .filter(|other| other.id != view.id);
        let log_done = !others.into_iter().any(|other| other.has_tail());
        let change = Change {
            view,
            tail,
            newest: Some(newest),
        };
        let views = self.commit(vec![change], log_done)?;
        let view = views.into_iter().next().ok_or(Error::Closed)?;
        Ok(Outcome::Committed(view))
    }

    /// How much there is to seal, given a collection as it is going to be. None soon after sealing has failed.
    pub(crate) fn lag(&self, view: &View) -> Lag {
        match self.log_bytes() {
            bytes if bytes < self.failed_at.saturating_mul(2) => Lag::None,
            bytes => seal::lag(view, bytes),
        }
    }

    fn log_bytes(&self) -> u64 {
        self.opened_log().map_or(0, |log| log.bytes())
    }

    /// Freezes the tails that have become large, or every tail for a log that has. `None`: there are none.
    pub(crate) fn freeze_due(&mut self, snapshot: &Snapshot) -> Result<Option<(Seal, Snapshot)>> {
        let due: Vec<u64> = self.due(snapshot).collect();
        match due.is_empty() {
            true => Ok(None),
            false => self.freeze(snapshot, |view| due.contains(&view.id)),
        }
    }

    fn due(&self, snapshot: &Snapshot) -> impl Iterator<Item = u64> {
        let large = self.log_bytes() >= LOG_BYTES_MAX;
        let due = move |entry: &&Arc<Entry>| match entry.read_view() {
            Some(view) => self.lag(view) >= Lag::Due,
            None => large,
        };
        snapshot
            .collections
            .iter()
            .filter(due)
            .map(|entry| entry.id)
    }

    /// Keeps the tails of the collections that `due` picks apart from what is written next, and cuts the log if that is all it has.
    /// `None`: there is nothing to seal.
    ///
    /// Errors: the system's; damage in what was not read yet.
    pub(crate) fn freeze(
        &mut self,
        snapshot: &Snapshot,
        due: impl Fn(&View) -> bool,
    ) -> Result<Option<(Seal, Snapshot)>> {
        let (mut tails, mut all, mut next) = (Vec::new(), true, snapshot.clone());
        for entry in snapshot.collections.iter().filter(|entry| entry.has_tail()) {
            let view = entry.view()?;
            if due(view) {
                let frozen = view.frozen();
                tails.push(Merge::new(&frozen, frozen.tail()));
                next = next.with(frozen);
            } else {
                all = false;
            }
        }
        if tails.is_empty() {
            return Ok(None);
        }
        self.log()?;
        let log_bytes = self.log_bytes();
        let checkpoint = match all {
            true => Some(self.store.start_checkpoint()?),
            false => None,
        };
        let seq = self.last_seq();
        let seal = Seal {
            tails,
            seq,
            checkpoint,
            log_bytes,
        };
        Ok(Some((seal, next)))
    }

    /// Puts the segments that were written of frozen tails in their places, all in one commit.
    ///
    /// Errors: those of `outcome`; the system's. Then the segments are gone, and the tails stay.
    pub(crate) fn end_seal(
        &mut self,
        snapshot: &Snapshot,
        seal: &Seal,
        written: Vec<Merged>,
        outcome: Result<()>,
    ) -> Result<Snapshot> {
        let ended = self.place_tails(snapshot, seal, written, outcome);
        let ended = ended.and_then(|(next, sealed)| self.commit_seal(seal, sealed).map(|()| next));
        self.failed_at = match &ended {
            // Nothing is wrong with it if somebody has stopped it.
            Ok(_) | Err(Error::Interrupted) => 0,
            Err(_) => seal.log_bytes,
        };
        ended
    }

    /// The snapshot with segments in place of tails, and which they are, by collection.
    ///
    /// Errors: as [`end_seal`](Writing::end_seal).
    fn place_tails(
        &self,
        snapshot: &Snapshot,
        seal: &Seal,
        written: Vec<Merged>,
        outcome: Result<()>,
    ) -> Result<(Snapshot, Sealed)> {
        let files: Vec<_> = written.iter().filter_map(Merged::file).cloned().collect();
        let place = || {
            outcome?;
            // What hides rows of theirs may be in the log only.
            self.flush()?;
            let (mut next, mut sealed) = (snapshot.clone(), Vec::new());
            for (tail, merged) in seal.tails.iter().zip(written) {
                let file = merged.file().cloned();
                let view = snapshot.by_id(tail.collection_id)?;
                if let Some((view, place)) = view.and_then(|view| Some((view, tail.place(view)?))) {
                    let part = merged.into_part(view, &place);
                    next = next.with(view.with_merged(place, part));
                    sealed.push((tail.collection_id, file));
                } else {
                    // It was dropped, or sealed by somebody else.
                    self.store.discard(file);
                }
            }
            Ok((next, sealed))
        };
        place().inspect_err(|_| self.store.discard(files))
    }

    fn commit_seal(&mut self, seal: &Seal, sealed: Sealed) -> Result<()> {
        let edit = |manifest: &mut proxime_storage::Manifest| {
            for (id, file) in sealed {
                if let Some(stored) = manifest.collection_mut(id) {
                    stored.segments.extend(file);
                    stored.applied_seq = seal.seq;
                }
            }
        };
        match seal.checkpoint {
            Some(cut) if self.store.is_ahead(&cut) => self.store.commit_checkpoint(cut, edit)?,
            _ => self.store.commit(edit)?,
        }
        Ok(())
    }

    /// Seals the tails of the collections that `due` picks. `None`: there was nothing to do.
    pub(crate) fn seal(
        &mut self,
        snapshot: &Snapshot,
        workers: &Workers,
        due: impl Fn(&View) -> bool,
    ) -> Result<Option<Snapshot>> {
        let (mut changes, mut log_done) = (Vec::new(), true);
        for entry in snapshot.collections.iter().filter(|entry| entry.has_tail()) {
            let view = entry.view().inspect_err(|_| self.discard(&changes))?;
            if !due(view) {
                log_done = false;
                continue;
            }
            match self.write_tail(view, workers) {
                Ok(tail) => changes.push(Change {
                    view,
                    tail,
                    newest: None,
                }),
                Err(e) => {
                    self.discard(&changes);
                    return Err(e);
                }
            }
        }
        if changes.is_empty() {
            return Ok(None);
        }
        let views = self.commit(changes, log_done)?;
        Ok(Some(
            views
                .into_iter()
                .fold(snapshot.clone(), |snapshot, view| snapshot.with(view)),
        ))
    }

    /// The tail of a collection as a segment; none if nothing is left of it.
    fn write_tail(&self, view: &View, workers: &Workers) -> Result<Option<Written>> {
        let (sealed, tail) = view.sealed_and_tail();
        let run = Run::new(tail, view.config.dim);
        let batch = run.checked(sealed.is_empty(), None)?;
        let write = |batch| write_segment(&self.store, workers, view.id, &view.config, batch);
        batch.map(write).transpose()
    }

    /// Commits segments. `log_done`: with them nothing is left that is in the log only.
    ///
    /// Errors: the system's, and then the segments are gone.
    fn commit(&mut self, changes: Vec<Change<'_>>, log_done: bool) -> Result<Vec<View>> {
        let checkpoint = self.take_seq().and_then(|()| match log_done {
            true => Ok(Some(self.store.start_checkpoint()?)),
            false => Ok(None),
        });
        let checkpoint = checkpoint.inspect_err(|_| self.discard(&changes))?;
        let last_seq = self.last_seq();
        let edit = |manifest: &mut proxime_storage::Manifest| {
            for change in &changes {
                if let Some(stored) = manifest.collection_mut(change.view.id) {
                    stored.segments.extend(change.segments().cloned());
                    stored.applied_seq = last_seq;
                }
            }
        };
        match checkpoint {
            Some(checkpoint) => self.store.commit_checkpoint(checkpoint, edit)?,
            None => self.store.commit(edit)?,
        }
        Ok(changes.into_iter().map(Change::into_view).collect())
    }

    /// Puts what a merge has written in the place of what it was made of.
    ///
    /// Errors: the system's, and then the segment is gone.
    pub(crate) fn replace(
        &mut self,
        snapshot: &Snapshot,
        merge: &Merge,
        merged: Merged,
    ) -> Result<Snapshot> {
        let view = snapshot.by_id(merge.collection_id)?;
        let written = merged.file().cloned();
        let Some((view, place)) = view.and_then(|view| Some((view, merge.place(view)?))) else {
            // The collection was dropped meanwhile.
            self.store.discard(written);
            return Ok(snapshot.clone());
        };
        // What makes its rows hidden may be in the log only.
        let flushed = self.flush();
        flushed.inspect_err(|_| self.store.discard(written.clone()))?;
        let part = merged.into_part(view, &place);
        let old: Vec<u64> = merge.files().collect();
        self.store.commit(|manifest| {
            if let Some(stored) = manifest.collection_mut(merge.collection_id) {
                let at = stored
                    .segments
                    .iter()
                    .position(|segment| old.contains(&segment.file_id));
                stored
                    .segments
                    .retain(|segment| !old.contains(&segment.file_id));
                let at = at.unwrap_or(stored.segments.len());
                stored.segments.splice(at..at, written);
            }
        })?;
        Ok(snapshot.with(view.with_merged(place, part)))
    }

    fn discard(&self, changes: &[Change<'_>]) {
        self.store
            .discard(changes.iter().flat_map(Change::segments).cloned());
    }

    /// Makes everything that was acknowledged durable.
    pub(crate) fn flush(&self) -> Result<()> {
        Ok(self.opened_log().map_or(Ok(()), |log| log.flush())?)
    }

    /// Makes the log durable and lets the next writer in.
    pub(crate) fn close(self) -> Result<()> {
        drop(hold(&self.log).take());
        Ok(self.store.close()?)
    }
}

impl Change<'_> {
    fn segments(&self) -> impl Iterator<Item = &SegmentRef> {
        self.tail
            .iter()
            .chain(&self.newest)
            .map(|(pinned, _)| pinned)
    }

    fn into_view(self) -> View {
        let tail = self
            .tail
            .map(|(_, segment)| Part::new(segment, RoaringBitmap::new()));
        let sealed = self.view.with_merged(self.view.tail(), tail);
        match self.newest {
            Some((_, segment)) => sealed.with_newest(segment),
            None => sealed,
        }
    }
}
