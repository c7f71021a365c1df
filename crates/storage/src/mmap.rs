//! Read-only maps of sealed files: the only unsafe code in this crate.
//!
//! A map turns a file into a slice, and a slice that changes while it is borrowed breaks Rust's rules. What keeps it from
//! changing is the life of our files: written under another name, sealed (mode 0444), then never opened for writing,
//! truncated or reused by this crate; removal leaves a map intact. Another program that ignores all this can still change
//! the bytes: then a reader sees other numbers, or is ended by SIGBUS if the file is cut. So nothing that steers memory access is
//! read through a map without a check at each use: graphs and ids are copied and checked once, offsets are checked when used,
//! and vectors may have any bit pattern.

#![expect(
    unsafe_code,
    reason = "mapping a file cannot be expressed safely; this module is the place for it"
)]

use std::fs::File;
use std::io;
use std::ops::Range;

use memmap2::Mmap;

/// The whole file as memory.
///
/// Errors: the system's.
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the file is one of ours, opened for reading only, and sealed: `Store::publish` sets
    // mode 0444 and syncs before the name that was opened here exists, its writer is gone by the time anybody learns that name,
    // and nothing in this crate opens an existing file for writing. See the module's documentation for what remains.
    unsafe { Mmap::map(file) }
}

/// What the system may want to know of a part of a map. A hint: where it is refused, or unknown, all is as before.
pub(crate) enum Advice {
    /// Few of its bytes will be read, here and there: nothing is read ahead.
    Scattered,
    /// It will be read: the system begins to.
    Soon,
}

impl Advice {
    #[cfg(unix)]
    pub(crate) fn give(self, map: &Mmap, range: Range<usize>) {
        let advice = match self {
            Advice::Scattered => memmap2::Advice::Random,
            Advice::Soon => memmap2::Advice::WillNeed,
        };
        map.advise_range(advice, range.start, range.len()).ok();
    }

    #[cfg(not(unix))]
    pub(crate) fn give(self, _map: &Mmap, _range: Range<usize>) {}
}
