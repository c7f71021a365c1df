//! The store's part in the log: replaying it, and the order in which log, segments and manifest change at a checkpoint.
//!
//! A checkpoint: the log is made durable and cut ([`Store::start_checkpoint`]); what was logged before the cut is written to
//! segments by the layer above, while appending goes on behind it; a manifest names the segments and, as the oldest log that
//! counts, the one behind the cut ([`Store::commit_checkpoint`]); the older ones are removed. Until that manifest is there the old
//! logs count and the segments do not; from then on it is the other way round. So no frame is applied twice and none is missing.

use std::sync::Arc;

use super::{Access, Store, list, newest};
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::names::Name;
use crate::wal::{Checkpoint, Durability, Frame, Log, RecoveryReport, Scan, Tail};

impl Store {
    /// Hands on every frame that is in the log and not in segments, in order, and opens the log for adding to it.
    ///
    /// Nothing is handed on unless the whole log is accepted, and nothing is written unless `apply` accepts every frame. Then
    /// they are copied into a log of this life and a manifest names it: this makes durable what was just handed on, even if it
    /// was only in memory after a failed sync.
    ///
    /// Errors: damage; the system's; those of `apply`; [`Error::Log`] the second time.
    pub fn recover<E: From<Error>>(
        &mut self,
        durability: Durability,
        mut apply: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(Log, RecoveryReport), E> {
        self.writable()?;
        if self.log.is_some() {
            let problem = "it is open already";
            return Err(Error::Log { problem }.into());
        }
        let names = list(&*self.shared.vfs)?;
        let scan = self.scan(&names)?;
        let report = self.hand_on(&scan, &mut apply)?;
        let log = self.start_log(&scan, durability)?;
        let older = |name: &Name| matches!(name, Name::Log(g) if *g < scan.next_generation);
        self.shared.remove(names.into_iter().filter(older));
        Ok((log, report))
    }

    /// Hands on every frame that is in the log and not in segments, in order, and changes nothing. To a reader what follows the
    /// last whole frame may be in the making; a writer who goes on from here without [`recover`](Store::recover) may do so
    /// only if the report says that the log is clean.
    ///
    /// Errors: damage; for a reader, a log that newer commits have done away with: then look at the newer one. Those of `apply`.
    pub fn replay<E: From<Error>>(
        &self,
        mut apply: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<RecoveryReport, E> {
        let names = list(&*self.shared.vfs)?;
        self.hand_on(&self.scan(&names)?, &mut apply)
    }

    fn hand_on<E>(
        &self,
        scan: &Scan,
        apply: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<RecoveryReport, E> {
        let mut report = RecoveryReport {
            last_seq: scan.last_seq,
            clean: scan.clean,
            torn: scan.torn.clone(),
            removed: self.swept.clone(),
            ..RecoveryReport::default()
        };
        for frame in scan.frames() {
            apply(frame)?;
            report.replayed += 1;
        }
        Ok(report)
    }

    /// Whether a newer commit is there than this one.
    pub fn is_overtaken(&self) -> Result<bool> {
        Ok(newest(&list(&*self.shared.vfs)?) != Some(self.manifest.number))
    }

    pub(super) fn scan(&self, names: &[Name]) -> Result<Scan> {
        let shared = &self.shared;
        Scan::read(
            &*shared.vfs,
            shared.store,
            &self.manifest,
            names,
            self.access,
        )
    }

    /// A generation with what was found, and a manifest that names it.
    fn start_log(&mut self, scan: &Scan, durability: Durability) -> Result<Log> {
        let (generation, first_seq) = (scan.next_generation, self.manifest.last_seq + 1);
        let tail = Tail::create(&self.shared, generation, first_seq, scan.frames())?;
        let log = Log::new(Arc::clone(&self.shared), durability, tail);
        self.log = Some(log.clone());
        let mut next = (*self.manifest).clone();
        next.wal_first_gen = generation;
        self.make_current(next).inspect_err(|_| self.log = None)?;
        Ok(log)
    }

    /// Makes the log durable and cuts it. Everything up to [`Checkpoint::last_seq`] then has to go into segments.
    ///
    /// Errors: the system's, and the log goes on as it was; [`Error::Poisoned`]; [`Error::Log`] without a log.
    pub fn start_checkpoint(&self) -> Result<Checkpoint> {
        self.writable()?;
        self.log()?.cut()
    }

    /// Whether no later checkpoint has been committed.
    pub fn is_ahead(&self, checkpoint: &Checkpoint) -> bool {
        checkpoint.generation >= self.manifest.wal_first_gen
    }

    /// A [`commit`](Store::commit) of segments that hold everything up to the checkpoint. The logs before it are removed.
    ///
    /// Errors: as for a commit, and then the old logs still count; another checkpoint can be started.
    pub fn commit_checkpoint(
        &mut self,
        checkpoint: Checkpoint,
        edit: impl FnOnce(&mut Manifest),
    ) -> Result<()> {
        self.writable()?;
        self.log()?;
        let old = Arc::clone(&self.manifest);
        if !self.is_ahead(&checkpoint) {
            let problem = "a later checkpoint has been committed";
            return Err(Error::Log { problem });
        }
        let mut next = (*old).clone();
        edit(&mut next);
        (next.wal_first_gen, next.last_seq) = (checkpoint.generation, checkpoint.last_seq);
        self.make_current(next)?;
        let older = old.wal_first_gen..checkpoint.generation;
        self.shared.remove(older.map(Name::Log));
        Ok(())
    }

    /// Makes the log durable and notes that it is complete, so that no damage to it can go unnoticed. Without a log there is
    /// nothing to do. Dropping a store instead loses nothing that was acknowledged, as far as the level goes; the
    /// lock is then held until every clone of the log is dropped as well.
    ///
    /// Errors: the system's, and then what the level does not promise may be lost.
    pub fn close(mut self) -> Result<()> {
        let Some(log) = self.log.take() else {
            return Ok(());
        };
        log.close()?;
        if log.durable_seq() > self.manifest.durable_seq {
            self.log = Some(log);
            // As in closing the log: of use to later damage only, and not worth failing for.
            self.make_current((*self.manifest).clone()).ok();
        }
        // Whoever still has the log can add nothing to it.
        self.shared.unlock();
        Ok(())
    }

    /// Reads the log again; what is wrong with it.
    pub(super) fn verify_log(&self) -> Result<()> {
        // A reader's logs are removed and replaced while it is reading; they are not its commit's.
        if self.access == Access::Read {
            return Ok(());
        }
        let names = list(&*self.shared.vfs)?;
        self.scan(&names).map(drop)
    }

    fn log(&self) -> Result<&Log> {
        let problem = "it was not opened: see `Store::recover`";
        self.log.as_ref().ok_or(Error::Log { problem })
    }
}
