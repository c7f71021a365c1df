//! HDF5, as benchmarks of nearest neighbours hand out their sets: `train` is to be stored, `test` to be asked for.
//!
//! What lies in one piece is read where it lies. What lies in chunks, compressed or not, is written to a temporary file without a
//! name first, some rows at a time: rows are read in any order, and more than once.

use std::io::{Seek, Write};

use hdf5_pure::{
    Dataset, Datatype, DatatypeByteOrder, FixedPointLayout, FloatingPointLayout, Layout,
    ReadSeekSource,
};

use super::Problem;
use super::bytes::Bytes;
use super::header::{Dtype, Header};

/// Bytes decompressed at a time, unless a chunk is larger.
const WINDOW_BYTES: u64 = 4 << 20;
/// Deflate makes no more of one byte. Chunks that were never written take none, and would be zeros without end.
const RATIO_MAX: u128 = 1_032;

/// The dataset `wanted`, or else the only one, or else that of the `usual` name.
pub(super) fn dataset(
    bytes: Bytes,
    wanted: Option<&str>,
    usual: &str,
) -> Result<(Bytes, Header), Problem> {
    let file = match &bytes {
        Bytes::File { file, .. } => {
            let file = file.try_clone().map_err(Problem::Read)?;
            ReadSeekSource::new(file)
                .map_err(hdf5_pure::Error::from)
                .and_then(hdf5_pure::File::from_source)
        }
        Bytes::Memory(bytes) => hdf5_pure::File::from_bytes(bytes.clone()),
    }?;
    let names = file.root().datasets()?;
    let name = match (wanted, &names[..]) {
        (Some(wanted), _) => wanted,
        (None, [only]) => only,
        (None, _) => usual,
    };
    let which = |_| Problem::WhichArray {
        names: names.join(", "),
    };
    let dataset = file.dataset(name).map_err(which)?;
    let (dtype, big_endian) = element(&dataset.datatype()?)?;
    let shape = dataset.shape()?;
    let (rows, dim) = match shape[..] {
        [dim] if dim > 0 => (1, dim),
        [rows, dim] if dim > 0 => (rows, dim),
        _ => {
            let needed = "rows of components are needed";
            return Err(Problem::Shape { shape, needed });
        }
    };
    let header = Header {
        dtype,
        big_endian,
        fortran_order: false,
        shape: vec![rows, dim],
        data_at: 0,
        row_prefix: 0,
    };
    let present = bytes.len();
    let bytes = match dataset.layout()? {
        Layout::Contiguous {
            address: Some(start),
            size,
        } => {
            let announced = size.into();
            bytes
                .part(start, size)
                .ok_or(Problem::Length { announced, present })?
        }
        layout => {
            let row_bytes = u128::from(dim) * dtype.width() as u128;
            let announced = row_bytes.saturating_mul(rows.into());
            if announced > u128::from(present) * RATIO_MAX {
                return Err(Problem::Length { announced, present });
            }
            let fitting = u128::from(WINDOW_BYTES) / row_bytes;
            unpacked(&dataset, window(&layout, fitting as u64))?
        }
    };
    Ok((bytes, header))
}

/// How many elements of the first dimension are read at a time: whole chunks, as one that is needed twice is decompressed twice.
fn window(layout: &Layout, fitting: u64) -> u64 {
    let chunk = match layout {
        Layout::Chunked { chunk_shape, .. } => chunk_shape.first().copied().unwrap_or(1).max(1),
        _ => 1,
    };
    fitting.max(1).next_multiple_of(chunk)
}

/// All elements, one after the other.
fn unpacked(dataset: &Dataset, window: u64) -> Result<Bytes, Problem> {
    let elements = dataset.shape()?.first().copied().unwrap_or_default();
    let mut file = tempfile::tempfile().map_err(Problem::Read)?;
    for first in (0..elements).step_by(window as usize) {
        let part = dataset.read_raw_rows(first, window)?;
        file.write_all(&part).map_err(Problem::Read)?;
    }
    let len = file.stream_position().map_err(Problem::Read)?;
    Ok(Bytes::File {
        file,
        start: 0,
        len,
    })
}

/// The type and whether it is big-endian, of numbers as processors have them.
fn element(datatype: &Datatype) -> Result<(Dtype, bool), Problem> {
    let known = match datatype {
        Datatype::FloatingPoint {
            size,
            byte_order,
            layout,
        } => float(*size, layout).zip(big_endian(*byte_order)),
        Datatype::FixedPoint {
            size,
            byte_order,
            layout,
        } => integer(*size, layout).zip(big_endian(*byte_order)),
        _ => None,
    };
    known.ok_or_else(|| Problem::Dtype {
        descr: datatype.to_string(),
    })
}

fn big_endian(order: DatatypeByteOrder) -> Option<bool> {
    match order {
        DatatypeByteOrder::LittleEndian => Some(false),
        DatatypeByteOrder::BigEndian => Some(true),
        DatatypeByteOrder::Vax => None,
    }
}

fn float(size: u32, layout: &FloatingPointLayout) -> Option<Dtype> {
    const BINARY16: FloatingPointLayout = FloatingPointLayout {
        bit_offset: 0,
        bit_precision: 16,
        exponent_location: 10,
        exponent_size: 5,
        mantissa_location: 0,
        mantissa_size: 10,
        exponent_bias: 15,
    };
    match (size, *layout) {
        (2, BINARY16) => Some(Dtype::F16),
        (4, FloatingPointLayout::IEEE754_BINARY32) => Some(Dtype::F32),
        (8, FloatingPointLayout::IEEE754_BINARY64) => Some(Dtype::F64),
        _ => None,
    }
}

fn integer(size: u32, layout: &FixedPointLayout) -> Option<Dtype> {
    let whole = layout.bit_offset == 0 && u32::from(layout.bit_precision) == size.saturating_mul(8);
    match (size, layout.signed) {
        _ if !whole => None,
        (1, true) => Some(Dtype::I8),
        (2, true) => Some(Dtype::I16),
        (4, true) => Some(Dtype::I32),
        (8, true) => Some(Dtype::I64),
        (1, false) => Some(Dtype::U8),
        (2, false) => Some(Dtype::U16),
        (4, false) => Some(Dtype::U32),
        (8, false) => Some(Dtype::U64),
        _ => None,
    }
}
