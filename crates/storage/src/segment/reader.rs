//! Reading a segment: structure at once, each section's bytes when they are asked for and before they are given out.

use std::ops::{Deref, Range};
use std::path::Path;

use bytemuck::Zeroable;

use super::layout::{
    Entry, FOOTER_BYTES, FOOTER_MAGIC, Footer, Layout, MAGIC, PAGE_BYTES, PART_FOOTER, PART_HEADER,
    PART_TABLES, Page, Refused,
};
use super::{SectionKind, SegmentHeader};
use crate::backend::{Bytes, File, Vfs};
use crate::checksum::{self, BLOCK_BYTES, Seed};
use crate::error::{Error, Result};
use crate::format::crc_before_last_word;
use crate::manifest::{SegmentRef, StoreId};
use crate::mmap::Advice;
use crate::names::Name;
use crate::store::Access;

/// Of a smaller section all may be read with the first bytes.
const SCATTERED_BYTES_MIN: usize = 8 << 20;

/// From so many bytes on those that follow are wanted, too.
const AHEAD_BYTES_MIN: usize = 1 << 20;

/// An open segment. Its file can be removed without harm to it.
#[derive(Debug)]
pub struct Segment {
    file: File,
    store: StoreId,
    file_id: u64,
    header: SegmentHeader,
    entries: Vec<Entry>,
    /// One CRC per block, all sections after each other.
    crcs: Vec<u32>,
}

/// The bytes of a section, where the file is mapped. Clones share.
///
/// Dereferences to all of them, as whoever reads one after the other wants them: the system reads ahead.
#[derive(Clone, Debug)]
pub struct SectionBytes {
    file: Bytes,
    /// The same file again, for reads here and there; `None`: nothing to gain.
    scattered: Option<Bytes>,
    range: Range<usize>,
}

impl SectionBytes {
    /// The map to read so many bytes of the section through.
    pub(super) fn file_for(&self, bytes: usize) -> &[u8] {
        match &self.scattered {
            Some(scattered) if bytes < AHEAD_BYTES_MIN => scattered,
            _ => &self.file,
        }
    }

    /// Has a part of the section be read, if the system does not read ahead by itself. Does not wait for it.
    pub(super) fn will_need(&self, part: Range<usize>) {
        if let Some(scattered) = &self.scattered {
            let end = self.range.end.min(self.range.start + part.end);
            scattered.advise(Advice::Soon, self.range.start + part.start..end);
        }
    }

    /// The same bytes, for whoever reads few of them, here and there: the system reads no more than that.
    pub fn scattered(&self) -> &[u8] {
        let file = self.scattered.as_ref().unwrap_or(&self.file);
        file.get(self.range.clone()).unwrap_or_default()
    }
}

impl Deref for SectionBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.file.get(self.range.clone()).unwrap_or_default()
    }
}

impl Segment {
    /// Errors: [`Error::Corrupt`], unless the file is exactly the one that `pinned` names and every part of its structure holds.
    /// `Ok(None)`: there is no such file.
    pub(crate) fn open(
        vfs: &dyn Vfs,
        store: StoreId,
        pinned: &SegmentRef,
        access: Access,
    ) -> Result<Option<Segment>> {
        let file_id = pinned.file_id;
        let Some(file) = File::open(vfs, &Name::Segment(file_id).to_string())? else {
            return Ok(None);
        };
        let bytes = file.len()?;
        if bytes != pinned.bytes || bytes < PAGE_BYTES + FOOTER_BYTES {
            return Err(file.corrupt(
                bytes.min(pinned.bytes),
                format!("the file has {bytes} bytes instead of {}", pinned.bytes),
            ));
        }
        let (page, layout) = read_page(&file, store, file_id, bytes, access)?;
        let footer = read_footer(&file, store, file_id, &layout)?;
        let tables = file.read_vec(layout.tables, layout.footer - layout.tables)?;
        if Seed::new(store, file_id, PART_TABLES).of(0, &tables) != footer.tables_crc {
            return Err(file.corrupt(
                layout.tables,
                "the checksum of the checksum tables does not match",
            ));
        }
        let digest = checksum::digest(&[bytemuck::bytes_of(&page), &tables]);
        if digest.to_le_bytes() != footer.digest || digest != pinned.digest {
            return Err(file.corrupt(layout.footer, "the root digest does not match"));
        }
        let header = page.header();
        if header.rows != pinned.rows {
            return Err(file.corrupt(
                68,
                format!(
                    "it has {} rows, the manifest says {}",
                    header.rows, pinned.rows
                ),
            ));
        }
        let crcs = bytemuck::pod_collect_to_vec(&tables);
        Ok(Some(Segment {
            file,
            store,
            file_id,
            header,
            entries: layout.entries,
            crcs,
        }))
    }

