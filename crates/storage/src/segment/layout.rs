//! The bytes of a segment's header page and footer, and the one layout that lengths allow.

use bytemuck::{Pod, Zeroable};

use super::{SectionKind, SegmentHeader};
use crate::checksum::BLOCK_BYTES;
use crate::format::{Magic, Preamble};
use crate::manifest::{ROWS_MAX, StoreId};

pub(super) const MAGIC: Magic = *b"\x89PXS\r\n\x1a\n";
pub(super) const FOOTER_MAGIC: Magic = *b"\x89PXE\r\n\x1a\n";
pub(super) const PAGE_BYTES: u64 = 4096;
const BLOCK: u32 = 4096;
pub(super) const FOOTER_BYTES: u64 = size_of::<Footer>() as u64;
pub(super) const SECTIONS_MAX: usize = 32;
const DIM_MAX: u32 = 65_536;

/// Parts of a file that are not sections, for seeding their checksums.
pub(super) const PART_HEADER: u32 = 0xffff_ffff;
pub(super) const PART_TABLES: u32 = 0xffff_fffe;
pub(super) const PART_FOOTER: u32 = 0xffff_fffd;

/// Bit 0 of [`Entry::flags`]; the others are zero.
const FLAG_DERIVED: u32 = 1;

/// Page 0.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Page {
    pub(super) preamble: Preamble,
    store: [u8; 16],
    file_id: u64,
    collection_id: u64,
    dim: u32,
    rows: u32,
    dtype: u8,
    metric: u8,
    sections: u16,
    block_bytes: u32,
    zero: [u8; 48],
    table: [Entry; SECTIONS_MAX],
    zero_too: [u8; 2428],
    pub(super) crc: u32,
}

/// One line of the section table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Entry {
    pub(super) kind: u32,
    flags: u32,
    pub(super) elem_bytes: u32,
    zero: u32,
    pub(super) count: u64,
    pub(super) offset: u64,
    pub(super) bytes: u64,
    /// Where the section's checksum table starts.
    pub(super) crcs: u64,
}

/// The last 64 bytes.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Footer {
    pub(super) magic: Magic,
    pub(super) file_bytes: u64,
    pub(super) tables: u64,
    /// XXH3-128 of header page and tables, little-endian.
    pub(super) digest: [u8; 16],
    pub(super) tables_crc: u32,
    pub(super) zero: [u8; 16],
    pub(super) crc: u32,
}

const _: () = assert!(BLOCK_BYTES == BLOCK as usize && PAGE_BYTES == BLOCK as u64);
const _: () = assert!(
    size_of::<Page>() == BLOCK_BYTES && size_of::<Footer>() == 64 && size_of::<Entry>() == 48
);

impl Entry {
    /// Bytes in the file, padding included.
    pub(super) fn padded(&self) -> u64 {
        self.bytes.next_multiple_of(PAGE_BYTES)
    }

    pub(super) fn blocks(&self) -> u64 {
        self.bytes.div_ceil(PAGE_BYTES)
    }

    pub(super) fn is_derived(&self) -> bool {
        self.flags & FLAG_DERIVED != 0
    }

    pub(super) fn name(&self) -> String {
        SectionKind::from_number(self.kind)
            .map_or_else(|| format!("section {}", self.kind), |kind| kind.to_string())
    }
}

/// Where everything lies in a segment whose sections have these kinds and lengths.
pub(super) struct Layout {
    pub(super) entries: Vec<Entry>,
    pub(super) tables: u64,
    pub(super) footer: u64,
}

impl Layout {
    /// From `(kind, flags, elem_bytes, count)` of each section; `None` if the lengths overflow.
    fn new(sections: impl Iterator<Item = (u32, u32, u32, u64)>) -> Option<Layout> {
        let mut entries = Vec::new();
        let mut at = PAGE_BYTES;
        for (kind, flags, elem_bytes, count) in sections {
            let bytes = count.checked_mul(u64::from(elem_bytes))?;
            entries.push(Entry {
                kind,
                flags,
                elem_bytes,
                zero: 0,
                count,
                offset: at,
                bytes,
                crcs: 0,
            });
            at = at.checked_add(bytes.checked_next_multiple_of(PAGE_BYTES)?)?;
        }
        let tables = at;
        for entry in &mut entries {
            entry.crcs = at;
            at = at.checked_add(entry.blocks().checked_mul(4)?)?;
        }
        at.checked_add(FOOTER_BYTES)?;
        Some(Layout {
            entries,
            tables,
            footer: at,
        })
    }

