//! Made data, files of it, and the binary run on them.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proxime::{Database, OpenOptions};
use serde_json::Value;
use tempfile::TempDir;

/// What a run of the binary left behind.
#[derive(Debug, PartialEq)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Stdout's lines as JSON, after a success.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{self:?}");
        self.lines()
    }

    /// Stdout, after a success.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// Stdout's lines as JSON.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap();
        self.out.lines().map(parse).collect()
    }
}

/// A directory to work in, gone afterwards.
pub(crate) struct Desk(TempDir);

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// The command, to run in this directory.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_proxime"));
        command.args(args).current_dir(self.0.path());
        command
    }

    /// Runs a line of words, such as `import db x.npy --json`.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.run_with_stdin(line, &[])
    }

    pub(crate) fn run_with_stdin(&self, line: &str, stdin: &[u8]) -> Ran {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut child = self
            .command(&words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its stdin may be gone before this is written.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().expect("ended by a signal"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A .npy file as NumPy writes it.
pub(crate) fn npy(descr: &str, fortran_order: bool, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let order = if fortran_order { "True" } else { "False" };
    let shape = match shape {
        [n] => format!("({n},)"),
        [rows, dim] => format!("({rows}, {dim})"),
        _ => panic!("one or two dimensions"),
    };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

/// float32 rows as a .npy file.
pub(crate) fn npy_f32(rows: &[Vec<f32>]) -> Vec<u8> {
    let data: Vec<u8> = rows
        .iter()
        .flatten()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    npy(
        "<f4",
        false,
        &[rows.len(), rows.first().map_or(4, Vec::len)],
        &data,
    )
}

/// `n` rows of small integers: exact in every type, different from each other, none of them zero.
pub(crate) fn points(n: usize, dim: usize) -> Vec<Vec<f32>> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((state >> 33) % 100 + 1) as f32
    };
    (0..n).map(|_| (0..dim).map(|_| next()).collect()).collect()
}

/// The files of a store, biggest first.
pub(crate) fn files_of(store: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    files
}

/// Every record of a store's default collection.
pub(crate) fn content(desk: &Desk, db: &str) -> Vec<proxime::Record> {
    let options = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    let db = Database::open_with(desk.path(db), &options).unwrap();
    db.collection("default")
        .unwrap()
        .scroll(None, 1000, None)
        .unwrap()
}