    /// What it says about itself.
    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Names the file in the store.
    pub fn file_id(&self) -> u64 {
        self.file_id
    }

    /// Where it was when it was opened.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Number and size in bytes of a section's elements; `None` if the segment has no such section.
    pub fn shape(&self, kind: SectionKind) -> Option<(u64, u32)> {
        self.entry(kind)
            .map(|entry| (entry.count, entry.elem_bytes))
    }

    /// A copy of a section that nothing outside can change, for bytes that are checked once and trusted then.
    ///
    /// Errors: [`Error::Corrupt`] if a block fails its checksum. For a [derived](SectionKind::is_derived) section this says
    /// nothing about the others: go on without it.
    pub fn read(&self, kind: SectionKind) -> Result<Option<Vec<u8>>> {
        let Some(entry) = self.entry(kind) else {
            return Ok(None);
        };
        let mut bytes = self.file.read_vec(entry.offset, entry.padded())?;
        self.check_blocks(entry, 0, &bytes)?;
        bytes.truncate(usize::try_from(entry.bytes).unwrap_or(usize::MAX));
        Ok(Some(bytes))
    }

    /// A section where the file is mapped, for bytes that may have any value; its checksums hold at the time of the call.
    ///
    /// Errors: as [`read`](Segment::read).
    pub fn map(&self, kind: SectionKind) -> Result<Option<SectionBytes>> {
        if let Some(entry) = self.entry(kind) {
            // In a map of its own: what one has read counts as memory of the process for as long as it is there.
            let file = self.file.map()?;
            self.check_blocks(entry, 0, self.padded(entry, &file)?)?;
        }
        self.map_unchecked(kind)
    }

    /// The same for a file that this process has just written: what it has put into the checksums need not be read again.
    pub fn map_unchecked(&self, kind: SectionKind) -> Result<Option<SectionBytes>> {
        let Some(entry) = self.entry(kind) else {
            return Ok(None);
        };
        let file = self.file.map()?;
        self.padded(entry, &file)?;
        let (start, end) = (entry.offset, entry.offset + entry.bytes);
        let range = self.place(entry, start)?..self.place(entry, end)?;
        let scattered = match kind {
            SectionKind::Vectors | SectionKind::Payload if range.len() >= SCATTERED_BYTES_MIN => {
                let again = self.file.map()?;
                again.advise(Advice::Scattered, range.clone());
                Some(again)
            }
            _ => None,
        };
        Ok(Some(SectionBytes {
            file,
            scattered,
            range,
        }))
    }

    /// One block of a section, in one of the maps of its file.
    pub(super) fn check_block(&self, kind: SectionKind, block: u64, file: &[u8]) -> Result<()> {
        let Some(entry) = self.entry(kind) else {
            return Ok(());
        };
        let blocks = self.padded(entry, file)?;
        let bytes = blocks.chunks(BLOCK_BYTES).nth(self.place(entry, block)?);
        self.check_blocks(entry, block, bytes.ok_or_else(|| self.ends(entry))?)
    }

