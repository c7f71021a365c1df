//! A copy of a database in another place, taken while it is in use; and the way back, which is the same.

use std::path::Path;
use std::sync::Arc;

use proxime_storage::{Access, Backup, OsVfs, Store};

use crate::database::Shared;
use crate::{Database, Error, OpenOptions, Progress, Result, Stage};

impl Database {
    /// Copies the database, as it is at this moment, to directory `dest`, which is created if nothing is there. The copy is a
    /// database of its own, to be opened like any other; it is durable when this returns. Every block is checked on the way.
    /// Writes wait only until files are open and the log is read; they do not wait for the copying.
    ///
    /// Errors: `dest` is not empty; damage; no room; interrupted. What was copied is removed then. Cost: the bytes on disk, read
    /// and written once.
    pub fn backup(&self, dest: impl AsRef<Path>, progress: Option<Progress<'_>>) -> Result<()> {
        let backup = self.0.start_backup()?;
        let bytes = usize::try_from(backup.bytes()).unwrap_or(usize::MAX);
        let dest = OsVfs::create(dest.as_ref())?;
        backup.write(Arc::new(dest), |done| {
            let done = usize::try_from(done).unwrap_or(usize::MAX);
            let told = progress.map(|progress| progress(Stage::Copy, done.min(bytes), bytes));
            match told.is_some_and(|told| told.is_break()) {
                true => Err(Error::Interrupted),
                false => Ok(()),
            }
        })
    }

    /// Copies the backup in directory `backup`, which is only read, to directory `dest`. It has to be one that opens: its structure
    /// is checked beforehand, every block on the way.
    ///
    /// Errors: as for opening a database and for [`backup`](Database::backup).
    pub fn restore(
        backup: impl AsRef<Path>,
        dest: impl AsRef<Path>,
        progress: Option<Progress<'_>>,
    ) -> Result<()> {
        let options = OpenOptions {
            read_only: true,
            ..OpenOptions::default()
        };
        Database::open_with(backup, &options)?.backup(dest, progress)
    }
}

impl Shared {
    fn start_backup(&self) -> Result<Backup> {
        if !self.read_only {
            return self.with_store(|store| Ok(store.start_backup()?));
        }
        self.snapshot()?;
        // A writer may commit at any time, and remove what the commit before has named: then look at the newer one.
        let newest = || Store::open(Arc::clone(&self.vfs), Access::Read);
        let (mut store, _) = newest()?;
        loop {
            let started = store.start_backup();
            let (newer, _) = newest()?;
            if started.is_ok() || newer.manifest().number == store.manifest().number {
                return Ok(started?);
            }
            store = newer;
        }
    }
}
