//! What every file of ours starts with, and the file that says what the directory is.
//!
//! Versions: a reader of major version M reads every file of major M; a new minor version only adds what old readers may
//! ignore. The FORMAT file alone keeps its length and checksum in every version, and is read first. Finer steps are feature
//! bits, set only by files that use the feature: an unknown *reader* bit means the file cannot be understood, an unknown
//! *writer* bit that it can be read but not added to.

use bytemuck::{Pod, Zeroable};

use crate::backend::{File, Vfs};
use crate::checksum::Seed;
use crate::error::{Error, Result};
use crate::manifest::StoreId;
use crate::names::{self, Name};
use crate::store::Access;

/// 0 until the first release whose files are kept readable for good.
const MAJOR: u16 = 0;
const MINOR: u16 = 1;
/// CRC-32C for blocks, XXH3-128 for structures.
const CHECKSUM: u32 = 1;
/// Reader and writer features that this version knows: none yet.
const READER_FEATURES: u64 = 0;
const WRITER_FEATURES: u64 = 0;

/// Which file this is, in PNG's manner: a high bit, a name, and line ends that a text-mode copy would change.
pub(crate) type Magic = [u8; 8];
const FORMAT_MAGIC: Magic = *b"\x89PXF\r\n\x1a\n";

/// The first 32 bytes of every file.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Preamble {
    magic: Magic,
    major: u16,
    minor: u16,
    checksum: u32,
    reader_features: u64,
    writer_features: u64,
}

impl Preamble {
    pub(crate) fn new(magic: Magic) -> Preamble {
        Preamble {
            magic,
            major: MAJOR,
            minor: MINOR,
            checksum: CHECKSUM,
            reader_features: READER_FEATURES,
            writer_features: WRITER_FEATURES,
        }
    }

    /// Errors: another kind of file.
    pub(crate) fn check_magic(&self, magic: Magic, file: &File) -> Result<()> {
        match self.magic == magic {
            true => Ok(()),
            false => Err(file.corrupt(0, "the magic number is not ours")),
        }
    }

    /// To be asked when the checksum over it holds: a bit that has flipped is damage, and no newer version.
    ///
    /// Errors: a version or feature that is not known.
    pub(crate) fn check_versions(&self, file: &File, access: Access) -> Result<()> {
        if self.major != MAJOR {
            return Err(file.unsupported(format!(
                "format {}.{}; this is {MAJOR}.{MINOR}",
                self.major, self.minor
            )));
        }
        if self.checksum != CHECKSUM {
            return Err(file.unsupported(format!("checksum algorithm {}", self.checksum)));
        }
        let unknown = self.reader_features & !READER_FEATURES;
        if unknown != 0 {
            return Err(file.unsupported(format!("reader features {unknown:#x}")));
        }
        let unknown = self.writer_features & !WRITER_FEATURES;
        if unknown != 0 && access != Access::Read {
            return Err(file.unsupported(format!(
                "writer features {unknown:#x}; it can be opened for reading"
            )));
        }
        Ok(())
    }
}

/// The FORMAT file: 64 bytes, written once.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Format {
    preamble: Preamble,
    store: [u8; 16],
    zero: [u8; 12],
    /// Of all bytes before; no store or file to seed it with yet.
    crc: u32,
}

const FORMAT_BYTES: usize = size_of::<Format>();

impl Format {
    fn crc(&self) -> u32 {
        let bytes = bytemuck::bytes_of(self);
        crc32c::crc32c(
            bytes
                .get(..FORMAT_BYTES - size_of::<u32>())
                .unwrap_or_default(),
        )
    }
}

/// Reads the store's id; `None` if there is no FORMAT file.
pub(crate) fn read(vfs: &dyn Vfs, access: Access) -> Result<Option<StoreId>> {
    let Some(file) = File::open(vfs, names::FORMAT)? else {
        return Ok(None);
    };
    let not_ours = |reason| Error::NotAStore {
        path: vfs.path().to_owned(),
        reason,
    };
    if file.len()? != FORMAT_BYTES as u64 {
        return Err(not_ours("its FORMAT file has another length than ours"));
    }
    let mut format = Format::zeroed();
    file.read_exact(bytemuck::bytes_of_mut(&mut format), 0)?;
    if format.preamble.magic != FORMAT_MAGIC {
        return Err(not_ours("its FORMAT file is not ours"));
    }
    if format.crc != format.crc() {
        return Err(file.corrupt(0, "the checksum does not match"));
    }
    format.preamble.check_versions(&file, access)?;
    if format.zero != [0; 12] {
        return Err(file.corrupt(48, "reserved bytes are not zero"));
    }
    Ok(Some(StoreId(format.store)))
}

/// Writes the FORMAT file of a new store, durably.
pub(crate) fn create(vfs: &dyn Vfs) -> Result<StoreId> {
    let store = vfs.unique().map_err(|source| Error::Io {
        op: "choose an id for",
        path: vfs.path().join(names::FORMAT),
        source,
    })?;
    write(vfs, StoreId(store))?;
    Ok(StoreId(store))
}

/// Writes the FORMAT file of a store that has an id, durably.
pub(crate) fn write(vfs: &dyn Vfs, store: StoreId) -> Result<()> {
    let io = |op| {
        move |source| Error::Io {
            op,
            path: vfs.path().join(names::FORMAT),
            source,
        }
    };
    let mut format = Format {
        preamble: Preamble::new(FORMAT_MAGIC),
        store: store.0,
        zero: [0; 12],
        crc: 0,
    };
    format.crc = format.crc();
    let tmp = Name::TmpManifest(0).to_string();
    vfs.unlink(&tmp).ok(); // left behind by a creation that was cut short
    let file = File::create(vfs, &tmp)?;
    file.write_all(bytemuck::bytes_of(&format), 0)?;
    file.seal()?;
    file.sync()?;
    vfs.rename_noreplace(&tmp, names::FORMAT)
        .map_err(io("rename"))?;
    vfs.sync_dir().map_err(io("sync directory of"))
}

/// For structures that end in their own CRC.
pub(crate) fn crc_before_last_word(seed: Seed, bytes: &[u8]) -> u32 {
    seed.of(
        0,
        bytes
            .get(..bytes.len().saturating_sub(size_of::<u32>()))
            .unwrap_or_default(),
    )
}
