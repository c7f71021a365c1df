//! What several tests need: small data, the bundled images, a second process.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output};

use proxime::{
    Batch, Collection, CollectionConfig, Database, Key, Metadata, Metric, OpenOptions, Results,
    Rows, Value,
};

pub(crate) fn rows(data: &[f32], dim: usize) -> Rows<'_, f32> {
    Rows::new(data, dim).unwrap()
}

pub(crate) fn int_ids(n: usize) -> Vec<Key> {
    (0..n as i64).map(Key::from).collect()
}

/// `n` distinct points of `dim` components, the same every time, none of them zero.
pub(crate) fn points(n: usize, dim: usize) -> Vec<f32> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 16_777_216.0 - 0.5
    };
    (0..n * dim).map(|_| next()).collect()
}

/// An L2 collection "c" in memory.
pub(crate) fn in_memory(dim: usize) -> (Database, Collection) {
    let db = Database::in_memory().unwrap();
    let collection = db.create_collection("c", l2(dim)).unwrap();
    (db, collection)
}

pub(crate) fn l2(dim: usize) -> CollectionConfig {
    CollectionConfig::new(dim).metric(Metric::L2)
}

pub(crate) fn upsert(collection: &Collection, ids: Vec<Key>, data: &[f32]) {
    let rows = rows(data, collection.config().dim);
    collection.upsert(Batch::new(ids, &rows)).unwrap();
}

pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Metadata {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Ids of one query's hits.
pub(crate) fn ids(results: &Results, query: usize) -> Vec<Key> {
    results.hits(query).map(|hit| hit.id()).collect()
}

pub(crate) fn threads(threads: usize) -> OpenOptions {
    OpenOptions {
        threads: Some(threads),
        ..OpenOptions::default()
    }
}

/// The bundled images: base `[10000, 784]` and queries `[1000, 784]`.
pub(crate) fn fashion_mnist() -> (Vec<f32>, Vec<f32>) {
    const HEADER_BYTES: usize = 128;
    let load = |name: &str| {
        let path = format!("{}/../../data/{name}.npy", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        bytes[HEADER_BYTES..]
            .iter()
            .map(|&byte| f32::from(byte))
            .collect()
    };
    (
        load("fashion-mnist-10k-base"),
        load("fashion-mnist-10k-queries"),
    )
}

/// Runs an ignored test of this binary in another process, with a path.
pub(crate) fn in_another_process(test: &str, path: &Path) -> Output {
    another_process(test, path).output().unwrap()
}

/// The same, not started yet.
pub(crate) fn another_process(test: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("PROXIME_TEST_PATH", path);
    command
}

/// The same as a user whom the system does not allow everything: `nobody` if this is root. `dir`: where everybody may look, for a
/// copy of this program, which may be in a directory of its user's own. `None`, and a word about it, where that cannot be had.
pub(crate) fn by_nobody(test: &str, path: &Path, dir: &Path) -> Option<Command> {
    let own = another_process(test, path);
    if !rustix::process::geteuid().is_root() {
        return Some(own);
    }
    let nobody = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command
    };
    if !nobody().arg("true").status().is_ok_and(|s| s.success()) {
        skipped("there is no setpriv to become somebody else with");
        return None;
    }
    let program = dir.join("it");
    std::fs::copy(own.get_program(), &program).unwrap();
    let mut nobody = nobody();
    nobody
        .arg(program)
        .args(own.get_args())
        .envs(own.get_envs().filter_map(|(k, v)| Some((k, v?))));
    Some(nobody)
}

/// Past the test runner, which shows what a test prints only if it fails.
fn skipped(why: &str) {
    let word = format!("SKIPPED: {why}\n");
    io::stderr().write_all(word.as_bytes()).unwrap();
}

/// The path that the first process gave; `None` if the test was started by hand.
pub(crate) fn given_path() -> Option<std::path::PathBuf> {
    std::env::var_os("PROXIME_TEST_PATH").map(Into::into)
}

/// A file system of its own, in memory, that goes with this value.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None`, and a word about it, where this user may not mount one.
    pub(crate) fn mount(mib: usize) -> Option<SmallDisk> {
        let disk = SmallDisk(tempfile::tempdir().unwrap());
        let options = format!("size={mib}m");
        let mounted = disk.run("mount", &["-t", "tmpfs", "-o", &options, "none"]);
        if !mounted {
            skipped("this user may not mount a file system");
        }
        mounted.then_some(disk)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// From now on nobody can write to it, not even root.
    pub(crate) fn make_read_only(&self) {
        assert!(self.run("mount", &["-o", "remount,ro"]));
    }

    fn run(&self, program: &str, args: &[&str]) -> bool {
        let mut command = Command::new(program);
        let status = command.args(args).arg(self.path()).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for SmallDisk {
    /// Also when files on it are still open, in a test that failed; one that was never mounted is none of ours.
    fn drop(&mut self) {
        if !self.run("mountpoint", &["-q"]) {
            return;
        }
        assert!(self.run("umount", &["--lazy"]) || std::thread::panicking());
    }
}
