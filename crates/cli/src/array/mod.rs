//! Arrays of vectors in files, read row by row: NumPy's `.npy` and `.npz`, and the formats of benchmarks (`plain.rs`, `hdf5.rs`).
//!
//! [`Array`] is an array of vectors whose claims were checked against the bytes that are there: no header can make it allocate or
//! read more than the file holds. Rows are fetched by positioned reads and converted to float32 through a small buffer; the
//! file is never mapped and never in memory as a whole, so one that shrinks meanwhile is an error, not a signal. Of `.npy`
//! versions 1 to 3, both byte orders, both axis orders. No writing, no structured types, no pickled objects.

mod bytes;
mod hdf5;
mod header;
mod npz;
mod plain;

use std::io;
use std::path::Path;

use half::f16;
use proxime::{Collection, Input, VectorSource};

use crate::error::Error;
use crate::format::Format;
use bytes::Bytes;
pub(crate) use header::MAGIC;
use header::{Dtype, Header};

/// Bytes converted at a time: they stay in a core's cache.
const BUFFER_BYTES: usize = 64 << 10;

/// What is wrong with a file, and where in it.
#[derive(Debug, thiserror::Error)]
#[error("{file}, byte {offset}: {problem}")]
pub(crate) struct ArrayError {
    file: String,
    offset: u64,
    problem: Problem,
}

