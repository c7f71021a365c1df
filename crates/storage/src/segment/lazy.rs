//! A section whose blocks are checked when they are first read, and not when it is opened.

use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::SectionKind;
use super::reader::{SectionBytes, Segment};
use crate::checksum::BLOCK_BYTES;
use crate::error::Result;

/// What a word of `checked` knows of. With the first block of it the others are read, once: then the whole section is in memory after as many
/// reads as there are such runs, if it fits.
const RUN_BYTES: usize = 64 * BLOCK_BYTES;

/// A section where the file is mapped, for bytes that may have any value.
///
/// Dereferences to all of its bytes. Those that [`check`](LazySection::check) has not been asked about may be damaged: nothing
/// may be made of them.
#[derive(Debug)]
pub struct LazySection {
    segment: Arc<Segment>,
    kind: SectionKind,
    bytes: SectionBytes,
    /// One bit a block: checked, and as it was written.
    checked: Box<[AtomicU64]>,
}

impl Deref for LazySection {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl LazySection {
    /// As [`SectionBytes::scattered`].
    pub fn scattered(&self) -> &[u8] {
        self.bytes.scattered()
    }

    /// Errors: as for [`Segment::map`], but for checksums, which are left for later. `None`: there is no such section.
    pub fn new(segment: &Arc<Segment>, kind: SectionKind) -> Result<Option<LazySection>> {
        let bytes = segment.map_unchecked(kind)?;
        Ok(bytes.map(|bytes| LazySection {
            segment: Arc::clone(segment),
            kind,
            checked: (0..bytes.len().div_ceil(BLOCK_BYTES).div_ceil(64))
                .map(|_| AtomicU64::new(0))
                .collect(),
            bytes,
        }))
    }

    /// Returns when these bytes are known to be what was written. What is behind the end is left out.
    ///
    /// Errors: [`Error::Corrupt`](crate::Error::Corrupt), each time again.
    /// Cost: a look at a bit for each block of 4 KiB; the first time its checksum.
    pub fn check(&self, bytes: Range<usize>) -> Result<()> {
        let file = self.bytes.file_for(bytes.len());
        let end = bytes.end.min(self.bytes.len()).div_ceil(BLOCK_BYTES);
        let mut block = bytes.start / BLOCK_BYTES;
        while block < end {
            // A run of blocks of which one word knows.
            let stop = end.min((block / 64 + 1) * 64);
            self.check_word(file, block..stop)?;
            block = stop;
        }
        Ok(())
    }

    fn check_word(&self, file: &[u8], blocks: Range<usize>) -> Result<()> {
        let run = blocks.start / 64;
        let Some(word) = self.checked.get(run) else {
            return Ok(());
        };
        let wanted = (u64::MAX >> (64 - blocks.len())) << (blocks.start % 64);
        // What is relied on are the bytes of an immutable file, not other memory: two threads may check the same block.
        let known = word.load(Ordering::Relaxed);
        let missing = wanted & !known;
        if missing == 0 {
            return Ok(());
        }
        if known == 0 {
            self.bytes.will_need(run * RUN_BYTES..(run + 1) * RUN_BYTES);
        }
        for block in blocks.filter(|block| missing >> (block % 64) & 1 == 1) {
            self.segment.check_block(self.kind, block as u64, file)?;
            word.fetch_or(1 << (block % 64), Ordering::Relaxed);
        }
        Ok(())
    }
}
