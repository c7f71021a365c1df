//! Writing a segment: sections in any order, bytes in sequence, checksums on the way.
//!
//! Everything goes into a `tmp-` file. [`SegmentWriter::finish`] writes header, tables and footer, seals, syncs, and gives
//! the file its name; only then can a manifest name it. A writer that is dropped before leaves nothing behind.

use std::sync::Arc;

use super::layout::{
    FOOTER_MAGIC, Footer, Layout, PAGE_BYTES, PART_FOOTER, PART_HEADER, PART_TABLES, Page,
    SECTIONS_MAX,
};
use super::{SectionKind, SegmentHeader};
use crate::backend::File;
use crate::checksum::{self, BLOCK_BYTES, Seed};
use crate::error::{Error, Result};
use crate::format::crc_before_last_word;
use crate::manifest::SegmentRef;
use crate::names::Name;
use crate::store::Shared;

/// A segment in the making.
#[derive(Debug)]
pub struct SegmentWriter {
    shared: Arc<Shared>,
    file: Arc<File>,
    file_id: u64,
    header: SegmentHeader,
    /// Where the next byte goes.
    at: u64,
    /// Kind, element size and, once known, count of each section.
    sections: Vec<(SectionKind, u32, u64)>,
    /// One CRC per finished block, all sections after each other.
    crcs: Vec<u32>,
    /// Of the block that is being filled.
    crc: u32,
    /// First byte of the current section.
    start: u64,
    finished: bool,
}

impl SegmentWriter {
    pub(crate) fn new(
        shared: Arc<Shared>,
        file_id: u64,
        header: SegmentHeader,
    ) -> Result<SegmentWriter> {
        let file = File::create(&*shared.vfs, &Name::TmpSegment(file_id).to_string())?;
        Ok(SegmentWriter {
            shared,
            file: Arc::new(file),
            file_id,
            header,
            at: PAGE_BYTES,
            sections: Vec::new(),
            crcs: Vec::new(),
            crc: 0,
            start: PAGE_BYTES,
            finished: false,
        })
    }

    /// Says how large the segment will be, roughly: in memory, its bytes are then not moved as they become more.
    pub fn expect(&self, bytes: u64) {
        self.file.expect(PAGE_BYTES + bytes);
    }

    /// Starts a section of elements of `elem_bytes` bytes, and ends the one before.
    ///
    /// Errors: a kind that the segment has already; a section before that is no whole number of elements; the system's.
    pub fn begin(&mut self, kind: SectionKind, elem_bytes: u32) -> Result<()> {
        self.end()?;
        if elem_bytes == 0
            || self.sections.len() == SECTIONS_MAX
            || self.sections.iter().any(|s| s.0 == kind)
        {
            return Err(Error::Section {
                kind,
                problem: "a segment has each section at most once, of elements of at least a byte",
            });
        }
        self.sections.push((kind, elem_bytes, 0));
        self.start = self.at;
        self.crc = self.seed(kind).start(0);
        Ok(())
    }

