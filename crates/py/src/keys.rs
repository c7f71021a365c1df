//! Ids: integers, texts, UUIDs or bytes, from arrays, lists, ranges or anything that can be iterated; and back.
//!
//! `True` is not 1 here and 1.0 is not 1: an id that is nearly an integer is a mistake somewhere, and is refused by row.

use numpy::{PyArray1, PyArrayDescrMethods, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use proxime::{Error, Key};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyFrozenSet, PyInt, PySet, PyString, PyType};

use crate::{call, error, values};

/// Ids that are read from what does not tell how many it has.
const UNCOUNTED_MAX: usize = 1 << 24;

/// The ids of a batch, in order. If it is known how many rows there are, no more is looked at than tells that these are others.
pub(crate) fn from_py(ids: &Bound<'_, PyAny>, rows: Option<usize>) -> PyResult<Vec<Key>> {
    if let Ok(array) = ids.cast::<PyUntypedArray>() {
        if array.ndim() != 1 {
            let message = format!("ids: one dimension is needed, not {}", array.ndim());
            return Err(error::plain(ids.py(), "ParameterError", &message));
        }
        if matches!(array.dtype().kind(), b'i' | b'u') {
            return from_integers(array);
        }
    }
    // Their items have no order that rows could follow, or are not ids.
    let unfit = ids.is_instance_of::<PySet>()
        || ids.is_instance_of::<PyFrozenSet>()
        || ids.is_instance_of::<PyDict>()
        || ids.is_instance_of::<PyString>()
        || ids.is_instance_of::<PyBytes>()
        || ids.is_instance_of::<PyByteArray>();
    let needed = || {
        error::wrong_type(
            "ids",
            "a list or an array of int, str, uuid.UUID or bytes",
            ids,
        )
    };
    if unfit {
        return Err(needed());
    }
    let items = ids.try_iter().map_err(|_| needed())?;
    let len = ids.len().ok();
    if let (Some(rows), Some(ids)) = (rows, len)
        && rows != ids
    {
        return Err(error::from_db(items.py(), &Error::IdCount { rows, ids }));
    }
    // What does not say how long it is, or says what cannot be, may have no end.
    let known = rows.or(len).filter(|&known| known <= u32::MAX as usize);
    let limit = known.unwrap_or(UNCOUNTED_MAX) + 1;
    let key = |(row, id): (usize, PyResult<Bound<'_, PyAny>>)| {
        call::listen(ids.py(), row)?;
        one(&id?, Some(row))
    };
    let keys = items.take(limit).enumerate().map(key);
    let keys = keys.collect::<PyResult<Vec<Key>>>()?;
    if known.is_none() && keys.len() > UNCOUNTED_MAX {
        let message = format!(
            "ids: more than {UNCOUNTED_MAX} from an iterable that does not tell its length; make it a list"
        );
        return Err(error::plain(ids.py(), "ParameterError", &message));
    }
    Ok(keys)
}

/// Integer arrays of any width and byte order.
fn from_integers(array: &Bound<'_, PyUntypedArray>) -> PyResult<Vec<Key>> {
    if array.dtype().kind() == b'u' {
        let ids = array.call_method1("astype", ("uint64",))?;
        let ids = ids.cast::<PyArray1<u64>>()?.to_vec()?;
        (ids.iter().enumerate())
            .map(|(row, &id)| match i64::try_from(id) {
                Ok(id) => Ok(Key::Int(id)),
                Err(_) => Err(out_of_range(array.py(), &id.to_string(), Some(row))),
            })
            .collect()
    } else {
        let ids = array.call_method1("astype", ("int64",))?;
        let ids = ids.cast::<PyArray1<i64>>()?.to_vec()?;
        Ok(ids.into_iter().map(Key::Int).collect())
    }
}

/// One id: of a row of a batch, or alone.
pub(crate) fn one(id: &Bound<'_, PyAny>, row: Option<usize>) -> PyResult<Key> {
    let py = id.py();
    if let Ok(text) = id.cast::<PyString>() {
        let text = text.to_cow().map_err(|_| {
            let message = "the id is not valid Unicode (a lone surrogate)";
            about(py, "IdError", row, message)
        })?;
        return Ok(Key::Text(text.into_owned()));
    }
    if let Ok(bytes) = id.cast::<PyBytes>() {
        return Ok(Key::Bytes(bytes.as_bytes().to_vec()));
    }
    if values::is_integer(id)? {
        let number = id.extract();
        return (number.map(Key::Int)).map_err(|_| out_of_range(py, &id.to_string(), row));
    }
    if id.is_instance(uuid_class(py)?)? {
        return Ok(Key::Uuid(id.getattr("bytes")?.extract()?));
    }
    let message = format!(
        "an id is an int, a str, a uuid.UUID or bytes, not {}",
        error::type_name(id)
    );
    Err(about(py, "ArgumentTypeError", row, &message))
}

fn out_of_range(py: Python<'_>, id: &str, row: Option<usize>) -> PyErr {
    let message = format!("id {id} does not fit a signed 64-bit integer");
    about(py, "IdError", row, &message)
}

fn about(py: Python<'_>, class: &str, row: Option<usize>, message: &str) -> PyErr {
    match row {
        Some(row) => error::in_row(py, class, row, message),
        None => error::plain(py, class, message),
    }
}

fn uuid_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "uuid", "UUID")
}

/// An id on its way to Python: as `int`, `str`, `uuid.UUID` or `bytes`.
pub(crate) struct ToPy<'a>(pub(crate) &'a Key);

impl<'py> IntoPyObject<'py> for ToPy<'_> {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self.0 {
            Key::Int(id) => PyInt::new(py, *id).into_any(),
            Key::Text(id) => PyString::new(py, id).into_any(),
            Key::Uuid(id) => uuid_class(py)?.call1((py.None(), PyBytes::new(py, id)))?,
            Key::Bytes(id) => PyBytes::new(py, id).into_any(),
        })
    }
}
