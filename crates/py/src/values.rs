//! Metadata: Python values to the database's and back, types kept exactly.
//!
//! `True` stays `True`, 1 stays `int`, 1.0 stays `float`. A datetime that is aware of its time zone is stored as the moment that it
//! stands for, and comes back in UTC: equal to what it was. NumPy's numbers count as the Python numbers they equal. Everything
//! else (naive datetimes, dates, tuples, sets) is refused by row and field rather than turned into something similar.

use proxime::{DEPTH_MAX, Error, Metadata, Problem, Value};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyType};

use crate::{call, error};

/// One metadata object per row: from a list of dicts (`None` for an empty one), or from a dict of columns.
pub(crate) fn records(metadata: &Bound<'_, PyAny>, rows: usize) -> PyResult<Vec<Metadata>> {
    if let Ok(columns) = metadata.cast::<PyDict>() {
        return from_columns(columns, rows);
    }
    let needed = || error::wrong_type("metadata", "a list of dicts or a dict of columns", metadata);
    if metadata.is_instance_of::<PyString>() {
        return Err(needed());
    }
    let records = metadata.try_iter().map_err(|_| needed())?;
    if let Ok(metadata) = metadata.len()
        && metadata != rows
    {
        return Err(error::from_db(
            records.py(),
            &Error::MetadataCount { rows, metadata },
        ));
    }
    // What does not say how long it is may have no end.
    (records.take(rows + 1).enumerate())
        .map(|(row, record)| {
            call::listen(metadata.py(), row)?;
            let record = record?;
            if record.is_none() {
                return Ok(Metadata::new());
            }
            let fields = record.cast::<PyDict>().map_err(|_| {
                let message = format!(
                    "metadata is a dict or None, not {}",
                    error::type_name(&record)
                );
                error::in_row(record.py(), "MetadataError", row, &message)
            })?;
            object(fields, DEPTH_MAX).map_err(|refused| refused.in_row(record.py(), row))
        })
        .collect()
}

fn from_columns(columns: &Bound<'_, PyDict>, rows: usize) -> PyResult<Vec<Metadata>> {
    let py = columns.py();
    let mut records = vec![Metadata::new(); rows];
    // Of a copy: iterating over a column may run Python code, which may change the dict.
    for (name, column) in columns.copy()? {
        let name = name
            .extract::<String>()
            .map_err(|_| error::wrong_type("metadata", "a str as the name of a column", &name))?;
        let needed = || {
            error::wrong_type(
                &format!("metadata[{name:?}]"),
                "a list or an array",
                &column,
            )
        };
        if column.is_instance_of::<PyString>() || column.is_instance_of::<PyDict>() {
            return Err(needed());
        }
        let mut found = 0;
        for item in column.try_iter().map_err(|_| needed())? {
            call::listen(py, found)?;
            // A column that is too long is read to its end, to say how long it is.
            if let Some(record) = records.get_mut(found) {
                let value = value(&item?, DEPTH_MAX - 1)
                    .map_err(|refused| refused.within(&field(&name)).in_row(py, found))?;
                record.insert(name.clone(), value);
            }
            found += 1;
        }
        if found != rows {
            return Err(error::column_count(py, &name, found, rows));
        }
    }
    Ok(records)
}

/// One value, of a filter: at most `room` deep. Errors are `proxime.FilterError`, with the place.
pub(crate) fn operand(item: &Bound<'_, PyAny>, room: usize) -> PyResult<Value> {
    let py = item.py();
    value(item, room).map_err(|refused| {
        let message = match refused.why {
            Why::Problem(Problem::Depth) => "nested too deep".to_owned(),
            Why::Problem(problem) => problem.to_string(),
            Why::Text(message) => message,
            Why::Raised(exception) => return exception,
        };
        let message = format!("filter{}: {message}", refused.path);
        error::plain(py, "FilterError", &message)
    })
}

/// The metadata as a dict.
pub(crate) fn to_py<'py>(py: Python<'py>, metadata: &Metadata) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in metadata {
        dict.set_item(name, value_to_py(py, value)?)?;
    }
    Ok(dict)
}

/// One value.
pub(crate) fn value_to_py<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Int(value) => PyInt::new(py, *value).into_any(),
        Value::Float(value) => PyFloat::new(py, *value).into_any(),
        Value::Text(value) => PyString::new(py, value).into_any(),
        Value::Time(micros) => from_micros(py, *micros)?,
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::List(values) => {
            let list = PyList::empty(py);
            for value in values {
                list.append(value_to_py(py, value)?)?;
            }
            list.into_any()
        }
        Value::Object(fields) => to_py(py, fields)?.into_any(),
    })
}

/// Whether the object is an integer by type: `int` or one of NumPy's, but neither `bool`.
pub(crate) fn is_integer(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    if object.is_instance_of::<PyInt>() {
        return Ok(!object.is_instance_of::<PyBool>());
    }
    Ok(matches!(numpy_kind(object)?, Some('i' | 'u')))
}

/// Why a value was refused, and where in its record: the path grows as the error goes up.
struct Refused {
    path: String,
    why: Why,
}

enum Why {
    /// As the database would say it.
    Problem(Problem),
    /// What only Python can get wrong.
    Text(String),
    /// A foreign exception on the way.
    Raised(PyErr),
}

impl Refused {
    fn new(why: Why) -> Self {
        Refused {
            path: String::new(),
            why,
        }
    }

    fn text(message: String) -> Self {
        Refused::new(Why::Text(message))
    }

    fn within(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }

