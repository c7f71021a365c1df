//! The formats of benchmarks: nothing but numbers, little-endian.
//!
//! `.fvecs`, `.bvecs`, `.ivecs` (float32, uint8, int32): each row begins with its number of components, as an int32. `.fbin`,
//! `.u8bin`, `.i8bin`, `.ibin` (float32, uint8, int8, int32): the numbers of rows and of components, as uint32, then all rows.
//! Source: <http://corpus-texmex.irisa.fr>, <https://big-ann-benchmarks.com>.

use super::bytes::Bytes;
use super::header::{Dtype, Found, Header};
use super::{Problem, header::read_at};
use crate::format::Format;

/// What the file's first bytes and its length say; `None` for a format that is not one of these.
pub(super) fn layout(format: Format, bytes: &Bytes) -> Option<Result<Header, Found>> {
    let (name, dtype, rows_prefixed) = match format {
        Format::Fvecs => ("fvecs", Dtype::F32, true),
        Format::Bvecs => ("bvecs", Dtype::U8, true),
        Format::Ivecs => ("ivecs", Dtype::I32, true),
        Format::Fbin => ("fbin", Dtype::F32, false),
        Format::U8bin => ("u8bin", Dtype::U8, false),
        Format::I8bin => ("i8bin", Dtype::I8, false),
        Format::Ibin => ("ibin", Dtype::I32, false),
        Format::Npy | Format::Npz | Format::Hdf5 => return None,
        Format::Jsonl | Format::Csv | Format::Parquet | Format::Arrow => return None,
    };
    Some(match rows_prefixed {
        true => prefixed(name, dtype, bytes),
        false => counted(name, dtype, bytes),
    })
}

fn prefixed(format: &'static str, dtype: Dtype, bytes: &Bytes) -> Result<Header, Found> {
    let length = bytes.len();
    let wrong = Err((
        0,
        Problem::PlainLength {
            bytes: length,
            format,
            needed: "rows of equal length, each behind its number of components",
        },
    ));
    if length < 4 {
        return wrong;
    }
    let dim = u64::from(u32_at(bytes, 0)?);
    let row_bytes = 4 + dim * dtype.width() as u64;
    if dim == 0 || !length.is_multiple_of(row_bytes) {
        return wrong;
    }
    Ok(Header {
        dtype,
        big_endian: false,
        fortran_order: false,
        shape: vec![length / row_bytes, dim],
        data_at: 0,
        row_prefix: 4,
    })
}

fn counted(format: &'static str, dtype: Dtype, bytes: &Bytes) -> Result<Header, Found> {
    let problem = Problem::PlainLength {
        bytes: bytes.len(),
        format,
        needed: "8 bytes, which say how many rows and components follow",
    };
    if bytes.len() < 8 {
        return Err((0, problem));
    }
    let (rows, dim) = (u32_at(bytes, 0)?, u32_at(bytes, 4)?);
    if dim == 0 {
        return Err((4, problem));
    }
    Ok(Header {
        dtype,
        big_endian: false,
        fortran_order: false,
        shape: vec![rows.into(), dim.into()],
        data_at: 8,
        row_prefix: 0,
    })
}

fn u32_at(bytes: &Bytes, offset: u64) -> Result<u32, Found> {
    let mut four = [0; 4];
    read_at(bytes, offset, &mut four)?;
    Ok(u32::from_le_bytes(four))
}
