//! A segment as far as its checksums hold: each block by itself, whatever is wrong with the others.
//!
//! The number of blocks follows from the length of the file, and with it the place of their checksums. Which block belongs to
//! which section is in the header page. Should that be damaged, it can be found out: a checksum starts with the kind of its section and the
//! number of its block, so only one kind and number fit. A file of another length than it was written with has lost its checksums.

use std::ops::Range;
use std::path::Path;

use bytemuck::Zeroable;

use super::layout::{Entry, FOOTER_BYTES, MAGIC, PAGE_BYTES, PART_HEADER, Page};
use super::{SectionKind, SegmentHeader};
use crate::backend::{Bytes, File, Vfs};
use crate::checksum::{BLOCK_BYTES, Seed};
use crate::error::{Error, Result};
use crate::format::crc_before_last_word;
use crate::manifest::StoreId;
use crate::names::Name;
use crate::store::Access;

/// A block and its checksum.
const BLOCK_AND_CRC_BYTES: u64 = PAGE_BYTES + 4;

/// What is left of a segment.
#[derive(Debug)]
pub struct Remnant {
    file: File,
    file_id: u64,
    header: Option<SegmentHeader>,
    bytes: Bytes,
    sections: Vec<Section>,
}

/// Blocks of one section.
#[derive(Debug)]
struct Section {
    kind: u32,
    /// First byte in the file.
    start: usize,
    /// Of each block, whether its checksum holds.
    intact: Vec<bool>,
}

/// A section, the bytes of which may be missing here and there.
#[derive(Clone, Copy, Debug)]
pub struct Holed<'a> {
    bytes: &'a [u8],
    /// Of each block.
    intact: &'a [bool],
    /// Where it starts.
    start: usize,
}

impl<'a> Holed<'a> {
    /// Bytes of the section, all of them in intact blocks; `None` if there are no such bytes.
    pub fn get(&self, range: Range<usize>) -> Option<&'a [u8]> {
        let range = self.start.checked_add(range.start)?..self.start.checked_add(range.end)?;
        let blocks = range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES);
        let intact = range.is_empty() || self.intact.get(blocks)?.iter().all(|&intact| intact);
        self.bytes.get(range).filter(|_| intact)
    }

    /// The same from byte `bytes` on.
    #[must_use]
    pub fn skip(&self, bytes: usize) -> Holed<'a> {
        Holed {
            start: self.start.saturating_add(bytes),
            ..*self
        }
    }

    /// Bytes of all its blocks: no column in it has more rows.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a section has at least a block"
    )]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Row `row` of a blob column of `rows` rows.
    pub fn cell(&self, rows: usize, row: usize) -> Option<&'a [u8]> {
        let base = rows.checked_add(1)?.checked_mul(8)?;
        let offset = |i: usize| -> Option<usize> {
            let bytes = self.get(i.checked_mul(8)?..i.checked_mul(8)?.checked_add(8)?)?;
            let offset = usize::try_from(u64::from_le_bytes(*bytes.first_chunk()?)).ok()?;
            base.checked_add(offset)
        };
        let (start, end) = (offset(row)?, offset(row.checked_add(1)?)?);
        if start > end || row >= rows {
            return None;
        }
        self.get(start..end)
    }
}

impl Remnant {
    /// All that is left of segment `file_id`, and what is wrong with its structure, if it can be read in spite of it.
    ///
    /// Errors: the system's; no such file, or one in which there is nothing to be found.
    pub(crate) fn read(
        vfs: &dyn Vfs,
        store: StoreId,
        file_id: u64,
    ) -> Result<(Remnant, Option<Error>)> {
        let name = Name::Segment(file_id).to_string();
        let Some(file) = File::open(vfs, &name)? else {
            return Err(Error::Corrupt {
                file: vfs.path().join(name),
                offset: 0,
                what: "the file is missing".into(),
            });
        };
        let len = file.len()?;
        let content = len.checked_sub(PAGE_BYTES + FOOTER_BYTES);
        let Some(content) = content.filter(|bytes| bytes.is_multiple_of(BLOCK_AND_CRC_BYTES))
        else {
            return Err(file.corrupt(len, "the file has lost a part, and with it its checksums"));
        };
        let bytes = file.map()?;
        let blocks = Blocks {
            bytes: &bytes,
            store,
            file_id,
            count: usize::try_from(content / BLOCK_AND_CRC_BYTES).unwrap_or(0),
        };
        let (header, entries, problem) = match read_header(&file, store, file_id, len) {
            Ok((header, entries)) => (Some(header), entries, None),
            Err(e) => (None, Vec::new(), Some(e)),
        };
        let sections = match header {
            Some(_) => blocks.known(&entries),
            None => blocks.guessed(),
        };
        let remnant = Remnant {
            file,
            file_id,
            header,
            bytes,
            sections,
        };
        Ok((remnant, problem))
    }