    /// For writing.
    pub(super) fn of(sections: &[(SectionKind, u32, u64)]) -> Option<Layout> {
        Layout::new(sections.iter().map(|&(kind, elem_bytes, count)| {
            (
                kind.number(),
                if kind.is_derived() { FLAG_DERIVED } else { 0 },
                elem_bytes,
                count,
            )
        }))
    }

    /// Bytes of the whole file.
    pub(super) fn file_bytes(&self) -> u64 {
        self.footer + FOOTER_BYTES
    }
}

/// Why a header page is refused.
pub(super) enum Refused {
    Corrupt { offset: u64, what: String },
    Unknown(String),
}

fn corrupt(offset: usize, what: impl Into<String>) -> Refused {
    Refused::Corrupt {
        offset: offset as u64,
        what: what.into(),
    }
}

impl Page {
    pub(super) fn new(
        store: StoreId,
        file_id: u64,
        header: &SegmentHeader,
        layout: &Layout,
    ) -> Page {
        let mut page = Page {
            preamble: Preamble::new(MAGIC),
            store: store.0,
            file_id,
            collection_id: header.collection_id,
            dim: header.dim,
            rows: header.rows,
            dtype: header.dtype,
            metric: header.metric,
            sections: u16::try_from(layout.entries.len()).unwrap_or(u16::MAX),
            block_bytes: BLOCK,
            ..Page::zeroed()
        };
        for (line, entry) in page.table.iter_mut().zip(&layout.entries) {
            *line = *entry;
        }
        page
    }

    pub(super) fn header(&self) -> SegmentHeader {
        let Page {
            collection_id,
            rows,
            dim,
            dtype,
            metric,
            ..
        } = *self;
        SegmentHeader {
            collection_id,
            rows,
            dim,
            dtype,
            metric,
        }
    }

    /// The layout, if this page is one that [`Page::new`] could have made for this file.
    pub(super) fn layout(
        &self,
        store: StoreId,
        file_id: u64,
        file_bytes: u64,
    ) -> Result<Layout, Refused> {
        if self.store != store.0 {
            return Err(corrupt(
                32,
                format!(
                    "it belongs to store {}, not to {store}",
                    StoreId(self.store)
                ),
            ));
        }
        if self.file_id != file_id {
            return Err(corrupt(
                48,
                format!(
                    "it is segment {:#x} under the name of {file_id:#x}",
                    self.file_id
                ),
            ));
        }
        if !(1..=DIM_MAX).contains(&self.dim) || self.rows > ROWS_MAX {
            return Err(corrupt(
                64,
                format!("{} rows of {} components", self.rows, self.dim),
            ));
        }
        if self.block_bytes != BLOCK || self.zero != [0; 48] || self.zero_too != [0; 2428] {
            return Err(corrupt(
                76,
                "reserved bytes are not zero, or blocks are not of 4,096 bytes",
            ));
        }
        let (used, unused) = self
            .table
            .split_at_checked(self.sections.into())
            .ok_or_else(|| corrupt(74, format!("{} sections", self.sections)))?;
        for (i, entry) in used.iter().enumerate() {
            check_kind(entry, used.get(..i).unwrap_or_default())?;
        }
        let layout = Layout::new(
            used.iter()
                .map(|e| (e.kind, e.flags, e.elem_bytes, e.count)),
        )
        .filter(|layout| layout.file_bytes() == file_bytes)
        .ok_or_else(|| {
            corrupt(
                128,
                format!("its sections do not add up to the {file_bytes} bytes it has"),
            )
        })?;
        if layout.entries != used || unused.iter().any(|entry| *entry != Entry::zeroed()) {
            return Err(corrupt(
                128,
                "the section table is not laid out as its lengths demand",
            ));
        }
        Ok(layout)
    }
}

