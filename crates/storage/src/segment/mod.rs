//! Segments: write-once files of named sections, each 4 KiB block under its own checksum.
//!
//! ```text
//! 0        header page: preamble, store, file, collection, shape, section table, CRC
//! 4096     sections, one after the other, each zero padded to 4 KiB
//! ..       checksum tables: one u32 per block of each section, in the order of the sections
//! len-64   footer: length, place and CRC of the tables, root digest, CRC
//! ```
//!
//! The layout is canonical: every offset in the header follows from the lengths, and a file in which one does not is refused.
//! So sections cannot overlap or leave the file, and no byte of it is without a checksum. The root digest covers header and
//! tables, through them everything; the manifest repeats it together with the length, which pins the content of the file.

mod layout;
mod lazy;
mod reader;
mod remnant;
mod writer;

use std::fmt;

pub use lazy::LazySection;
pub use reader::{SectionBytes, Segment};
pub use remnant::{Holed, Remnant};
pub use writer::SegmentWriter;

/// What a segment says about itself. `dtype` and `metric` are the upper layer's codes, not understood here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The collection it was written for.
    pub collection_id: u64,
    /// Rows, at most 2^31 - 1.
    pub rows: u32,
    /// Components of each vector, 1 to 65,536.
    pub dim: u32,
    /// What a component is.
    pub dtype: u8,
    /// What distances mean.
    pub metric: u8,
}

/// What a section holds. The numbers are those in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u32)]
pub enum SectionKind {
    /// Vectors, `rows x dim`.
    Vectors = 1,
    /// The same, quantized.
    Codes = 2,
    /// What the codes mean.
    Codebook = 3,
    /// The search graph.
    Graph = 4,
    /// Ids: a blob column.
    Ids = 5,
    /// Metadata: a blob column.
    Payload = 6,
    /// Ids whose rows in older segments do not count any more.
    Deleted = 7,
    /// Which write each row comes from.
    Versions = 8,
}

impl SectionKind {
    const ALL: [SectionKind; 8] = [
        SectionKind::Vectors,
        SectionKind::Codes,
        SectionKind::Codebook,
        SectionKind::Graph,
        SectionKind::Ids,
        SectionKind::Payload,
        SectionKind::Deleted,
        SectionKind::Versions,
    ];

    /// Can be computed again from the other sections: a segment without it, or with a damaged one, still answers.
    pub fn is_derived(self) -> bool {
        matches!(
            self,
            SectionKind::Codes | SectionKind::Codebook | SectionKind::Graph
        )
    }

    fn number(self) -> u32 {
        self as u32
    }

    fn from_number(number: u32) -> Option<SectionKind> {
        SectionKind::ALL
            .into_iter()
            .find(|kind| kind.number() == number)
    }
}

impl fmt::Display for SectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SectionKind::Vectors => "VEC",
            SectionKind::Codes => "CODES",
            SectionKind::Codebook => "CODEBOOK",
            SectionKind::Graph => "GRAPH",
            SectionKind::Ids => "IDS",
            SectionKind::Payload => "PAYLOAD",
            SectionKind::Deleted => "DELETED",
            SectionKind::Versions => "VERSIONS",
        })
    }
}
