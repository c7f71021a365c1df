//! Everything storage refuses or fails at, as data: the file, the offset, what was expected there.

use std::io;
use std::path::PathBuf;

use crate::segment::SectionKind;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is there, and creating was not asked for.
    #[error("{}: there is no store", path.display())]
    NotFound {
        /// Where.
        path: PathBuf,
    },
    /// Something is there, but no store of ours. It was left alone.
    #[error("{}: not a Proxime store: {reason}", path.display())]
    NotAStore {
        /// Where.
        path: PathBuf,
        /// What is there instead.
        reason: &'static str,
    },
    /// A new store was to be written where files are already. They were left alone.
    #[error("{}: there are files already; an empty or new directory is needed", path.display())]
    NotEmpty {
        /// Where.
        path: PathBuf,
    },
    /// Another handle has the store open for writing.
    #[error("{}: open for writing by process {} on {}", path.display(), pid.map_or("unknown".to_owned(), |p| p.to_string()), host.as_deref().unwrap_or("an unknown host"))]
    Locked {
        /// The store.
        path: PathBuf,
        /// The owner, if it could be read.
        pid: Option<u32>,
        /// The owner's machine.
        host: Option<String>,
    },
    /// Bytes are not what was written.
    #[error("{} is damaged at byte {offset}: {what}", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// Written by a newer version, with features this one does not know.
    #[error("{}: needs a newer version of Proxime: {what}", file.display())]
    Unsupported {
        /// The file.
        file: PathBuf,
        /// What is not known.
        what: String,
    },
    /// A write to a store opened for reading.
    #[error("the store is open for reading only")]
    ReadOnly,
    /// An earlier sync or rename failed: what is on the disk is unknown until the store is opened again.
    #[error("writing stopped after a failed sync; open the store again to go on")]
    Poisoned,
    /// A segment put together wrongly by the caller.
    #[error("section {kind}: {problem}")]
    Section {
        /// Which section.
        kind: SectionKind,
        /// What is wrong.
        problem: &'static str,
    },
    /// The log used wrongly by the caller.
    #[error("log: {problem}")]
    Log {
        /// What is wrong.
        problem: &'static str,
    },
    /// The checksum code miscalculates on this machine: nothing read or written could be trusted.
    #[error("{algorithm} gives wrong results on this machine")]
    Checksum {
        /// Which.
        algorithm: &'static str,
    },
    /// The operating system said no.
    #[error("{}: {op}: {source}", path.display())]
    Io {
        /// What was tried.
        op: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}