fn check_kind(entry: &Entry, before: &[Entry]) -> Result<(), Refused> {
    let what = || {
        format!(
            "{}: flags {:#x}, {} elements of {} bytes",
            entry.name(),
            entry.flags,
            entry.count,
            entry.elem_bytes
        )
    };
    let derived = entry.flags & FLAG_DERIVED != 0;
    if entry.flags & !FLAG_DERIVED != 0
        || entry.elem_bytes == 0
        || before.iter().any(|other| other.kind == entry.kind)
    {
        return Err(corrupt(128, what()));
    }
    match SectionKind::from_number(entry.kind) {
        Some(kind) if kind.is_derived() == derived => Ok(()),
        Some(_) => Err(corrupt(128, what())),
        None if derived => Ok(()),
        None => Err(Refused::Unknown(what())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId([3; 16]);

    fn page() -> (Page, u64) {
        let sections = [
            (SectionKind::Vectors, 12, 1000),
            (SectionKind::Graph, 1, 33),
            (SectionKind::Ids, 1, 4097),
        ];
        let layout = Layout::of(&sections).unwrap();
        let header = SegmentHeader {
            collection_id: 5,
            rows: 1000,
            dim: 3,
            dtype: 0,
            metric: 2,
        };
        (Page::new(STORE, 9, &header, &layout), layout.file_bytes())
    }

    #[test]
    fn sections_follow_each_other() {
        let (page, bytes) = page();
        let Ok(layout) = page.layout(STORE, 9, bytes) else {
            panic!()
        };
        let offsets: Vec<u64> = layout.entries.iter().map(|entry| entry.offset).collect();
        let crcs: Vec<u64> = layout.entries.iter().map(|entry| entry.crcs).collect();
        assert_eq!(offsets, [4096, 4096 * 4, 4096 * 5]);
        let end = 4096 * 7;
        assert_eq!((layout.tables, layout.footer), (end, end + 24));
        assert_eq!(crcs, [end, end + 12, end + 16]);
        assert_eq!(bytes, 4096 * 7 + 24 + 64);
    }

    /// Without any checksum: whatever a byte is changed to, every section stays where it was or the page is refused.
    #[test]
    fn structure_holds_without_checksums() {
        let (page, bytes) = page();
        let places = |page: &Page| {
            let layout = page.layout(STORE, 9, bytes).ok()?;
            let place = |e: &Entry| (e.count, e.elem_bytes, e.offset, e.bytes, e.crcs);
            Some(layout.entries.iter().map(place).collect::<Vec<_>>())
        };
        let expected = places(&page);
        let (mut refused, mut tried) = (0, 0);
        for at in size_of::<Preamble>()..BLOCK_BYTES - size_of::<u32>() {
            for value in [0, 1, 2, 7, 0x7f, 0x80, 0xff] {
                let mut other = page;
                let byte = &mut bytemuck::bytes_of_mut(&mut other)[at];
                tried += usize::from(*byte != value);
                *byte = value;
                match places(&other) {
                    None => refused += 1,
                    found => assert_eq!(found, expected, "byte {at} = {value}"),
                }
            }
        }
        // What is free: collection, dim and rows within limits, dtype, metric, and the kinds of sections.
        assert!(tried - refused < 150, "{refused} of {tried} refused");
    }

    #[test]
    fn lengths_that_overflow_are_refused() {
        for count in [u64::MAX, u64::MAX / 12, u64::MAX / 12 - 400, 1 << 60] {
            let (mut page, bytes) = page();
            page.table[0].count = count;
            assert!(page.layout(STORE, 9, bytes).is_err());
            assert!(Layout::of(&[(SectionKind::Ids, u32::MAX, u64::MAX)]).is_none());
        }
    }

    #[test]
    fn unknown_sections_must_be_derived() {
        let (mut page, bytes) = page();
        page.table[1].kind = 77;
        assert!(
            page.layout(STORE, 9, bytes).is_ok(),
            "the graph was marked as derived"
        );
        page.table[1].flags = 0;
        assert!(matches!(
            page.layout(STORE, 9, bytes),
            Err(Refused::Unknown(_))
        ));
    }
}
