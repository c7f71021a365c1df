//! From `proxime::Error` to one tree of Python exceptions, and panics to `proxime.InternalError`.
//!
//! The classes are written in Python (`exceptions.py`), where their documentation is read. Here is only which error is which
//! class, and the error's data as attributes of the exception.

use std::any::Any;

use proxime::{Error, ErrorKind, FieldType, Input, StorageError};
use pyo3::exceptions::{PyException, PyMemoryError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::convert::BeyondF32;
use crate::keys;

/// Attributes of an exception: `details!(py, row = 7, id = "a")`.
macro_rules! details {
    ($py:expr $(, $name:ident = $value:expr)*) => {{
        let details = Ok(PyDict::new($py));
        $(let details = and(details, stringify!($name), $value);)*
        details
    }};
}

/// The Python exception for an error of the database.
pub(crate) fn from_db(py: Python<'_>, error: &Error) -> PyErr {
    let (class, details) = match error {
        Error::Source { source, .. } => match source.downcast_ref() {
            Some(beyond) => return beyond_f32(py, beyond),
            None => ("InternalError", details!(py)),
        },
        Error::Storage(error) => describe_storage(py, error),
        _ => describe(py, error),
    };
    raise(py, class, &error.to_string(), details)
}

/// An exception without attributes.
pub(crate) fn plain(py: Python<'_>, class: &str, message: &str) -> PyErr {
    raise(py, class, message, details!(py))
}

/// An exception about a row of the batch.
pub(crate) fn in_row(py: Python<'_>, class: &str, row: usize, message: &str) -> PyErr {
    let message = format!("row {row}: {message}");
    raise(py, class, &message, details!(py, row = row))
}

/// A column of metadata that is not as long as the batch.
pub(crate) fn column_count(py: Python<'_>, name: &str, found: usize, rows: usize) -> PyErr {
    let message = format!("column {name:?} of metadata has {found} values for {rows} vectors");
    raise(py, "CountError", &message, details!(py, rows = rows))
}

/// A value in a row's metadata that is none.
pub(crate) fn in_metadata(py: Python<'_>, row: usize, path: &str, message: &str) -> PyErr {
    let message = format!("row {row}, metadata{path}: {message}");
    raise(
        py,
        "MetadataError",
        &message,
        details!(py, row = row, path = path),
    )
}

/// Arguments that make no sense together, or of which one is missing.
pub(crate) fn misused(py: Python<'_>, message: &str) -> PyErr {
    plain(py, "ArgumentTypeError", message)
}

/// An argument of the wrong type: what is needed, and the type that came.
pub(crate) fn wrong_type(name: &str, needed: &str, got: &Bound<'_, PyAny>) -> PyErr {
    let message = format!("{name}: {needed} is needed, not {}", type_name(got));
    plain(got.py(), "ArgumentTypeError", &message)
}

/// Vectors that could not be had from an object, and why. What is no `Exception`, such as Ctrl-C, goes on as it is.
pub(crate) fn unreadable(object: &Bound<'_, PyAny>, cause: PyErr) -> PyErr {
    let py = object.py();
    if !cause.is_instance_of::<PyException>(py) || cause.is_instance_of::<PyMemoryError>(py) {
        return cause;
    }
    let message = format!(
        "vectors of type {} cannot be read: {cause}",
        type_name(object)
    );
    let error = plain(py, "ArgumentTypeError", &message);
    error.set_cause(py, Some(cause));
    error
}

/// Something in a list of vectors that is no vector.
pub(crate) fn no_row(item: &Bound<'_, PyAny>, input: Input, row: usize) -> PyErr {
    let message = format!(
        "{input} {row} is a {}; a list or array of numbers is needed",
        type_name(item)
    );
    raise(
        item.py(),
        "ArgumentTypeError",
        &message,
        details!(item.py(), row = row),
    )
}

/// Something in a list of numbers that is none.
pub(crate) fn no_number(item: &Bound<'_, PyAny>, input: Input, row: usize, column: usize) -> PyErr {
    let message = format!(
        "{input} {row}, component {column} is a {}; a number that float32 can hold is needed",
        type_name(item)
    );
    let details = details!(item.py(), row = row, column = column);
    raise(item.py(), "ArgumentTypeError", &message, details)
}

/// Refuses an array with rows of another length than the collection's vectors.
pub(crate) fn check_dim(py: Python<'_>, input: Input, expected: usize, got: usize) -> PyResult<()> {
    match expected == got {
        true => Ok(()),
        false => Err(from_db(
            py,
            &Error::Dimension {
                input,
                expected,
                got,
            },
        )),
    }
}

/// Refuses one row of a list that has another length than the collection's vectors.
pub(crate) fn check_row(
    py: Python<'_>,
    input: Input,
    row: usize,
    expected: usize,
    got: usize,
) -> PyResult<()> {
    if expected == got {
        return Ok(());
    }
    let message =
        format!("{input} {row} has {got} components; this collection stores vectors of {expected}");
    let details = details!(py, row = row, expected = expected, got = got);
    Err(raise(py, "DimensionError", &message, details))
}

/// A finite number that float32 cannot hold.
pub(crate) fn beyond_f32(py: Python<'_>, beyond: &BeyondF32) -> PyErr {
    let BeyondF32 { row, column, value } = *beyond;
    let details = details!(py, row = row, column = column, value = value);
    raise(py, "NotFiniteError", &beyond.to_string(), details)
}

/// A panic: a bug of ours, but not the end of the process.
pub(crate) fn from_panic(py: Python<'_>, payload: &(dyn Any + Send)) -> PyErr {
    let text = (payload.downcast_ref::<String>().map(String::as_str))
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    let message = format!("{text}; this is a bug in Proxime, please report it");
    plain(py, "InternalError", &message)
}

/// The name of an object's type, for messages.
pub(crate) fn type_name(object: &Bound<'_, PyAny>) -> String {
    let name = object.get_type().fully_qualified_name();
    name.map_or_else(|_| "?".to_owned(), |name| name.to_string())
}

/// The module of the exception classes.
pub(crate) fn classes(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static CLASSES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let classes = CLASSES.get_or_try_init(py, || {
        PyModule::import(py, "proxime.exceptions").map(Bound::unbind)
    })?;
    Ok(classes.bind(py))
}

type Details<'py> = PyResult<Bound<'py, PyDict>>;

fn and<'py>(details: Details<'py>, name: &str, value: impl IntoPyObject<'py>) -> Details<'py> {
    let details = details?;
    details.set_item(name, value)?;
    Ok(details)
}

fn raise(py: Python<'_>, class: &str, message: &str, details: Details<'_>) -> PyErr {
    let exception = details.and_then(|details| {
        classes(py)?
            .getattr(class)?
            .call((message,), Some(&details))
    });
    exception.map_or_else(|failure| failure, PyErr::from_value)
}

fn describe<'py>(py: Python<'py>, error: &Error) -> (&'static str, Details<'py>) {
    match error {
        Error::Dimension { expected, got, .. } => (
            "DimensionError",
            details!(py, expected = expected, got = got),
        ),
        Error::NotFinite {
            row, column, value, ..
        } => (
            "NotFiniteError",
            details!(py, row = row, column = column, value = value),
        ),
        Error::Unstorable {
            row, column, value, ..
        } => (
            "UnstorableError",
            details!(py, row = row, column = column, value = value),
        ),
        Error::ZeroVector { row, .. } => ("ZeroVectorError", details!(py, row = row)),
        Error::IdCount { rows, .. }
        | Error::MetadataCount { rows, .. }
        | Error::TooManyRows { rows, .. } => ("CountError", details!(py, rows = rows)),
        Error::DuplicateId { id, first_row, row } => (
            "DuplicateIdError",
            details!(py, id = keys::ToPy(id), first_row = first_row, row = row),
        ),
        Error::IdTooLong { row, .. } => ("IdError", details!(py, row = row)),
        Error::IdExists { id, row } => {
            ("ExistsError", details!(py, id = keys::ToPy(id), row = row))
        }
        Error::Version {
            id,
            row,
            expected,
            found,
        } => (
            "VersionError",
            details!(
                py,
                id = keys::ToPy(id),
                row = row,
                expected = expected,
                found = found
            ),
        ),
        Error::IdNotFound { id, row } => (
            "NotFoundError",
            details!(py, id = keys::ToPy(id), row = row),
        ),
        Error::Metadata { row, path, .. } => {
            ("MetadataError", details!(py, row = row, path = path))
        }
        Error::Schema {
            row,
            field,
            expected,
            found,
        } => (
            "SchemaError",
            details!(
                py,
                row = row,
                path = format!(".{field}"),
                expected = expected.name(),
                found = found.map(FieldType::name)
            ),
        ),
        Error::Filter(_) => ("FilterError", details!(py)),
        Error::CollectionExists { name } => ("ExistsError", details!(py, name = name)),
        Error::CollectionNotFound { name, .. } | Error::AliasNotFound { name } => {
            ("NotFoundError", details!(py, name = name))
        }
        Error::Forked { owner, child } => {
            ("ForkedError", details!(py, owner = owner, child = child))
        }
        Error::ReadOnly => ("ReadOnlyError", details!(py)),
        Error::Closed => ("ClosedError", details!(py)),
        Error::Damaged { file, .. } => ("DamagedError", details!(py, path = file)),
        _ => (class_of(error.kind()), details!(py)),
    }
}

