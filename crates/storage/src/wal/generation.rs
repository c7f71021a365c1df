//! One file of the log: what it starts with, how it comes into being, and the end that frames are added to.
//!
//! ```text
//! 0   preamble, 32 bytes
//! 32  store id
//! 48  generation u64, first_seq u64, durable_seq u64, salt u64
//! 80  zero u32, crc u32
//! 88  frames
//! ```

use bytemuck::{Pod, Zeroable};

use super::Frame;
use super::frame::{self, KIND_CLOSE, KIND_MARK, Place};
use crate::backend::{File, Vfs};
use crate::checksum::Seed;
use crate::error::{Error, Result};
use crate::format::{Magic, Preamble, crc_before_last_word};
use crate::manifest::StoreId;
use crate::names::{NUMBER_MAX, Name};
use crate::store::{Access, Shared};

const MAGIC: Magic = *b"\x89PXW\r\n\x1a\n";
const PART_LOG: u32 = 0xffff_fffc;
pub(super) const HEADER_BYTES: usize = size_of::<Header>();
/// Carried frames are copied in pieces of about this size.
const COPY_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Header {
    preamble: Preamble,
    store: [u8; 16],
    generation: u64,
    /// Of its first frame, should it have one.
    pub(super) first_seq: u64,
    /// Durable when the file got its name, here or in older generations.
    pub(super) durable_seq: u64,
    /// Differs from life to life.
    salt: u64,
    zero: u32,
    crc: u32,
}

const _: () = assert!(HEADER_BYTES == 88 && HEADER_BYTES.is_multiple_of(frame::ALIGN));

/// A generation's file, its header, and all its bytes.
///
/// Errors: the file is missing; a header that is not that of this generation; the system's.
pub(super) fn read(
    vfs: &dyn Vfs,
    store: StoreId,
    number: u64,
    access: Access,
) -> Result<(File, Header, Vec<u8>)> {
    let name = Name::Log(number).to_string();
    let Some(file) = File::open(vfs, &name)? else {
        return Err(Error::Corrupt {
            file: vfs.path().join(name),
            offset: 0,
            what: "the file is missing".into(),
        });
    };
    let header = Header::read(&file, store, number, access)?;
    let bytes = file.read_vec(0, file.len()?)?;
    Ok((file, header, bytes))
}

impl Header {
    fn crc(&self) -> u32 {
        let seed = Seed::new(StoreId(self.store), self.generation, PART_LOG);
        crc_before_last_word(seed, bytemuck::bytes_of(self))
    }

    /// Errors: anything but the header of this generation of this store.
    pub(super) fn read(
        file: &File,
        store: StoreId,
        generation: u64,
        access: Access,
    ) -> Result<Header> {
        let mut header = Header::zeroed();
        file.read_exact(bytemuck::bytes_of_mut(&mut header), 0)?;
        header.preamble.check_magic(MAGIC, file)?;
        if header.crc != header.crc() || header.zero != 0 {
            return Err(file.corrupt(0, "the checksum of the header does not match"));
        }
        header.preamble.check_versions(file, access)?;
        if header.store != store.0 || header.generation != generation {
            let other = StoreId(header.store);
            return Err(file.corrupt(
                32,
                format!(
                    "it is log {} of store {other}, not log {generation} of store {store}",
                    header.generation
                ),
            ));
        }
        let (first, durable) = (header.first_seq, header.durable_seq);
        if first == 0 || first > NUMBER_MAX || durable > NUMBER_MAX || durable + 1 < first {
            return Err(file.corrupt(
                56,
                format!("it starts at frame {first} with {durable} durable"),
            ));
        }
        Ok(header)
    }

    pub(super) fn place(&self) -> Place {
        Place::new(StoreId(self.store), self.generation, self.salt)
    }
}

/// The newest generation, open for adding to its end.
#[derive(Debug)]
pub(crate) struct Tail {
    file: File,
    pub(super) generation: u64,
    pub(super) first_seq: u64,
    place: Place,
    /// Where the next frame goes.
    end: u64,
    /// In the file.
    pub(super) written_seq: u64,
    /// On the disk.
    pub(super) durable_seq: u64,
    /// The highest watermark in the file.
    pub(super) noted_seq: u64,
    /// Written since the last sync.
    pub(super) unsynced_bytes: u64,
}

