//! Vectors in from Arrow: a column of lists, in any number of chunks, each read where it lies.
//!
//! Fixed-size lists are rows as they are; lists with offsets are, too, if all are as long as the collection's vectors. A table
//! with such a column and no other counts as that column. Everything else is left to NumPy.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayReader, ArrayRef, GenericListArray, OffsetSizeTrait};
use arrow_schema::{ArrowError, DataType};
use numpy::ndarray::ArrayView2;
use proxime::{Input, VectorSource};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::capsule;
use crate::arrays::Vectors;
use crate::convert::{Chunks, Converted};
use crate::error;

/// The rows of a column.
pub(crate) struct Columns {
    /// The numbers of each chunk, row after row of `dim`.
    chunks: Vec<ArrayRef>,
    dim: usize,
}

/// The vectors of an object that speaks the Arrow C interface and holds lists of numbers; nothing if it does not.
pub(crate) fn from_py(
    object: &Bound<'_, PyAny>,
    input: Input,
    dim: usize,
) -> PyResult<Option<Columns>> {
    let Some(arrays) = arrays(object)? else {
        return Ok(None);
    };
    let mut columns = Columns {
        chunks: Vec::new(),
        dim,
    };
    let mut rows = 0;
    for array in arrays {
        let numbers = numbers(object.py(), &array, input, rows, dim)?;
        rows += array.len();
        if !numbers.is_empty() {
            columns.chunks.push(numbers);
        }
    }
    Ok(Some(columns))
}

impl Columns {
    /// All components, row after row.
    pub(crate) fn to_vec(&self, py: Python<'_>) -> PyResult<Vec<f32>> {
        let source = self.source();
        let mut data = vec![0.0; source.rows() * self.dim];
        source
            .read(0, &mut data)
            .map_err(|error| error::from_db(py, &error))?;
        Ok(data)
    }

    /// Why the numbers cannot be used as they lie in memory.
    pub(crate) fn why_copied(&self) -> Option<String> {
        let other = |chunk: &&ArrayRef| *chunk.data_type() != DataType::Float32;
        let chunk = self.chunks.iter().find(other)?;
        Some(format!("their numbers are {}", chunk.data_type()))
    }
}

impl Vectors for Columns {
    fn source(&self) -> Box<dyn VectorSource + '_> {
        let mut chunks = Chunks::new(self.dim);
        for chunk in &self.chunks {
            let first_row = chunks.rows();
            chunks.extend(rows(chunk, self.dim, first_row));
        }
        Box::new(chunks)
    }
}