fn describe_storage<'py>(py: Python<'py>, error: &StorageError) -> (&'static str, Details<'py>) {
    match error {
        StorageError::NotFound { path } => ("StoreNotFoundError", details!(py, path = path)),
        StorageError::NotAStore { path, .. } => ("NotAStoreError", details!(py, path = path)),
        StorageError::NotEmpty { path } => ("ExistsError", details!(py, path = path)),
        StorageError::Locked { path, pid, host } => (
            "LockedError",
            details!(py, path = path, pid = pid, host = host),
        ),
        StorageError::Corrupt { file, .. } => ("DamagedError", details!(py, path = file)),
        StorageError::Unsupported { file, .. } => ("UnsupportedError", details!(py, path = file)),
        StorageError::ReadOnly => ("ReadOnlyError", details!(py)),
        StorageError::Io { path, source, .. } => (
            "StorageError",
            details!(py, path = path, errno = source.raw_os_error()),
        ),
        _ => ("StorageError", details!(py)),
    }
}

/// For errors that need no class of their own, and for those to come.
fn class_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Argument => "ParameterError",
        ErrorKind::Exists => "ExistsError",
        ErrorKind::Conflict => "VersionError",
        ErrorKind::NotFound => "NotFoundError",
        ErrorKind::Damaged => "DamagedError",
        ErrorKind::Locked => "LockedError",
        ErrorKind::Io => "StorageError",
        _ => "Error",
    }
}
