//! NumPy's `.npy` files, read row by row.
//!
//! [`Npy`] is an array of vectors whose claims were checked against the bytes that are there: no header can make it allocate or
//! read more than the file holds. Rows are fetched by positioned reads and converted to float32 through a small buffer; the
//! file is never mapped and never in memory as a whole, so one that shrinks meanwhile is an error, not a signal. Format
//! versions 1 to 3, both byte orders, both axis orders. No writing, no structured types, no pickled objects.

mod bytes;
mod header;

use std::io;
use std::path::Path;

use half::f16;
use proxime::VectorSource;

use crate::error::Error;
use bytes::Bytes;
pub(crate) use header::MAGIC;
use header::{Dtype, Header};

/// Bytes converted at a time: they stay in a core's cache.
const BUFFER_BYTES: usize = 64 << 10;

/// What is wrong with a file, and where in it.
#[derive(Debug, thiserror::Error)]
#[error("{file}, byte {offset}: {problem}")]
pub(crate) struct NpyError {
    file: String,
    offset: u64,
    problem: Problem,
}

impl NpyError {
    /// The system failed to read, as opposed to: what it read is wrong.
    pub(crate) fn is_io(&self) -> bool {
        matches!(self.problem, Problem::Read(_))
    }
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Read(io::Error),
    #[error("not a .npy file")]
    NotNpy,
    #[error("format version {major}.{minor}; 1.0, 2.0 and 3.0 are known")]
    Version { major: u8, minor: u8 },
    #[error("a header of {bytes} bytes; at most {limit} are accepted")]
    HeaderLength { bytes: u64, limit: u64 },
    #[error("the file ends inside its header")]
    EndsInHeader,
    #[error("not a header that NumPy writes; expected {expected}")]
    Header { expected: &'static str },
    #[error("elements of type {descr:?}; float16, float32, float64 and integers can be read")]
    Dtype { descr: String },
    #[error("an array of shape {shape:?}; {needed}")]
    Shape {
        shape: Vec<u64>,
        needed: &'static str,
    },
    #[error("an array of {announced} bytes is announced; {present} are there")]
    Length { announced: u128, present: u64 },
    #[error("element {index} is {value}; an id is a 64-bit signed integer")]
    IdRange { index: usize, value: u64 },
    #[error("elements that are not integers; an id is a 64-bit signed integer")]
    IdType,
}

/// An array of vectors, `rows x dim`, all of whose bytes were there when it was opened. `dim` is at least 1.
#[derive(Debug)]
pub(crate) struct Npy {
    name: String,
    bytes: Bytes,
    header: Header,
    rows: usize,
    dim: usize,
}

impl Npy {
    /// Vectors in a file: a matrix, or a single one.
    pub(crate) fn open(file: &Path) -> Result<Npy, Error> {
        Npy::vectors(file.display().to_string(), Bytes::open(file)?)
    }

    /// Vectors from stdin.
    pub(crate) fn from_stdin() -> Result<Npy, Error> {
        Npy::vectors("stdin".to_owned(), Bytes::from_stdin()?)
    }

    /// All elements of a one-dimensional array of integers.
    pub(crate) fn open_ids(file: &Path) -> Result<Vec<i64>, Error> {
        let npy = Npy::new(file.display().to_string(), Bytes::open(file)?)?;
        if npy.header.shape.len() != 1 {
            return Err(npy.bad_shape("ids need one dimension").into());
        }
        Ok(npy.integers()?)
    }

    fn vectors(name: String, bytes: Bytes) -> Result<Npy, Error> {
        let npy = Npy::new(name, bytes)?;
        if npy.dim == 0 {
            return Err(npy.bad_shape("vectors need components").into());
        }
        Ok(npy)
    }

    /// Any array of one dimension (then it is one row) or two.
    fn new(name: String, bytes: Bytes) -> Result<Npy, NpyError> {
        let header = match header::read(&bytes) {
            Ok(header) => header,
            Err((offset, problem)) => {
                return Err(NpyError {
                    file: name,
                    offset,
                    problem,
                });
            }
        };
        let mut npy = Npy {
            name,
            bytes,
            header,
            rows: 0,
            dim: 0,
        };
        let (rows, dim) = match npy.header.shape[..] {
            [dim] => (1, dim),
            [rows, dim] => (rows, dim),
            _ => return Err(npy.bad_shape("one or two dimensions are needed")),
        };
        let announced =
            (u128::from(rows) * u128::from(dim)).saturating_mul(npy.header.dtype.width() as u128);
        let present = npy.bytes.len() - npy.header.data_at;
        if announced != u128::from(present) {
            let problem = Problem::Length { announced, present };
            return Err(npy.error(npy.header.data_at, problem));
        }
        let in_range = |n| usize::try_from(n).ok();
        (npy.rows, npy.dim) = in_range(rows)
            .zip(in_range(dim))
            .ok_or_else(|| npy.bad_shape("more than this machine can address"))?;
        Ok(npy)
    }

