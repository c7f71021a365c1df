//! Backups: one commit, and what was logged after it, as a store of its own in another directory.
//!
//! Starting one takes as long as opening a few files and reading the log. From then on the source may go on: files that later commits
//! remove stay readable to whoever has them open. Segments are copied, not linked: a link would share every byte that goes bad
//! later with its original. Each block is checked against its checksum on the way, so that damage is not carried on.
//!
//! Segments and log come first, then FORMAT, then the manifest: until that is there the copy is not a store, and is
//! refused by whoever opens it. The copy has the id of its original, since every checksum depends on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::{Access, Shared, Store, list, take_lock};
use crate::backend::{File, Vfs};
use crate::error::{Error, Result};
use crate::format;
use crate::manifest::{Manifest, StoreId};
use crate::names::{LOCK, Name};
use crate::segment::Segment;
use crate::wal::{Scan, Tail};

/// What is to be copied, held open.
#[derive(Debug)]
pub struct Backup {
    store: StoreId,
    manifest: Manifest,
    /// In the manifest's order.
    segments: Vec<Segment>,
    log: Scan,
}

impl Store {
    /// Holds on to the current commit and everything logged after it, which is made durable first.
    ///
    /// A reader's commit may be overtaken, and its files removed, while it is looking: then open the store again.
    ///
    /// Errors: damage; the system's; [`Error::Poisoned`].
    pub fn start_backup(&self) -> Result<Backup> {
        if let Some(log) = &self.log {
            log.flush()?;
        }
        let segments = self.manifest.segments();
        let segments = segments
            .map(|pinned| self.open_segment(pinned))
            .collect::<Result<_>>()?;
        Ok(Backup {
            store: self.shared.store,
            manifest: (*self.manifest).clone(),
            segments,
            log: self.scan(&list(&*self.shared.vfs)?)?,
        })
    }
}

impl Backup {
    /// Bytes of the segments: what there is to copy, but for the log.
    pub fn bytes(&self) -> u64 {
        self.manifest.segments().map(|segment| segment.bytes).sum()
    }

    /// Writes the store into an empty directory, durably. `progress` is told how many bytes are copied, and may end it.
    ///
    /// Errors: [`Error::NotEmpty`]; damage in the source; the system's; those of `progress`. What was written is removed then.
    pub fn write<E: From<Error>>(
        &self,
        dest: Arc<dyn Vfs>,
        progress: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let dest = self.occupy(dest)?;
        let written = self.fill(&dest, progress);
        if written.is_err() {
            dest.clear();
        }
        written
    }

    /// The destination, locked and found empty.
    fn occupy(&self, vfs: Arc<dyn Vfs>) -> Result<Shared> {
        let empty = |vfs: &dyn Vfs| {
            let io = |source| Error::Io {
                op: "list",
                path: vfs.path().to_owned(),
                source,
            };
            let names = vfs.list().map_err(io)?;
            match names.iter().all(|name| name == LOCK) {
                true => Ok(()),
                false => Err(Error::NotEmpty {
                    path: vfs.path().to_owned(),
                }),
            }
        };
        // Before the lock, so that nothing is left in somebody else's directory; and after, when nobody else is filling it.
        empty(&*vfs)?;
        let lock = take_lock(&*vfs)?;
        empty(&*vfs)?;
        Ok(Shared {
            vfs,
            store: self.store,
            next_file_id: AtomicU64::new(self.manifest.next_file_id),
            poisoned: AtomicBool::new(false),
            lock: Some(lock).into(),
        })
    }

    fn fill<E: From<Error>>(
        &self,
        dest: &Shared,
        mut progress: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut done = 0;
        for (segment, pinned) in self.segments.iter().zip(self.manifest.segments()) {
            let (tmp, name) = (
                Name::TmpSegment(pinned.file_id),
                Name::Segment(pinned.file_id),
            );
            let file = File::create(&*dest.vfs, &tmp.to_string())?;
            segment.copy(&file, |bytes| {
                done += bytes;
                progress(done)
            })?;
            dest.publish(&file, tmp, name)?;
            dest.open_segment(pinned, Access::Read)?;
        }
        let mut manifest = self.manifest.clone();
        if manifest.wal_first_gen > 0 {
            let (generation, first_seq) = (self.log.next_generation, manifest.last_seq + 1);
            Tail::create(dest, generation, first_seq, self.log.frames())?.sign_off()?;
            manifest.wal_first_gen = generation;
            manifest.durable_seq = self.log.last_seq;
        }
        format::write(&*dest.vfs, self.store)?;
        Ok(dest.write_manifest(&mut manifest)?)
    }
}

impl Shared {
    /// Removes everything of ours but the lock, which somebody may be waiting for.
    fn clear(&self) {
        let ours = list(&*self.vfs).unwrap_or_default();
        self.remove(ours.into_iter().filter(|name| *name != Name::Lock));
    }
}
