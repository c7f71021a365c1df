//! Bytes at a position: of a regular file, or of a pipe's whole content.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::Error;

/// The most that is taken from a pipe, which must be held in memory: 80,000 queries of 768 float32.
const STDIN_BYTES_MAX: u64 = 256 << 20;

#[derive(Debug)]
pub(super) enum Bytes {
    /// A part of a regular file.
    File {
        file: File,
        start: u64,
        len: u64,
    },
    Memory(Vec<u8>),
}

impl Bytes {
    /// Opens a regular file. Others have no length and no positions, and opening a pipe may wait forever.
    pub(super) fn open(path: &Path) -> Result<Bytes, Error> {
        let metadata = fs::metadata(path).map_err(|e| Error::open(path, e))?;
        if !metadata.is_file() {
            return Err(Error::NotAFile {
                file: path.to_owned(),
            });
        }
        let file = File::open(path).map_err(|e| Error::open(path, e))?;
        Ok(Bytes::File {
            file,
            start: 0,
            len: metadata.len(),
        })
    }

    /// Reads stdin to its end.
    pub(super) fn from_stdin() -> Result<Bytes, Error> {
        let mut bytes = Vec::new();
        let mut bounded = io::stdin().lock().take(STDIN_BYTES_MAX + 1);
        bounded.read_to_end(&mut bytes).map_err(|e| Error::Read {
            file: "stdin".into(),
            source: e,
        })?;
        if bytes.len() as u64 > STDIN_BYTES_MAX {
            return Err(Error::StdinTooLong {
                limit: STDIN_BYTES_MAX,
            });
        }
        Ok(Bytes::Memory(bytes))
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Bytes::File { len, .. } => *len,
            Bytes::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// `len` of them from `offset` on, if there are so many.
    pub(super) fn part(self, offset: u64, len: u64) -> Option<Bytes> {
        offset.checked_add(len).filter(|&end| end <= self.len())?;
        Some(match self {
            Bytes::File { file, start, .. } => Bytes::File {
                file,
                start: start + offset,
                len,
            },
            Bytes::Memory(bytes) => {
                Bytes::Memory(bytes[offset as usize..(offset + len) as usize].to_vec())
            }
        })
    }

    /// Fills `out` from `offset` on. `UnexpectedEof` if the bytes end before.
    pub(super) fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self {
            Bytes::File { file, start, len } => {
                let end = offset.checked_add(out.len() as u64);
                if end.is_none_or(|end| end > *len) {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                file.read_exact_at(out, start + offset)
            }
            Bytes::Memory(bytes) => {
                let start = usize::try_from(offset).ok();
                let mut rest = start
                    .and_then(|start| bytes.get(start..))
                    .unwrap_or_default();
                rest.read_exact(out)
            }
        }
    }
}