    fn in_row(self, py: Python<'_>, row: usize) -> PyErr {
        let path = self.path;
        match self.why {
            Why::Problem(problem) => error::from_db(py, &Error::Metadata { row, path, problem }),
            Why::Text(message) => error::in_metadata(py, row, &path, &message),
            Why::Raised(exception) => exception,
        }
    }
}

impl From<PyErr> for Refused {
    fn from(exception: PyErr) -> Self {
        Refused::new(Why::Raised(exception))
    }
}

fn field(name: &str) -> String {
    format!(".{name}")
}

/// `room` is how many levels of dicts and lists there may be.
fn object(fields: &Bound<'_, PyDict>, room: usize) -> Result<Metadata, Refused> {
    if room == 0 {
        return Err(Refused::new(Why::Problem(Problem::Depth)));
    }
    let mut out = Metadata::new();
    for (name, item) in fields {
        let Ok(name) = name.extract::<String>() else {
            let message = format!(
                "the name of a field is a str, not {}",
                error::type_name(&name)
            );
            return Err(Refused::text(message));
        };
        let item = value(&item, room - 1).map_err(|refused| refused.within(&field(&name)))?;
        out.insert(name, item);
    }
    Ok(out)
}

fn value(item: &Bound<'_, PyAny>, room: usize) -> Result<Value, Refused> {
    if item.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(text) = item.cast::<PyString>() {
        return match text.to_cow() {
            Ok(text) => Ok(Value::Text(text.into_owned())),
            Err(_) => Err(Refused::text(
                "not valid Unicode (a lone surrogate)".to_owned(),
            )),
        };
    }
    if let Ok(truth) = item.cast::<PyBool>() {
        return Ok(Value::Bool(truth.is_true()));
    }
    if let Ok(number) = item.cast::<PyFloat>() {
        return Ok(Value::Float(number.value()));
    }
    if item.is_instance_of::<PyInt>() {
        return integer(item);
    }
    if let Ok(fields) = item.cast::<PyDict>() {
        return object(fields, room).map(Value::Object);
    }
    if let Ok(items) = item.cast::<PyList>() {
        return list(items, room);
    }
    if let Ok(bytes) = item.cast::<PyBytes>() {
        return Ok(Value::Bytes(bytes.as_bytes().to_vec()));
    }
    if item.is_instance(datetime_class(item.py())?)? {
        return time(item);
    }
    match numpy_kind(item)? {
        Some('b') => Ok(Value::Bool(item.is_truthy()?)),
        Some('i' | 'u') => integer(item),
        Some('f') => Ok(Value::Float(item.extract()?)),
        _ => Err(Refused::text(format!(
            "a {} cannot be stored; None, bool, int, float, str, datetime, bytes, list and dict can",
            error::type_name(item)
        ))),
    }
}

fn datetime_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "datetime", "datetime")
}

/// 1970-01-01 00:00 in UTC.
fn epoch(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static EPOCH: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let epoch = EPOCH.get_or_try_init(py, || {
        let utc = py.import("datetime")?.getattr("timezone")?.getattr("utc")?;
        let epoch = datetime_class(py)?.call1((1970, 1, 1, 0, 0, 0, 0, utc))?;
        Ok::<_, PyErr>(epoch.unbind())
    })?;
    Ok(epoch.bind(py))
}

/// The moment that a datetime stands for.
fn time(item: &Bound<'_, PyAny>) -> Result<Value, Refused> {
    if item.call_method0("utcoffset")?.is_none() {
        return Err(Refused::text(format!(
            "{item} is a datetime without a time zone, so it is no moment; `.astimezone()` or `.replace(tzinfo=...)` gives it one"
        )));
    }
    // Those of pandas have one.
    if let Some(nanoseconds) = item.getattr_opt("nanosecond")?
        && nanoseconds.is_truthy()?
    {
        return Err(Refused::text(format!("{item} is finer than microseconds")));
    }
    let since = item.sub(epoch(item.py())?)?;
    let part = |name| since.getattr(name)?.extract::<i64>();
    let seconds = part("days")? * 86_400 + part("seconds")?;
    Ok(Value::Time(seconds * 1_000_000 + part("microseconds")?))
}

fn from_micros(py: Python<'_>, micros: i64) -> PyResult<Bound<'_, PyAny>> {
    let delta = py.import("datetime")?.getattr("timedelta")?;
    epoch(py)?.add(delta.call1((0, 0, micros))?)
}

fn integer(item: &Bound<'_, PyAny>) -> Result<Value, Refused> {
    item.extract()
        .map(Value::Int)
        .map_err(|_| Refused::text(format!("{item} does not fit a 64-bit signed integer")))
}

fn list(items: &Bound<'_, PyList>, room: usize) -> Result<Value, Refused> {
    if room == 0 {
        return Err(Refused::new(Why::Problem(Problem::Depth)));
    }
    let values = items.iter().enumerate().map(|(index, item)| {
        value(&item, room - 1).map_err(|refused| refused.within(&format!("[{index}]")))
    });
    values.collect::<Result<_, _>>().map(Value::List)
}

/// The kind of a NumPy number that a Python number can hold: `b`, `i`, `u` or `f` (no wider than a double).
fn numpy_kind(item: &Bound<'_, PyAny>) -> PyResult<Option<char>> {
    // Asked last and looked up once: whoever comes here with a number has NumPy loaded.
    static GENERIC: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    if !item.is_instance(GENERIC.import(item.py(), "numpy", "generic")?)? {
        return Ok(None);
    }
    let dtype = item.getattr("dtype")?;
    let wide = dtype.getattr("itemsize")?.extract::<usize>()? > size_of::<f64>();
    let kind = dtype.getattr("kind")?.extract::<char>()?;
    Ok((matches!(kind, 'b' | 'i' | 'u' | 'f') && !wide).then_some(kind))
}