impl Tail {
    /// A new generation that starts at `first_seq` with these frames. It has its name only when all of this is durable.
    ///
    /// Errors: the system's. After a failed sync or rename the store is poisoned.
    pub(crate) fn create<'a>(
        shared: &Shared,
        generation: u64,
        first_seq: u64,
        carried: impl Iterator<Item = Frame<'a>>,
    ) -> Result<Tail> {
        let (tmp, name) = (Name::TmpLog(generation), Name::Log(generation));
        shared.remove([tmp]);
        let written = Tail::write_new(shared, generation, first_seq, carried).and_then(|tail| {
            shared.name(&tail.file, tmp, name)?;
            Ok(tail)
        });
        let tail = written.inspect_err(|_| shared.remove([tmp]))?;
        let file = tail.file.renamed(&*shared.vfs, &name.to_string());
        Ok(Tail { file, ..tail })
    }

    fn write_new<'a>(
        shared: &Shared,
        generation: u64,
        first_seq: u64,
        carried: impl Iterator<Item = Frame<'a>>,
    ) -> Result<Tail> {
        let file = File::create(&*shared.vfs, &Name::TmpLog(generation).to_string())?;
        let salt = shared.vfs.unique().map_err(|e| file.io("salt", e))?;
        let mut header = Header {
            preamble: Preamble::new(MAGIC),
            store: shared.store.0,
            generation,
            first_seq,
            durable_seq: first_seq - 1,
            salt: bytemuck::pod_read_unaligned(salt.first_chunk::<8>().unwrap_or(&[0; 8])),
            zero: 0,
            crc: 0,
        };
        let mut tail = Tail {
            file,
            generation,
            first_seq,
            place: header.place(),
            end: HEADER_BYTES as u64,
            written_seq: first_seq - 1,
            durable_seq: first_seq - 1,
            noted_seq: first_seq - 1,
            unsynced_bytes: 0,
        };
        tail.copy(carried)?;
        header.durable_seq = tail.written_seq;
        header.crc = header.crc();
        tail.file.write_all(bytemuck::bytes_of(&header), 0)?;
        (tail.durable_seq, tail.noted_seq) = (tail.written_seq, tail.written_seq);
        tail.unsynced_bytes = 0;
        Ok(tail)
    }

    fn copy<'a>(&mut self, carried: impl Iterator<Item = Frame<'a>>) -> Result<()> {
        let (mut queue, mut last_seq) = (Vec::new(), self.written_seq);
        for frame in carried {
            frame::push(
                &mut queue,
                frame.seq,
                frame.kind,
                frame.collection,
                &[frame.payload],
            );
            last_seq = frame.seq;
            if queue.len() >= COPY_BYTES {
                self.write(&mut queue, last_seq)?;
                queue.clear();
            }
        }
        self.write(&mut queue, last_seq)
    }

    /// Bytes of frames.
    pub(super) fn bytes(&self) -> u64 {
        self.end - HEADER_BYTES as u64
    }

    /// Adds pushed frames up to `last_seq`.
    ///
    /// Errors: the system's; then [`cut`](Tail::cut) must follow.
    pub(super) fn write(&mut self, frames: &mut [u8], last_seq: u64) -> Result<()> {
        if frames.is_empty() {
            return Ok(());
        }
        self.place.stamp(frames, self.end, self.durable_seq);
        self.file.write_all(frames, self.end)?;
        self.end += frames.len() as u64;
        self.unsynced_bytes += frames.len() as u64;
        self.written_seq = last_seq;
        self.noted_seq = self.durable_seq;
        Ok(())
    }

    /// A frame of ours, which is not counted: it repeats the last seq.
    fn write_own(&mut self, kind: u8) -> Result<()> {
        let mut frame = Vec::new();
        frame::push(&mut frame, self.written_seq, kind, 0, &[]);
        self.write(&mut frame, self.written_seq)
    }

    /// Puts the watermark where a reader finds it.
    pub(super) fn mark(&mut self) -> Result<()> {
        self.write_own(KIND_MARK)
    }

    /// Nothing is written after this.
    pub(crate) fn sign_off(&mut self) -> Result<()> {
        self.write_own(KIND_CLOSE)?;
        self.sync()
    }

    pub(super) fn sync(&mut self) -> Result<()> {
        self.file.sync_data()?;
        self.durable_seq = self.written_seq;
        self.unsynced_bytes = 0;
        Ok(())
    }

    /// Takes back what a failed write left behind its last frame, durably: what the caller was told has failed must not be
    /// found by a later life, and its place will be written again.
    pub(super) fn cut(&mut self) -> Result<()> {
        self.file.truncate(self.end)?;
        self.sync()
    }
}
