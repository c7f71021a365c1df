//! The log: small batches made durable at once, until a checkpoint puts them into segments.
//!
//! | file | holds |
//! |---|---|
//! | `frame.rs` | the bytes of a frame, its checksum and where that gets its seed |
//! | `generation.rs` | one file of the log: header, creation, the end that is written to |
//! | `writer.rs` | [`Log`]: frames queued by several threads, written and synced together |
//! | `recovery.rs` | reading it all again; telling a torn end from damage |
//! | `remnant.rs` | what is left of a log that is damaged |
//!
//! A *frame* is one batch and the unit of atomicity. Frames are counted from 1 without gaps for the whole life of a store: their
//! *seq*. A file of the log is a *generation*; it is written by one process in one life and never opened for writing again, for what
//! an earlier life left unsynced may be in memory and never reach the disk. Opening a store for writing therefore copies the
//! frames that count into a new generation, and a generation gets its name only when everything in it so far is durable.
//! From its first seq on, a generation replaces what older ones hold.
//!
//! Every frame carries the *watermark*, `durable_seq`: what was known to be durable when it was written. It is what tells a torn
//! end (discarded: nobody was told that it is there) from damage (refused: somebody was). Watermarks are also in the headers
//! of generations and in manifests.
//!
//! What is deliberately not here: what a payload means; a clock or a thread, so that [`Log::tick`] must be called.

mod frame;
mod generation;
mod recovery;
mod remnant;
mod writer;

use std::path::PathBuf;

pub(crate) use generation::Tail;
pub(crate) use recovery::Scan;
pub(crate) use remnant::intact_frames;
pub use writer::{Checkpoint, Log, Ticket};

/// When an append is acknowledged, and what can still happen to it then. Whatever the level: a batch is there whole or not at
/// all, what is left is a prefix, and [`Log::flush`] makes everything durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it is on the disk: nothing acknowledged is ever lost.
    #[default]
    Always,
    /// When the operating system has it: the end of the process loses nothing; a loss of power at most what came after the last
    /// sync. There is one after so many bytes, and one at every [`Log::tick`].
    Batch {
        /// Bytes that may be unsynced.
        bytes_max: u64,
    },
    /// When the operating system has it; synced by [`Log::flush`], checkpoints and closing only.
    Os,
}

/// A frame as it comes back from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Counts the frames of a store, from 1.
    pub seq: u64,
    /// The upper layer's, below 128.
    pub kind: u8,
    /// The upper layer's.
    pub collection: u64,
    /// The upper layer's.
    pub payload: &'a [u8],
}

/// What opening found in the log and did about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Frames handed to the upper layer.
    pub replayed: u64,
    /// The last of them, or the last in segments if there was none.
    pub last_seq: u64,
    /// The log was closed in good order, or there was none.
    pub clean: bool,
    /// The end that was not complete, and therefore not acknowledged, and is gone.
    pub torn: Option<Torn>,
    /// Files of ours that belonged to nothing.
    pub removed: Vec<String>,
}

/// The end of a log that was being written when it stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub file: PathBuf,
    /// Where the torn end starts.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
}