/// What the object has, chunk by chunk, if it is lists; nothing if it does not speak Arrow, or of something else.
fn arrays(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<ArrayRef>>> {
    let py = object.py();
    let arrays = if let Some(export) = object.getattr_opt("__arrow_c_stream__")? {
        let capsule = export.call0().and_then(|it| Ok(it.cast_into()?));
        let reader = capsule.and_then(|it| capsule::stream(&it));
        match reader.map_err(|cause| error::unreadable(object, cause))? {
            Ok(reader) if !is_lists(reader.field().data_type()) => {
                return Ok(None);
            }
            // What makes the chunks may take its time, or need the interpreter.
            reader => py.detach(|| reader?.collect::<Result<Vec<_>, _>>()),
        }
    } else if let Some(export) = object.getattr_opt("__arrow_c_array__")? {
        let capsules = export.call0().and_then(|capsules| {
            let (schema, array): (Bound<'_, PyCapsule>, Bound<'_, PyCapsule>) =
                capsules.extract()?;
            capsule::array(&schema, &array)
        });
        match capsules.map_err(|cause| error::unreadable(object, cause))? {
            Ok(array) if !is_lists(array.data_type()) => return Ok(None),
            array => array.map(|array| vec![array]),
        }
    } else {
        return Ok(None);
    };
    arrays
        .map(Some)
        .map_err(|cause: ArrowError| unreadable(object, &cause))
}

fn is_lists(data_type: &DataType) -> bool {
    let is_list = |data_type: &DataType| {
        use DataType::{FixedSizeList, LargeList, List};
        matches!(data_type, FixedSizeList(..) | List(_) | LargeList(_))
    };
    match data_type {
        DataType::Struct(fields) => {
            matches!(&**fields, [only] if is_list(only.data_type()))
        }
        data_type => is_list(data_type),
    }
}

/// The numbers of a chunk that starts at `first_row`, row after row.
fn numbers(
    py: Python<'_>,
    array: &ArrayRef,
    input: Input,
    first_row: usize,
    dim: usize,
) -> PyResult<ArrayRef> {
    let column = match array.as_struct_opt() {
        Some(table) => table.column(0),
        None => array,
    };
    let null = (0..column.len()).find(|&row| array.is_null(row) || column.is_null(row));
    if let Some(row) = null {
        return Err(missing(py, input, first_row + row, None));
    }
    let numbers = if let Some(lists) = column.as_fixed_size_list_opt() {
        let got = usize::try_from(lists.value_length()).unwrap_or(0);
        error::check_dim(py, input, dim, got)?;
        lists.values().clone()
    } else if let Some(lists) = column.as_list_opt::<i32>() {
        of_equal_lengths(py, lists, input, first_row, dim)?
    } else if let Some(lists) = column.as_list_opt::<i64>() {
        of_equal_lengths(py, lists, input, first_row, dim)?
    } else {
        return Err(unfit(py, column.data_type()));
    };
    if rows(&numbers, dim, first_row).is_none() {
        return Err(unfit(py, column.data_type()));
    }
    if numbers.null_count() > 0
        && let Some(at) = (0..numbers.len()).find(|&at| numbers.is_null(at))
    {
        return Err(missing(
            py,
            input,
            first_row + at / dim.max(1),
            Some(at % dim.max(1)),
        ));
    }
    Ok(numbers)
}

/// The numbers of lists that are all as long as a vector.
fn of_equal_lengths<O: OffsetSizeTrait>(
    py: Python<'_>,
    lists: &GenericListArray<O>,
    input: Input,
    first_row: usize,
    dim: usize,
) -> PyResult<ArrayRef> {
    for (row, got) in lists.offsets().lengths().enumerate() {
        error::check_row(py, input, first_row + row, dim, got)?;
    }
    let start = lists
        .value_offsets()
        .first()
        .map_or(0, |start| start.as_usize());
    Ok(lists.values().slice(start, lists.len() * dim))
}

/// A chunk's numbers as rows, the first of which is row `first_row` of the batch; nothing if they are no numbers.
fn rows<'a>(
    numbers: &'a ArrayRef,
    dim: usize,
    first_row: usize,
) -> Option<Box<dyn VectorSource + 'a>> {
    let shape = (numbers.len() / dim.max(1), dim);
    macro_rules! first_of {
        ($($number:ty),*) => {
            $(if let Some(numbers) = numbers.as_primitive_opt::<$number>() {
                let rows = ArrayView2::from_shape(shape, numbers.values()).ok()?;
                return Some(Box::new(Converted::new(rows, false).at_row(first_row)));
            })*
        };
    }
    first_of!(Float32Type, Float64Type, Float16Type);
    first_of!(Int8Type, Int16Type, Int32Type, Int64Type);
    first_of!(UInt8Type, UInt16Type, UInt32Type, UInt64Type);
    None
}

fn unfit(py: Python<'_>, data_type: &DataType) -> PyErr {
    let message = format!(
        "vectors of Arrow type {data_type} cannot be used: lists of floats and integers of up to 64 bits can"
    );
    error::plain(py, "ArgumentTypeError", &message)
}

fn missing(py: Python<'_>, input: Input, row: usize, column: Option<usize>) -> PyErr {
    let place = match column {
        Some(column) => format!("{input} {row}, component {column}"),
        None => format!("{input} {row}"),
    };
    let message = format!("{place} is null; a number that float32 can hold is needed");
    error::plain(py, "ArgumentTypeError", &message)
}

fn unreadable(object: &Bound<'_, PyAny>, cause: &ArrowError) -> PyErr {
    error::unreadable(object, PyValueError::new_err(cause.to_string()))
}
