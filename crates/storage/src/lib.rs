//! Bytes made durable: write-once segments, numbered manifests, a write-ahead log, one lock.
//!
//! A [`Store`] is one directory (or one [`MemVfs`]). It holds *segments*, files that are written once and never changed, and
//! *manifests*, each a full list of what belongs to the store at one commit; the highest number wins. A commit is the
//! appearance of a manifest's name, so it is there completely or not at all, whatever happens to the process or the power.
//!
//! What is deliberately not here: the meaning of the bytes. This crate knows sections and checksums, not vectors and graphs;
//! it computes no distance. Nothing is ever written in place, and no file name that a commit has named is used again.
//!
//! | on disk | meaning |
//! |---|---|
//! | `FORMAT` | what this directory is: version, store id |
//! | `LOCK` | held by the one writer |
//! | `MANIFEST-0000000042` | everything that belongs to commit 42 |
//! | `seg-00000000000000a3.seg` | a segment |
//! | `wal-0000000017.log` | small batches that are not in a segment yet |
//! | `tmp-...` | unfinished; garbage when nobody is writing |
//!
//! `docs/FORMAT.md` in the repository has every byte. Bytes from outside are checked twice: by checksum, against accidents,
//! and by structure, against malice; either way the answer is an [`Error`], never a panic, and no allocation exceeds what the
//! file's length justifies.
//!
//! ```
//! use std::sync::Arc;
//! use proxime_storage::{Access, Collection, MemVfs, SectionKind, SegmentHeader, Store};
//!
//! let memory = MemVfs::new();
//! let (mut store, _) = Store::open(Arc::new(memory.clone()), Access::Create)?;
//! let header = SegmentHeader { collection_id: 1, rows: 2, dim: 3, dtype: 0, metric: 0 };
//! let mut writer = store.create_segment(header)?;
//! writer.begin(SectionKind::Vectors, 12)?;
//! writer.append(bytemuck::cast_slice(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]))?;
//! let segment = writer.finish()?;
//! store.commit(|manifest| {
//!     let mut collection = Collection::new(1, "docs", serde_json::json!({}));
//!     collection.segments.push(segment);
//!     manifest.collections.push(collection);
//! })?;
//! drop(store);
//!
//! let (_, segments) = Store::open(Arc::new(memory), Access::Read)?;
//! let vectors = segments[0].map(SectionKind::Vectors)?.ok_or("no vectors")?;
//! assert_eq!(bytemuck::cast_slice::<u8, f32>(&vectors)[5], 6.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

#[cfg(not(target_endian = "little"))]
compile_error!(
    "files are little-endian and vectors are read where they are mapped: this needs a little-endian machine"
);

mod backend;
mod checksum;
pub mod column;
mod error;
mod format;
mod manifest;
mod mmap;
mod names;
mod salvage;
mod segment;
mod store;
mod sync;
mod wal;

pub use backend::{Bytes, Disk, Fault, Fill, Lock, LockError, MemVfs, OsVfs, SimVfs, Vfs, VfsFile};
pub use error::{Error, Result};
pub use manifest::{Collection, Manifest, SegmentRef, StoreId};
pub use salvage::{LoggedFrame, Remains};
pub use segment::{
    Holed, LazySection, Remnant, SectionBytes, SectionKind, Segment, SegmentHeader, SegmentWriter,
};
pub use store::{Access, Backup, Store};
pub use wal::{Checkpoint, Durability, Frame, Log, RecoveryReport, Ticket, Torn};