impl ArrayError {
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
    #[error("not a .npz file: {0}")]
    NotNpz(zip::result::ZipError),
    #[error("no HDF5 that can be read: {0}")]
    NotHdf5(#[from] hdf5_pure::Error),
    #[error("it holds the arrays {names}; name one with --array")]
    WhichArray { names: String },
    #[error("{bytes} bytes; a file of {format} has {needed}")]
    PlainLength {
        bytes: u64,
        format: &'static str,
        needed: &'static str,
    },
    #[error("a row of {got} components among rows of {expected}")]
    Ragged { got: u32, expected: usize },
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
pub(crate) struct Array {
    name: String,
    bytes: Bytes,
    header: Header,
    rows: usize,
    dim: usize,
}

impl Array {
    /// Queries in a file that is an array, by its name's ending. `member` names one of several.
    pub(crate) fn open_queries(file: &Path, member: Option<&str>) -> Result<Array, Error> {
        Array::read(file, by_suffix(file)?, member, "test")
    }

    /// Vectors to be stored, in such a file.
    pub(crate) fn open(file: &Path, member: Option<&str>) -> Result<Array, Error> {
        Array::open_as(file, by_suffix(file)?, member)
    }

    /// The same in a file of any format that is an array.
    pub(crate) fn open_as(
        file: &Path,
        format: Format,
        member: Option<&str>,
    ) -> Result<Array, Error> {
        Array::read(file, format, member, "train")
    }

    /// Vectors from stdin.
    pub(crate) fn from_stdin() -> Result<Array, Error> {
        Array::vectors("stdin".to_owned(), Bytes::from_stdin()?)
    }

    /// `usual` is what an array is called in an HDF5 file of several.
    fn read(
        file: &Path,
        format: Format,
        member: Option<&str>,
        usual: &str,
    ) -> Result<Array, Error> {
        format.check_member(member)?;
        let (name, bytes) = (file.display().to_string(), Bytes::open(file)?);
        let found = match format {
            Format::Npz => {
                let bytes = npz::member(&name, bytes, member)?;
                return Array::vectors(name, bytes);
            }
            Format::Hdf5 => hdf5::dataset(bytes, member, usual).map_err(|problem| (0, problem)),
            format => match plain::layout(format, &bytes) {
                None => return Array::vectors(name, bytes),
                Some(layout) => layout.map(|header| (bytes, header)),
            },
        };
        match found {
            Ok((bytes, header)) => Ok(Array::with_header(name, bytes, header)?),
            Err((offset, problem)) => Err(ArrayError {
                file: name,
                offset,
                problem,
            }
            .into()),
        }
    }

    /// All elements of a one-dimensional array of integers.
    pub(crate) fn open_ids(file: &Path) -> Result<Vec<i64>, Error> {
        let npy = Array::new(file.display().to_string(), Bytes::open(file)?)?;
        if npy.header.shape.len() != 1 {
            return Err(npy.bad_shape("ids need one dimension").into());
        }
        Ok(npy.integers()?)
    }

    fn vectors(name: String, bytes: Bytes) -> Result<Array, Error> {
        let npy = Array::new(name, bytes)?;
        if npy.dim == 0 {
            return Err(npy.bad_shape("vectors need components").into());
        }
        Ok(npy)
    }

    /// Any array of one dimension (then it is one row) or two.
    fn new(name: String, bytes: Bytes) -> Result<Array, ArrayError> {
        let header = match header::read(&bytes) {
            Ok(header) => header,
            Err((offset, problem)) => {
                return Err(ArrayError {
                    file: name,
                    offset,
                    problem,
                });
            }
        };
        Array::with_header(name, bytes, header)
    }

    fn with_header(name: String, bytes: Bytes, header: Header) -> Result<Array, ArrayError> {
        let mut npy = Array {
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
        let row_bytes = u128::from(dim) * npy.header.dtype.width() as u128;
        let announced = u128::from(rows).saturating_mul(row_bytes + npy.header.row_prefix as u128);
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

    /// Whether the rows can be queries to a collection. Before any is read: a wrong one may be as long as the file.
    pub(crate) fn check_dim(&self, collection: &Collection) -> Result<(), Error> {
        let (expected, got) = (collection.config().dim, self.dim);
        if got == expected {
            return Ok(());
        }
        let error = proxime::Error::Dimension {
            input: Input::Query,
            expected,
            got,
        };
        Err(Error::from_vectors(&self.name, 0, error))
    }

    /// Fills `out` with the rows from `first` on; `out.len()` is a whole number of rows that exist.
    ///
    /// Cost: one pass over those bytes; in Fortran order one read per column instead of one per 64 KiB.
    pub(crate) fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<(), ArrayError> {
        let width = self.header.dtype.width();
        let rows = out.len() / self.dim;
        if self.header.row_prefix > 0 {
            return self.read_prefixed(first, out);
        }
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

    /// Rows each of which begins with its own number of components.
    fn read_prefixed(&self, first: usize, out: &mut [f32]) -> Result<(), ArrayError> {
        let row_bytes = self.header.row_prefix + self.dim * self.header.dtype.width();
        let group = (BUFFER_BYTES / row_bytes).max(1);
        let mut buffer = vec![0; group.min(out.len() / self.dim) * row_bytes];
        let mut at = self.header.data_at + (first * row_bytes) as u64;
        for part in out.chunks_mut(group * self.dim) {
            let bytes = &mut buffer[..part.len() / self.dim * row_bytes];
            self.read_at(at, bytes)?;
            for (row, values) in bytes.chunks(row_bytes).zip(part.chunks_mut(self.dim)) {
                let (prefix, elements) = row.split_at(self.header.row_prefix);
                let got = prefix.first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
                if got as usize != self.dim {
                    let expected = self.dim;
                    return Err(self.error(at, Problem::Ragged { got, expected }));
                }
                self.to_f32(elements, values.iter_mut());
                at += row_bytes as u64;
            }
        }
        Ok(())
    }

    /// All elements, in the order of the file.
    fn integers(&self) -> Result<Vec<i64>, ArrayError> {
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
    fn read_elements(&self, first: usize, out: &mut [u8]) -> Result<(), ArrayError> {
        self.read_at(self.offset(first), out)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ArrayError> {
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

    fn bad_shape(&self, needed: &'static str) -> ArrayError {
        let shape = self.header.shape.clone();
        self.error(0, Problem::Shape { shape, needed })
    }

    fn error(&self, offset: u64, problem: Problem) -> ArrayError {
        ArrayError {
            file: self.name.clone(),
            offset,
            problem,
        }
    }
}

/// A .npy if the name does not say.
///
/// Errors: what it says is no array.
fn by_suffix(file: &Path) -> Result<Format, Error> {
    let suffix = file.extension().and_then(|suffix| suffix.to_str());
    match suffix.and_then(Format::by_suffix) {
        Some(format) if format.has_columns() => Err(Error::NotAnArray {
            file: file.to_owned(),
        }),
        format => Ok(format.unwrap_or(Format::Npy)),
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

impl VectorSource for Array {
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
