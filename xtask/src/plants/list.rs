//! The mistakes that `cargo xtask plants` plants: what the tests of storage and of the database have to find.
//!
//! Whoever changes the words of one's source changes them here too: `cargo xtask tidy` says so. One that makes no
//! difference any more goes.

/// One mistake.
pub(crate) struct Plant {
    pub(crate) what: &'static str,
    pub(crate) file: &'static str,
    pub(crate) right: &'static str,
    pub(crate) wrong: &'static str,
    /// Package, and which of its tests are built: for each mistake anew.
    pub(crate) target: &'static str,
    /// Filters of these.
    pub(crate) tests: &'static str,
}

const fn plant(
    what: &'static str,
    [file, right, wrong]: [&'static str; 3],
    [target, tests]: [&'static str; 2],
) -> Plant {
    Plant {
        what,
        file,
        right,
        wrong,
        target,
        tests,
    }
}

const STORAGE: &str = "proxime-storage --test it";
const STORAGE_LIB: &str = "proxime-storage --lib";
const DB: &str = "proxime --test it";
const DB_LIB: &str = "proxime --lib";

/// All of them.
pub(crate) const PLANTS: [Plant; 35] = [
    plant(
        "frames are acknowledged without a sync",
        [
            "crates/storage/src/wal/writer.rs",
            "Durability::Always => true,",
            "Durability::Always => false,",
        ],
        [STORAGE, "log::crash"],
    ),
    plant(
        "a failed sync does not poison",
        [
            "crates/storage/src/wal/writer.rs",
            "self.log.shared.poison(tail.sync())?;",
            "tail.sync()?;",
        ],
        [STORAGE, "log::faults"],
    ),
    plant(
        "what a failed write left is not taken back",
        [
            "crates/storage/src/wal/generation.rs",
            "self.file.truncate(self.end)?;",
            "",
        ],
        [STORAGE, "log::faults"],
    ),
    plant(
        "frames behind a failed group are written",
        [
            "crates/storage/src/wal/writer.rs",
            "queue.frames.clear();",
            "",
        ],
        [STORAGE, "log::threads"],
    ),
    plant(
        "seqs of failed frames are not given again",
        [
            "crates/storage/src/wal/writer.rs",
            "queue.next_seq = written_seq + 1;",
            "let _ = written_seq;",
        ],
        [STORAGE, "log::threads log::faults"],
    ),
    plant(
        "the watermark is that of the frame itself",
        [
            "crates/storage/src/wal/generation.rs",
            "self.place.stamp(frames, self.end, self.durable_seq);",
            "self.place.stamp(frames, self.end, last_seq - 1);",
        ],
        [STORAGE, "log"],
    ),
    plant(
        "the watermark of the manifest is forgotten",
        [
            "crates/storage/src/wal/recovery.rs",
            "let mut durable_seq = manifest.durable_seq;",
            "let mut durable_seq = 0;",
        ],
        [STORAGE, "log::damage"],
    ),
    plant(
        "what follows a torn end is not looked at",
        [
            "crates/storage/src/wal/recovery.rs",
            "match self.search()? {",
            "match None::<(usize, Head)> {",
        ],
        [STORAGE, "log::damage"],
    ),
    plant(
        "frames that a later log replaces count",
        [
            "crates/storage/src/wal/recovery.rs",
            "older.void_from = older.void_from.min(first_seq);",
            "let _ = (older, first_seq);",
        ],
        [STORAGE, "log"],
    ),
    plant(
        "a frame's place is not in its checksum",
        [
            "crates/storage/src/wal/frame.rs",
            "checksum::extend(self.crc, &offset.to_le_bytes())",
            "checksum::extend(self.crc, &0_u64.to_le_bytes()[..(offset & 0) as usize])",
        ],
        [STORAGE, "log"],
    ),
    plant(
        "a missing log goes unnoticed",
        [
            "crates/storage/src/wal/recovery.rs",
            "if numbers.is_empty() && first > 0 {",
            "if false {",
        ],
        [STORAGE, "log damage"],
    ),
    plant(
        "a log is added to in a later life",
        [
            "crates/storage/src/store/log.rs",
            "next.wal_first_gen = generation;\n        self.make_current(next)",
            "next.wal_first_gen = generation.min(self.manifest.wal_first_gen.max(1));\n        self.make_current(next)",
        ],
        [STORAGE, "log"],
    ),
    plant(
        "a checkpoint forgets what it covers",
        [
            "crates/storage/src/store/log.rs",
            "(next.wal_first_gen, next.last_seq) = (checkpoint.generation, checkpoint.last_seq);",
            "next.wal_first_gen = checkpoint.generation;",
        ],
        [STORAGE, "log"],
    ),
    plant(
        "the log is not synced before it is cut",
        [
            "crates/storage/src/wal/writer.rs",
            "fn cut(&self) -> Result<Checkpoint> {\n        self.commit(true)?;",
            "fn cut(&self) -> Result<Checkpoint> {\n        self.commit(false)?;",
        ],
        [STORAGE, "log::crash log::random"],
    ),
    plant(
        "files are named before they are synced",
        [
            "crates/storage/src/store.rs",
            "        self.sync(file)?;\n        let io",
            "        let io",
        ],
        [STORAGE, "crash log::crash"],
    ),
    plant(
        "names are not synced",
        [
            "crates/storage/src/store.rs",
            "self.poison(self.vfs.sync_dir().map_err(io(\"sync directory of\")))",
            "Ok(())",
        ],
        [STORAGE, "crash log::crash"],
    ),
    plant(
        "old segments go before the commit",
        [
            "crates/storage/src/store.rs",
            "        if let Err(e) = self.shared.write_manifest(&mut next) {",
            "        self.shared.remove(old.difference(&new).map(|&id| Name::Segment(id)));\n        if let Err(e) = self.shared.write_manifest(&mut next) {",
        ],
        [STORAGE, "crash"],
    ),
    plant(
        "opening does not sync what it finds",
        [
            "crates/storage/src/store.rs",
            "            vfs.sync_dir().map_err(|source| Error::Io {\n                op: \"sync directory\",\n                path: vfs.path().to_owned(),\n                source,\n            })?;",
            "",
        ],
        [STORAGE, "crash log"],
    ),
    plant(
        "a block's number is not in its checksum",
        [
            "crates/storage/src/checksum.rs",
            "crc32c::crc32c_append(self.crc, &number.to_le_bytes())",
            "crc32c::crc32c_append(self.crc, &(number & 0).to_le_bytes())",
        ],
        [DB, "golden"],
    ),
    plant(
        "padding is not looked at",
        [
            "crates/storage/src/segment/reader.rs",
            ".any(|&byte| byte != 0)",
            ".any(|&byte| byte > 255u8.saturating_sub(0))",
        ],
        [STORAGE_LIB, "segment"],
    ),
    plant(
        "the root digest is not compared",
        [
            "crates/storage/src/segment/reader.rs",
            "|| digest != pinned.digest",
            "",
        ],
        [STORAGE, "damage"],
    ),
    plant(
        "the manifest's digest is not compared",
        [
            "crates/storage/src/manifest.rs",
            "if envelope.digest != envelope.digest(&json) {",
            "if false {",
        ],
        [STORAGE, "damage"],
    ),
    plant(
        "lazily, only the first blocks of a read are checked",
        [
            "crates/storage/src/segment/lazy.rs",
            "block = stop;",
            "block = end;",
        ],
        [STORAGE, "lazily"],
    ),
    plant(
        "lazily, a damaged block is good the second time",
        [
            "crates/storage/src/segment/lazy.rs",
            "            self.segment.check_block(self.kind, block as u64, file)?;\n            word.fetch_or(1 << (block % 64), Ordering::Relaxed);",
            "            word.fetch_or(1 << (block % 64), Ordering::Relaxed);\n            self.segment.check_block(self.kind, block as u64, file)?;",
        ],
        [DB, "lazy"],
    ),
    plant(
        "what a search finds is not checked",
        [
            "crates/db/src/search.rs",
            "let vectors = self.part.segment.vectors_of(nodes)?;",
            "let vectors = self.part.segment.vectors_of(nodes.take(0))?;",
        ],
        [DB, "lazy"],
    ),
    plant(
        "a large batch overtakes the tail",
        [
            "crates/db/src/commit.rs",
            "let tail = self.write_tail(view, workers);",
            "let tail: Result<Option<Written>> = Ok(None);",
        ],
        [DB, "crash model"],
    ),
    plant(
        "what is sealed is applied again",
        [
            "crates/db/src/commit.rs",
            "stored.applied_seq = last_seq;",
            "",
        ],
        [DB, "crash"],
    ),
    plant(
        "a segment survives what was acknowledged before it",
        ["crates/db/src/commit.rs", "Ok(log.flush()?)", "Ok(())"],
        [DB, "crash"],
    ),
    plant(
        "deletions of a sealed tail are dropped",
        [
            "crates/db/src/commit.rs",
            "let batch = run.checked(sealed.is_empty(), None)?;",
            "let batch = run.checked(true || sealed.is_empty(), None)?;",
        ],
        [DB, "crash model"],
    ),
    plant(
        "the log is cut while other tails need it",
        [
            "crates/db/src/commit.rs",
            "let log_done = !others.into_iter().any(|other| other.has_tail());",
            "let log_done = others.into_iter().count() < usize::MAX;",
        ],
        [DB, "crash"],
    ),
    plant(
        "rows that stopped counting during a merge come back",
        [
            "crates/db/src/compact.rs",
            ".is_some_and(|part| !part.is_live(*row))",
            ".is_some_and(|part| false && !part.is_live(*row))",
        ],
        [DB_LIB, "compact"],
    ),
    plant(
        "a merge without room is tried at every write",
        [
            "crates/db/src/compact.rs",
            "range.is_some_and(|range| range.contains(&growth(&view.parts)))",
            "range.is_some_and(|range| range.is_empty())",
        ],
        [DB_LIB, "compact"],
    ),
    plant(
        "a thread that has panicked is not replaced",
        [
            "crates/db/src/background.rs",
            "!matches!(self.wake.try_send(()), Err(TrySendError::Disconnected(())))",
            "self.wake.try_send(()).is_ok() || true",
        ],
        [DB, "sealing"],
    ),
    plant(
        "who syncs waits for the writer",
        [
            "crates/db/src/database.rs",
            "let log = hold(&self.log).clone();\n        log.map",
            "let log = self.writing().as_ref().and_then(|w| hold(&w.shared_log()).clone());\n        log.map",
        ],
        [DB, "threads"],
    ),
    plant(
        "a batch is built on one that has failed",
        [
            "crates/storage/src/wal/writer.rs",
            "Some(failure) if seq + 1 != self.next_seq => Err(failure.error()),",
            "Some(failure) if false && seq + 1 != self.next_seq => Err(failure.error()),",
        ],
        [STORAGE, "log::faults"],
    ),
];
