//! Answers out as an Arrow table, through the Arrow C interface: pyarrow, Polars, pandas and DuckDB read it, and none of them is
//! needed here.
//!
//! Columns: "id", "distance", of a search by words "score" and "text_score", then each field of the metadata, in the order of their names.
//! A field that holds one kind of value
//! becomes a column of that type (integers and floats together one of floats), null where a hit is without it. Whatever else a field
//! holds, lists and objects included, becomes JSON text.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int64Array, NullArray,
    RecordBatch, RecordBatchIterator, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::ArrowError;
use proxime::{Key, Metadata, Score, Value};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::error;

/// The hits of one query, to be read once.
pub(crate) fn stream(
    py: Python<'_>,
    ids: &[Key],
    distances: Vec<f32>,
    scores: Option<&[Score]>,
    metadata: &[Metadata],
) -> PyResult<Py<PyCapsule>> {
    let stream = py.detach(|| {
        let batch = table(ids, distances, scores, metadata)?;
        let schema = batch.schema();
        let reader = RecordBatchIterator::new([Ok(batch)], schema);
        Ok(FFI_ArrowArrayStream::new(Box::new(reader)))
    });
    let stream = stream
        .map_err(|error: ArrowError| error::plain(py, "InternalError", &error.to_string()))?;
    Ok(PyCapsule::new_with_value(py, stream, c"arrow_array_stream")?.unbind())
}

fn table(
    ids: &[Key],
    distances: Vec<f32>,
    scores: Option<&[Score]>,
    metadata: &[Metadata],
) -> Result<RecordBatch, ArrowError> {
    let mut columns = vec![
        ("id".to_owned(), id_column(ids)),
        ("distance".to_owned(), array(Float32Array::from(distances))),
    ];
    if let Some(scores) = scores {
        let of = |number: fn(&Score) -> f64| {
            array(Float64Array::from_iter_values(scores.iter().map(number)))
        };
        columns.push(("score".to_owned(), of(|score| score.score)));
        columns.push(("text_score".to_owned(), of(|score| score.text)));
    }
    // Those that are not metadata, and have a value for every hit.
    let own = columns.len();
    let fields: BTreeSet<_> = metadata.iter().flat_map(Metadata::keys).collect();
    for field in fields {
        let values: Vec<_> = metadata.iter().map(|one| one.get(field)).collect();
        let name = match columns.iter().take(own).any(|(name, _)| name == field) {
            true => format!("metadata.{field}"),
            false => field.clone(),
        };
        columns.push((name, column(&values)));
    }
    RecordBatch::try_from_iter_with_nullable(
        (columns.into_iter().enumerate())
            .map(|(place, (name, column))| (name, column, place >= own)),
    )
}

/// Integers, bytes or texts; UUIDs as texts, and all of them if there are several kinds.
fn id_column(ids: &[Key]) -> ArrayRef {
    let integers = ids.iter().map(|id| match id {
        Key::Int(id) => Some(*id),
        _ => None,
    });
    if let Some(integers) = integers.collect::<Option<Vec<_>>>() {
        return Arc::new(Int64Array::from(integers));
    }
    let bytes = ids.iter().map(|id| match id {
        Key::Bytes(id) => Some(id.as_slice()),
        _ => None,
    });
    if let Some(bytes) = bytes.collect::<Option<Vec<_>>>() {
        return Arc::new(BinaryArray::from(bytes));
    }
    let texts = ids.iter().map(|id| match id {
        Key::Text(id) => id.clone(),
        id => id.to_string(),
    });
    Arc::new(StringArray::from_iter_values(texts))
}

/// One field of every hit's metadata, under the narrowest type that holds all of it.
fn column(values: &[Option<&Value>]) -> ArrayRef {
    let values: Vec<_> = (values.iter())
        .map(|value| value.filter(|value| !matches!(value, Value::Null)))
        .collect();
    if values.iter().all(Option::is_none) {
        return Arc::new(NullArray::new(values.len()));
    }
    let booleans = all(&values, |value| match value {
        Value::Bool(x) => Some(*x),
        _ => None,
    });
    let integers = all(&values, |value| match value {
        Value::Int(x) => Some(*x),
        _ => None,
    });
    let floats = all(&values, |value| match value {
        Value::Float(x) => Some(*x),
        Value::Int(x) => Some(*x as f64),
        _ => None,
    });
    let texts = all(&values, |value| match value {
        Value::Text(x) => Some(x),
        _ => None,
    });
    let bytes = all(&values, |value| match value {
        Value::Bytes(x) => Some(x),
        _ => None,
    });
    let times = all(&values, |value| match value {
        Value::Time(micros) => Some(*micros),
        _ => None,
    });
    let times = times.map(|times: TimestampMicrosecondArray| times.with_timezone("UTC"));
    let json = || {
        let texts = values
            .iter()
            .map(|value| Some(value.as_ref()?.to_json().to_string()));
        array(texts.collect::<StringArray>())
    };
    None.or(booleans.map(array::<BooleanArray>))
        .or(integers.map(array::<Int64Array>))
        .or(floats.map(array::<Float64Array>))
        .or(texts.map(array::<StringArray>))
        .or(bytes.map(array::<BinaryArray>))
        .or(times.map(array))
        .unwrap_or_else(json)
}

/// The array of what `item` gives for each value, unless it gives nothing for one.
fn all<'a, T, A: FromIterator<Option<T>>>(
    values: &[Option<&'a Value>],
    item: impl Fn(&'a Value) -> Option<T>,
) -> Option<A> {
    let items = values.iter().map(|value| match value {
        Some(value) => item(value).map(Some),
        None => Some(None),
    });
    items.collect()
}

fn array<A: Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}