    /// A section's whole blocks in the mapped file.
    fn padded<'a>(&self, entry: &Entry, file: &'a [u8]) -> Result<&'a [u8]> {
        let (start, end) = (entry.offset, entry.offset + entry.padded());
        let blocks = self.place(entry, start)?..self.place(entry, end)?;
        file.get(blocks).ok_or_else(|| self.ends(entry))
    }

    fn place(&self, entry: &Entry, at: u64) -> Result<usize> {
        usize::try_from(at).map_err(|_| self.ends(entry))
    }

    fn ends(&self, entry: &Entry) -> Error {
        self.file.corrupt(entry.offset, "the file ends here")
    }

    /// Reads every block of every section again; what is wrong with the first bad block of each.
    pub fn verify(&self) -> Vec<Error> {
        self.entries
            .iter()
            .filter_map(|entry| self.verify_section(entry).err())
            .collect()
    }

    /// An error that names this file and a place in a section: for structure that only the upper layer can judge.
    pub fn damage(&self, kind: SectionKind, offset: u64, what: impl Into<String>) -> Error {
        let start = self.entry(kind).map_or(0, |entry| entry.offset);
        self.file.corrupt(
            start.saturating_add(offset),
            format!("{kind}: {}", what.into()),
        )
    }

    fn entry(&self, kind: SectionKind) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.kind == kind.number())
    }

    fn verify_section(&self, entry: &Entry) -> Result<()> {
        self.blocks(entry, true, |_, _| Ok(()))
    }

    /// Hands on whole blocks of a section, some at once with their place in the file. `check`: only as long as their checksums
    /// hold.
    fn blocks<E: From<Error>>(
        &self,
        entry: &Entry,
        check: bool,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        const BLOCKS_AT_ONCE: u64 = 256;
        let mut first = 0;
        while first < entry.blocks() {
            let blocks = BLOCKS_AT_ONCE.min(entry.blocks() - first);
            let at = entry.offset + first * PAGE_BYTES;
            let bytes = self.file.read_vec(at, blocks * PAGE_BYTES)?;
            if check {
                self.check_blocks(entry, first, &bytes)?;
            }
            each(at, &bytes)?;
            first += blocks;
        }
        Ok(())
    }

    /// Copies the file, block by block as long as their checksums hold. `copied` is told the bytes of each step. What is derived
    /// is copied as it is: if it is damaged the copy is as good as the original, and its blocks say so.
    ///
    /// What is not in blocks is as it is now: whoever opens the copy checks it against the manifest.
    pub(crate) fn copy<E: From<Error>>(
        &self,
        to: &File,
        mut copied: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<(), E> {
        for entry in &self.entries {
            self.blocks(entry, !entry.is_derived(), |at, bytes| {
                to.write_all(bytes, at)?;
                copied(bytes.len() as u64)
            })?;
        }
        let sections: u64 = self.entries.iter().map(Entry::padded).sum();
        let tables = PAGE_BYTES + sections;
        for (start, end) in [(0, PAGE_BYTES), (tables, self.file.len()?)] {
            let bytes = self.file.read_vec(start, end.saturating_sub(start))?;
            to.write_all(&bytes, start)?;
            copied(bytes.len() as u64)?;
        }
        Ok(())
    }

    /// `bytes` are whole blocks from block `first` of the section on.
    fn check_blocks(&self, entry: &Entry, first: u64, bytes: &[u8]) -> Result<()> {
        let seed = Seed::new(self.store, self.file_id, entry.kind);
        let before: u64 = self
            .entries
            .iter()
            .take_while(|other| other.kind != entry.kind)
            .map(Entry::blocks)
            .sum();
        let crcs = usize::try_from(before + first)
            .ok()
            .and_then(|at| self.crcs.get(at..))
            .unwrap_or_default();
        for (number, (block, crc)) in (first..).zip(bytes.chunks(BLOCK_BYTES).zip(crcs)) {
            let offset = entry.offset + number * PAGE_BYTES;
            if seed.of(number, block) != *crc {
                return Err(self.file.corrupt(
                    offset,
                    format!(
                        "the checksum of {} block {number} does not match",
                        entry.name()
                    ),
                ));
            }
            let used = (entry.bytes - number * PAGE_BYTES).min(PAGE_BYTES) as usize;
            if block
                .get(used..)
                .unwrap_or_default()
                .iter()
                .any(|&byte| byte != 0)
            {
                return Err(self.file.corrupt(
                    offset,
                    format!("the padding of {} is not zero", entry.name()),
                ));
            }
        }
        Ok(())
    }
}

fn read_page(
    file: &File,
    store: StoreId,
    file_id: u64,
    bytes: u64,
    access: Access,
) -> Result<(Page, Layout)> {
    let mut page = Page::zeroed();
    file.read_exact(bytemuck::bytes_of_mut(&mut page), 0)?;
    page.preamble.check_magic(MAGIC, file)?;
    let seed = Seed::new(store, file_id, PART_HEADER);
    let intact = page.crc == crc_before_last_word(seed, bytemuck::bytes_of(&page));
    if intact {
        page.preamble.check_versions(file, access)?;
    }
    // Who it belongs to comes before the checksum, which depends on that: "another store's" says more than "damaged".
    let layout = page.layout(store, file_id, bytes);
    match layout {
        Ok(layout) if intact => Ok((page, layout)),
        Err(Refused::Unknown(what)) if intact => Err(file.unsupported(what)),
        Err(Refused::Corrupt { offset, what }) => Err(file.corrupt(offset, what)),
        _ => Err(file.corrupt(0, "the checksum of the header does not match")),
    }
}

fn read_footer(file: &File, store: StoreId, file_id: u64, layout: &Layout) -> Result<Footer> {
    let mut footer = Footer::zeroed();
    file.read_exact(bytemuck::bytes_of_mut(&mut footer), layout.footer)?;
    let expected = crc_before_last_word(
        Seed::new(store, file_id, PART_FOOTER),
        bytemuck::bytes_of(&footer),
    );
    let fits = footer.file_bytes == layout.file_bytes()
        && footer.tables == layout.tables
        && footer.zero == [0; 16];
    if footer.magic != FOOTER_MAGIC || footer.crc != expected || !fits {
        return Err(file.corrupt(layout.footer, "the footer is damaged"));
    }
    Ok(footer)
}