    /// Whether segment `file_id` has an intact header page of this store.
    pub(crate) fn has_header(vfs: &dyn Vfs, store: StoreId, file_id: u64) -> bool {
        let name = Name::Segment(file_id).to_string();
        let Ok(Some(file)) = File::open(vfs, &name) else {
            return false;
        };
        let header = file
            .len()
            .and_then(|len| read_header(&file, store, file_id, len));
        header.is_ok()
    }

    /// Names the file in the store.
    pub fn file_id(&self) -> u64 {
        self.file_id
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// What it says about itself; `None` if that is damaged.
    pub fn header(&self) -> Option<&SegmentHeader> {
        self.header.as_ref()
    }

    /// A section, zero padded to whole blocks; `None` if nothing of it was found.
    pub fn section(&self, kind: SectionKind) -> Option<Holed<'_>> {
        let section = self.sections.iter().find(|s| s.kind == kind.number())?;
        let end = section.start + section.intact.len() * BLOCK_BYTES;
        Some(Holed {
            bytes: self.bytes.get(section.start..end)?,
            intact: &section.intact,
            start: 0,
        })
    }
}

fn read_header(
    file: &File,
    store: StoreId,
    file_id: u64,
    len: u64,
) -> Result<(SegmentHeader, Vec<Entry>)> {
    let mut page = Page::zeroed();
    file.read_exact(bytemuck::bytes_of_mut(&mut page), 0)?;
    page.preamble.check_magic(MAGIC, file)?;
    let damaged = || file.corrupt(0, "the header is damaged");
    let seed = Seed::new(store, file_id, PART_HEADER);
    if page.crc != crc_before_last_word(seed, bytemuck::bytes_of(&page)) {
        return Err(damaged());
    }
    page.preamble.check_versions(file, Access::Read)?;
    let layout = page.layout(store, file_id, len).map_err(|_| damaged())?;
    Ok((page.header(), layout.entries))
}

/// The blocks of a file, by number from the header page on.
struct Blocks<'a> {
    bytes: &'a [u8],
    store: StoreId,
    file_id: u64,
    count: usize,
}

impl Blocks<'_> {
    fn start(number: usize) -> usize {
        (number + 1) * BLOCK_BYTES
    }

    /// Whether block `number` of the file is number `within` of a section of this kind.
    fn is(&self, number: usize, kind: u32, within: usize) -> bool {
        let crc_at = Self::start(self.count) + 4 * number;
        let block = self.bytes.get(Self::start(number)..Self::start(number + 1));
        let crc = self
            .bytes
            .get(crc_at..crc_at + 4)
            .and_then(|crc| crc.first_chunk());
        let (Some(block), Some(crc)) = (block, crc) else {
            return false;
        };
        let seed = Seed::new(self.store, self.file_id, kind);
        seed.of(within as u64, block) == u32::from_le_bytes(*crc)
    }

    fn known(&self, entries: &[Entry]) -> Vec<Section> {
        let mut first = 0;
        let mut sections = Vec::new();
        for entry in entries {
            let blocks = usize::try_from(entry.blocks()).unwrap_or(0);
            let intact = (0..blocks).map(|within| self.is(first + within, entry.kind, within));
            sections.push(Section {
                kind: entry.kind,
                start: Self::start(first),
                intact: intact.collect(),
            });
            first += blocks;
        }
        sections
    }

    /// A block that starts no section belongs to the one before it, damaged or not.
    fn guessed(&self) -> Vec<Section> {
        let mut sections: Vec<Section> = Vec::new();
        for number in 0..self.count {
            if let Some(current) = sections.last_mut() {
                let within = current.intact.len();
                if self.is(number, current.kind, within) {
                    current.intact.push(true);
                    continue;
                }
            }
            let kinds = SectionKind::ALL.map(SectionKind::number);
            match kinds.into_iter().find(|&kind| self.is(number, kind, 0)) {
                Some(kind) => sections.push(Section {
                    kind,
                    start: Self::start(number),
                    intact: vec![true],
                }),
                None => {
                    if let Some(current) = sections.last_mut() {
                        current.intact.push(false);
                    }
                }
            }
        }
        sections
    }
}