    /// The file's name, for messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Fills `out` with the rows from `first` on; `out.len()` is a whole number of rows that exist.
    ///
    /// Cost: one pass over those bytes; in Fortran order one read per column instead of one per 64 KiB.
    pub(crate) fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<(), NpyError> {
        let width = self.header.dtype.width();
        let rows = out.len() / self.dim;
        if self.header.fortran_order {
            let mut buffer = vec![0; rows * width];
            for column in 0..self.dim {
                self.read_elements(column * self.rows + first, &mut buffer)?;
                self.to_f32(&buffer, out.iter_mut().skip(column).step_by(self.dim));
            }
        } else {
            let mut buffer = vec![0; BUFFER_BYTES.min(out.len() * width)];
            let mut at = first * self.dim;
            for part in out.chunks_mut(BUFFER_BYTES / width) {
                let bytes = &mut buffer[..part.len() * width];
                self.read_elements(at, bytes)?;
                at += part.len();
                self.to_f32(bytes, part.iter_mut());
            }
        }
        Ok(())
    }

    /// All elements, in the order of the file.
    fn integers(&self) -> Result<Vec<i64>, NpyError> {
        let n = self.rows * self.dim;
        let mut bytes = vec![0; n * self.header.dtype.width()];
        self.read_elements(0, &mut bytes)?;
        let mut found = vec![0_i64; n];
        let out = found.iter_mut();
        let big = self.header.big_endian;
        match self.header.dtype {
            Dtype::I8 => convert(&bytes, big, out, |b| i8::from_le_bytes(b).into()),
            Dtype::I16 => convert(&bytes, big, out, |b| i16::from_le_bytes(b).into()),
            Dtype::I32 => convert(&bytes, big, out, |b| i32::from_le_bytes(b).into()),
            Dtype::U8 => convert(&bytes, big, out, |b| u8::from_le_bytes(b).into()),
            Dtype::U16 => convert(&bytes, big, out, |b| u16::from_le_bytes(b).into()),
            Dtype::U32 => convert(&bytes, big, out, |b| u32::from_le_bytes(b).into()),
            Dtype::I64 | Dtype::U64 => convert(&bytes, big, out, i64::from_le_bytes),
            Dtype::F16 | Dtype::F32 | Dtype::F64 => {
                return Err(self.error(self.header.data_at, Problem::IdType));
            }
        }
        // Read as signed, the upper half of u64 is negative.
        match found.iter().position(|&id| id < 0) {
            Some(index) if self.header.dtype == Dtype::U64 => {
                let value = found[index].cast_unsigned();
                Err(self.error(self.offset(index), Problem::IdRange { index, value }))
            }
            _ => Ok(found),
        }
    }

    /// The bytes of the elements from the file's element `first` on.
    fn read_elements(&self, first: usize, out: &mut [u8]) -> Result<(), NpyError> {
        let offset = self.offset(first);
        self.bytes
            .read_at(offset, out)
            .map_err(|e| self.error(offset, Problem::Read(e)))
    }

    fn offset(&self, element: usize) -> u64 {
        self.header.data_at + element as u64 * self.header.dtype.width() as u64
    }

    fn to_f32<'a>(&self, bytes: &[u8], out: impl Iterator<Item = &'a mut f32>) {
        let big = self.header.big_endian;
        match self.header.dtype {
            Dtype::F16 => convert(bytes, big, out, |b| f16::from_le_bytes(b).to_f32()),
            Dtype::F32 => convert(bytes, big, out, f32::from_le_bytes),
            Dtype::F64 => convert(bytes, big, out, |b| f64::from_le_bytes(b) as f32),
            Dtype::I8 => convert(bytes, big, out, |b| i8::from_le_bytes(b).into()),
            Dtype::I16 => convert(bytes, big, out, |b| i16::from_le_bytes(b).into()),
            Dtype::I32 => convert(bytes, big, out, |b| i32::from_le_bytes(b) as f32),
            Dtype::I64 => convert(bytes, big, out, |b| i64::from_le_bytes(b) as f32),
            Dtype::U8 => convert(bytes, big, out, |b| u8::from_le_bytes(b).into()),
            Dtype::U16 => convert(bytes, big, out, |b| u16::from_le_bytes(b).into()),
            Dtype::U32 => convert(bytes, big, out, |b| u32::from_le_bytes(b) as f32),
            Dtype::U64 => convert(bytes, big, out, |b| u64::from_le_bytes(b) as f32),
        }
    }

    fn bad_shape(&self, needed: &'static str) -> NpyError {
        let shape = self.header.shape.clone();
        self.error(0, Problem::Shape { shape, needed })
    }

    fn error(&self, offset: u64, problem: Problem) -> NpyError {
        NpyError {
            file: self.name.clone(),
            offset,
            problem,
        }
    }
}

/// One `T` from each `W` bytes.
fn convert<'a, const W: usize, T: 'a>(
    bytes: &[u8],
    big_endian: bool,
    out: impl Iterator<Item = &'a mut T>,
    value: impl Fn([u8; W]) -> T,
) {
    for (slot, mut element) in out.zip(bytes.as_chunks().0.iter().copied()) {
        if big_endian {
            element.reverse();
        }
        *slot = value(element);
    }
}

impl VectorSource for Npy {
    fn rows(&self) -> usize {
        self.rows
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn read(&self, first_row: usize, out: &mut [f32]) -> proxime::Result<()> {
        self.read_rows(first_row, out)
            .map_err(|e| proxime::Error::Source {
                row: first_row,
                source: Box::new(e),
            })
    }
}

#[cfg(test)]
mod tests;