    /// The next bytes of the section. Large pieces are better: each is one write.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(&(kind, ..)) = self.sections.last() else {
            return Err(Error::Section {
                kind: SectionKind::Vectors,
                problem: "bytes before the first section",
            });
        };
        self.file.write_all(bytes, self.at)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = BLOCK_BYTES - (self.at % PAGE_BYTES) as usize;
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.crc = checksum::extend(self.crc, now);
            self.at += now.len() as u64;
            if now.len() == room {
                self.crcs.push(self.crc);
                self.crc = self.seed(kind).start((self.at - self.start) / PAGE_BYTES);
            }
            rest = later;
        }
        Ok(())
    }

    /// What makes durable all that has been appended, ahead of [`finish`](SegmentWriter::finish), which then has less to wait for. It
    /// borrows nothing, for whoever gives the file up in the meantime and does not wait for the disk.
    ///
    /// Errors: the system's. After a failed sync the store is poisoned.
    pub fn sync_apart(&self) -> impl FnOnce() -> Result<()> + Send + use<> {
        // Weak: a sync that nobody waits for must not keep the store locked.
        let (shared, file) = (Arc::downgrade(&self.shared), Arc::clone(&self.file));
        move || {
            let synced = file.sync();
            match shared.upgrade() {
                Some(shared) => shared.poison(synced),
                None => synced,
            }
        }
    }

    /// Completes the file and names it. It belongs to the store once a commit lists what this returns.
    ///
    /// Errors: as [`begin`](SegmentWriter::begin). After a failed sync the store is poisoned.
    pub fn finish(mut self) -> Result<SegmentRef> {
        self.end()?;
        let layout = Layout::of(&self.sections).ok_or(Error::Section {
            kind: SectionKind::Vectors,
            problem: "too many bytes",
        })?;
        let store = self.shared.store;
        let mut page = Page::new(store, self.file_id, &self.header, &layout);
        page.crc = crc_before_last_word(
            Seed::new(store, self.file_id, PART_HEADER),
            bytemuck::bytes_of(&page),
        );
        let (page, tables) = (bytemuck::bytes_of(&page), bytemuck::cast_slice(&self.crcs));
        let digest = checksum::digest(&[page, tables]);
        let mut footer = Footer {
            magic: FOOTER_MAGIC,
            file_bytes: layout.file_bytes(),
            tables: layout.tables,
            digest: digest.to_le_bytes(),
            tables_crc: Seed::new(store, self.file_id, PART_TABLES).of(0, tables),
            zero: [0; 16],
            crc: 0,
        };
        footer.crc = crc_before_last_word(
            Seed::new(store, self.file_id, PART_FOOTER),
            bytemuck::bytes_of(&footer),
        );
        self.file.write_all(page, 0)?;
        self.file.write_all(tables, layout.tables)?;
        self.file
            .write_all(bytemuck::bytes_of(&footer), layout.footer)?;
        self.shared.publish(
            &self.file,
            Name::TmpSegment(self.file_id),
            Name::Segment(self.file_id),
        )?;
        self.finished = true;
        let (file_id, rows) = (self.file_id, self.header.rows);
        Ok(SegmentRef {
            file_id,
            bytes: layout.file_bytes(),
            rows,
            digest,
            other: serde_json::Map::new(),
        })
    }

    /// Pads the current section with zeros and notes its length.
    fn end(&mut self) -> Result<()> {
        let bytes = self.at - self.start;
        let Some((kind, elem_bytes, count)) = self.sections.last_mut() else {
            return Ok(());
        };
        if !bytes.is_multiple_of(u64::from(*elem_bytes)) {
            return Err(Error::Section {
                kind: *kind,
                problem: "it ends within an element",
            });
        }
        *count = bytes / u64::from(*elem_bytes);
        let padding = ((PAGE_BYTES - bytes % PAGE_BYTES) % PAGE_BYTES) as usize;
        self.append([0; BLOCK_BYTES].get(..padding).unwrap_or_default())
    }

    fn seed(&self, kind: SectionKind) -> Seed {
        Seed::new(self.shared.store, self.file_id, kind.number())
    }
}

impl Drop for SegmentWriter {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed now is removed when the store is next opened.
            self.shared
                .vfs
                .unlink(&Name::TmpSegment(self.file_id).to_string())
                .ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, Collection, MemVfs, Store};

    /// All in a file is either what somebody wrote or zero, whoever wrote it.
    #[test]
    fn padding_is_zero() {
        let vfs = Arc::new(MemVfs::new());
        let (mut store, _) = Store::open(vfs.clone(), Access::Create).unwrap();
        let header = SegmentHeader {
            collection_id: 1,
            rows: 1,
            dim: 1,
            dtype: 0,
            metric: 0,
        };
        let mut writer = store.create_segment(header).unwrap();
        writer.begin(SectionKind::Vectors, 1).unwrap();
        writer.append(&[7; BLOCK_BYTES]).unwrap();
        writer.begin(SectionKind::Ids, 1).unwrap();
        // As if the last bytes were no elements, but what fills the block.
        writer.sections[0].2 = BLOCK_BYTES as u64 - 9;
        let pinned = writer.finish().unwrap();
        store
            .commit(|manifest| {
                let mut collection = Collection::new(1, "c", ().into());
                collection.segments.push(pinned);
                manifest.collections.push(collection);
            })
            .unwrap();
        drop(store);
        let (_, segments) = Store::open(vfs, Access::Read).unwrap();
        let error = segments[0].read(SectionKind::Vectors).unwrap_err();
        assert!(error.to_string().contains("the padding of VEC"), "{error}");
    }
}
