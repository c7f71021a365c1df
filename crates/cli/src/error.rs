//! What can go wrong here, and the one place where it becomes an exit code.
//!
//! Every message names the culprit: the file, the line or byte in it, or the collection. The database's own errors speak of
//! rows; [`Error::Input`] puts the file in front of them.

use std::io;
use std::path::{Path, PathBuf};

use proxime::{Dtype, ErrorKind, Metric, Preset};

use crate::array::ArrayError;

/// How the process ends. Documented in `--help`; scripts rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// None of the below: the disk is full, a read failed.
    Other = 1,
    /// The arguments make no sense. clap exits with the same number.
    Usage = 2,
    /// No such file, store or collection.
    NotFound = 3,
    /// Bytes of the store are not what was written.
    Damaged = 4,
    /// Another process writes to the store.
    Locked = 5,
    /// The input, or the store for this purpose, is not acceptable. Nothing was changed.
    Refused = 6,
    /// The user asked to stop: 128 + SIGINT, what a shell reports for a process that Ctrl-C killed.
    Interrupted = 130,
}

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: {source}", file.display())]
    Open { file: PathBuf, source: io::Error },
    #[error("{}: not a regular file", file.display())]
    NotAFile { file: PathBuf },
    #[error("{}: {source}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("stdin: more than {limit} bytes")]
    StdinTooLong { limit: u64 },
    #[error(transparent)]
    Array(#[from] ArrayError),
    #[error("{}, line {line}: {problem}", file.display())]
    Line {
        file: PathBuf,
        line: usize,
        problem: LineProblem,
    },
    #[error("{name}: there is no row {row}; it has {rows}")]
    NoRow {
        name: String,
        row: usize,
        rows: usize,
    },
    #[error("{}: {got} {what} for {rows} rows", file.display())]
    TooFew {
        file: PathBuf,
        what: &'static str,
        got: usize,
        rows: usize,
    },
    #[error("{}: more than {rows} {what} for {rows} rows", file.display())]
    TooMany {
        file: PathBuf,
        what: &'static str,
        rows: usize,
    },
    #[error("collection {collection:?} compares by {stored}, not by {asked}")]
    Metric {
        collection: String,
        stored: Metric,
        asked: Metric,
    },
    #[error("collection {collection:?} stores {stored}, not {asked}")]
    Dtype {
        collection: String,
        stored: Dtype,
        asked: Dtype,
    },
    #[error("collection {collection:?} has the preset {stored}, not {asked}")]
    Preset {
        collection: String,
        stored: Preset,
        asked: Preset,
    },
    #[error("{}: not a directory; make it first", dir.display())]
    NotADirectory { dir: PathBuf },
    #[error("{}: {source}", file.display())]
    Write { file: PathBuf, source: io::Error },
    #[error("{collection:?} holds {records} records, which would be lost; add --yes to drop it")]
    Unconfirmed { collection: String, records: usize },
    #[error(
        "{alias:?} is an alias of the collection {collection:?}: drop that by its own name, or take the alias away with alias DB {alias} --drop"
    )]
    DropAlias { alias: String, collection: String },
    #[error("there are no queries, or no records to find: nothing can be measured")]
    NothingToMeasure,
    #[error("{0}")]
    Id(String),
    #[error("{0}")]
    Usage(String),
    #[error("{}: its name does not say what it holds; say --format", file.display())]
    UnknownFormat { file: PathBuf },
    #[error("{}: an array is needed, such as .npy, .npz or .hdf5; only import reads tables", file.display())]
    NotAnArray { file: PathBuf },
    #[error("{}: export writes .jsonl, .parquet, .arrow and .npy", file.display())]
    ExportFormat { file: PathBuf },
    #[error("the id {id} cannot be a line of its own; export to .jsonl instead")]
    IdLine { id: proxime::Key },
    #[error("{}: {reason}", file.display())]
    Table { file: PathBuf, reason: String },
    #[error("{}: {reason}", file.display())]
    Header { file: PathBuf, reason: String },
    #[error("{}, {place}: {reason}; with --rejects FILE such rows are set aside", file.display())]
    Row {
        file: PathBuf,
        place: String,
        reason: String,
    },
    #[error("{file}: {source}")]
    Input {
        file: String,
        source: proxime::Error,
    },
    #[error("PROXIME_ISA: {0}")]
    Isa(#[from] proxime::IsaError),
    #[error(transparent)]
    Database(#[from] proxime::Error),
    #[error("stdout: {0}")]
    Output(#[from] io::Error),
}

/// What is wrong with a line of text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineProblem {
    #[error("longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("not UTF-8")]
    NotUtf8,
    #[error("empty; an id is needed")]
    Empty,
    #[error("column {column}: {problem}")]
    Json { column: usize, problem: String },
    #[error("{0}")]
    Value(String),
}

impl Error {
    /// Opening `file` failed.
    pub(crate) fn open(file: &Path, source: io::Error) -> Error {
        Error::Open {
            file: file.to_owned(),
            source,
        }
    }

    /// A file that should have one of something for each row has fewer or more of them.
    pub(crate) fn one_per_row(file: &Path, what: &'static str, got: usize, rows: usize) -> Error {
        let file = file.to_owned();
        match got < rows {
            true => Error::TooFew {
                file,
                what,
                got,
                rows,
            },
            false => Error::TooMany { file, what, rows },
        }
    }

    /// Names the file whose vectors, from row `first` on, the database did not accept; rows count from the file's start.
    /// Errors that are not about them stay as they are.
    pub(crate) fn from_vectors(file: &str, first: usize, mut source: proxime::Error) -> Error {
        use proxime::Error as E;
        if let E::Source { row, source: inner } = source {
            // Our own, which has crossed the database.
            match inner.downcast::<ArrayError>() {
                Ok(ours) => return Error::Array(*ours),
                Err(inner) => source = E::Source { row, source: inner },
            }
        }
        match &mut source {
            E::NotFinite { row, .. } | E::ZeroVector { row, .. } => *row += first,
            E::Dimension { .. } | E::TooManyRows { .. } => {}
            E::Parameter { name: "dim", .. } => {}
            _ => return Error::Database(source),
        }
        Error::Input {
            file: file.to_owned(),
            source,
        }
    }

    /// The exit code. A reader that went away (`| head`) has what it wanted: success.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Error::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
            Error::Open { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Exit::NotFound
            }
            Error::NotADirectory { .. } => Exit::NotFound,
            Error::Open { .. } | Error::Read { .. } | Error::Write { .. } | Error::Output(_) => {
                Exit::Other
            }
            Error::Array(e) if e.is_io() => Exit::Other,
            Error::Isa(_) | Error::Id(_) | Error::Usage(_) | Error::ExportFormat { .. } => {
                Exit::Usage
            }
            Error::NotAFile { .. }
            | Error::StdinTooLong { .. }
            | Error::Array(_)
            | Error::Line { .. }
            | Error::TooFew { .. }
            | Error::TooMany { .. }
            | Error::Metric { .. }
            | Error::Dtype { .. }
            | Error::Preset { .. }
            | Error::Unconfirmed { .. }
            | Error::DropAlias { .. }
            | Error::UnknownFormat { .. }
            | Error::NotAnArray { .. }
            | Error::Header { .. }
            | Error::Table { .. }
            | Error::NothingToMeasure
            | Error::IdLine { .. }
            | Error::Row { .. }
            | Error::NoRow { .. }
            | Error::Input { .. } => Exit::Refused,
            Error::Database(e) => database_exit(e),
        }
    }
}

fn database_exit(error: &proxime::Error) -> Exit {
    use proxime::Error as E;
    if let E::Parameter { .. } | E::Name { .. } = error {
        return Exit::Usage;
    }
    match error.kind() {
        ErrorKind::Argument | ErrorKind::Exists | ErrorKind::Conflict | ErrorKind::Refused => {
            Exit::Refused
        }
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::Damaged => Exit::Damaged,
        ErrorKind::Locked => Exit::Locked,
        ErrorKind::Interrupted => Exit::Interrupted,
        _ => Exit::Other,
    }
}
