//! `cargo xtask plants`: mistakes, planted one at a time into a copy of the source, each of which the tests have to find.
//!
//! A plant is a few words of source and what stands in their place, and the tests that are to fail then. One whose words are gone
//! is an error here, so that the list stays true. What hangs is stopped, and counts as found.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{shell, workspace::Workspace};

/// Longer than any of these tests takes.
const PATIENCE: Duration = Duration::from_secs(300);

struct Plant {
    what: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
    package: &'static str,
    /// Filters of the package's tests.
    tests: &'static str,
}

const fn plant(
    what: &'static str,
    [file, right, wrong]: [&'static str; 3],
    [package, tests]: [&'static str; 2],
) -> Plant {
    Plant {
        what,
        file,
        right,
        wrong,
        package,
        tests,
    }
}

const STORAGE: &str = "proxime-storage";
const DB: &str = "proxime";

const PLANTS: [Plant; 32] = [
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
        [STORAGE, "damage"],
    ),
    plant(
        "padding is not looked at",
        [
            "crates/storage/src/segment/reader.rs",
            ".any(|&byte| byte != 0)",
            ".any(|&byte| byte > 255u8.saturating_sub(0))",
        ],
        [STORAGE, "damage segment"],
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
        "lazily, only the first block of a read is checked",
        [
            "crates/storage/src/segment/lazy.rs",
            "while block < end {",
            "while block < end.min(bytes.start / BLOCK_BYTES + 1) {",
        ],
        [DB, "lazy"],
    ),
    plant(
        "lazily, a damaged block is good the second time",
        [
            "crates/storage/src/segment/lazy.rs",
            "            self.segment\n                .check_block(self.kind, block as u64, &self.bytes)?;\n            word.fetch_or(1 << (block % 64), Ordering::Relaxed);",
            "            word.fetch_or(1 << (block % 64), Ordering::Relaxed);\n            self.segment\n                .check_block(self.kind, block as u64, &self.bytes)?;",
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
            "let tail = Ok(None);",
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
        [
            "crates/db/src/commit.rs",
            "let ready = self.log().and_then(|log| Ok(log.flush()?));",
            "let ready = self.log().map(drop);",
        ],
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
        [DB, "compact"],
    ),
    plant(
        "a batch is built on one that has failed",
        [
            "crates/storage/src/wal/writer.rs",
            "Some(failure) if seq + 1 != self.next_seq => Err(failure.error()),",
            "Some(failure) if false && seq + 1 != self.next_seq => Err(failure.error()),",
        ],
        [DB, "threads"],
    ),
];

/// Plants all, or those whose words contain `only`.
pub(crate) fn run(workspace: &Workspace, only: &str) -> Result<()> {
    let tree = copy(workspace)?;
    let mut missed = Vec::new();
    let chosen: Vec<&Plant> = PLANTS
        .iter()
        .filter(|plant| plant.what.contains(only))
        .collect();
    for plant in &chosen {
        let found = try_one(&tree, plant).with_context(|| plant.what)?;
        println!("{}: {}", plant.what, found.unwrap_or("MISSED"));
        if found.is_none() {
            missed.push(plant.what);
        }
    }
    println!(
        "plants: {} of {} found",
        chosen.len() - missed.len(),
        chosen.len()
    );
    ensure!(missed.is_empty(), "not found: {}", missed.join("; "));
    Ok(())
}

/// The files that git knows, in the target directory, where there is a build of their own.
fn copy(workspace: &Workspace) -> Result<PathBuf> {
    let tree = workspace.target.join("plants/tree");
    let listed = shell::capture(shell::command("git", "ls-files", &workspace.root))?;
    for name in listed.lines() {
        let (from, to) = (workspace.root.join(name), tree.join(name));
        let content = fs::read(&from).with_context(|| from.display().to_string())?;
        // What has not changed keeps its time, and is not compiled again.
        if fs::read(&to).ok().as_ref() != Some(&content) {
            fs::create_dir_all(to.parent().unwrap_or(&tree))?;
            fs::write(&to, content)?;
        }
    }
    Ok(tree)
}

/// How it was found; `None` if it was not.
fn try_one(tree: &Path, plant: &Plant) -> Result<Option<&'static str>> {
    let file = tree.join(plant.file);
    let sound = fs::read_to_string(&file)?;
    ensure!(
        sound.matches(plant.right).count() == 1,
        "{}: what is to be replaced is there {} times",
        plant.file,
        sound.matches(plant.right).count()
    );
    fs::write(&file, sound.replacen(plant.right, plant.wrong, 1))?;
    let outcome = test(tree, plant);
    fs::write(&file, sound)?;
    outcome
}

fn test(tree: &Path, plant: &Plant) -> Result<Option<&'static str>> {
    let args = format!("test --locked --package {} --lib --test it", plant.package);
    let cargo = |more: &str| {
        let mut command = shell::command("cargo", &format!("{args} {more}"), tree);
        command
            .env("CARGO_TARGET_DIR", tree.with_file_name("target"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    if !cargo("--no-run").status()?.success() {
        bail!("it does not compile");
    }
    finished(cargo(&format!("-- {}", plant.tests)))
}

fn finished(mut command: Command) -> Result<Option<&'static str>> {
    let started = Instant::now();
    // A group of its own: what hangs is a child of this child.
    let mut child = command.process_group(0).spawn()?;
    while started.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok((!status.success()).then_some("found"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let group = format!("-9 -- -{}", child.id());
    shell::run(shell::command("kill", &group, Path::new(".")))?;
    child.wait()?;
    Ok(Some("found: it hangs"))
}
