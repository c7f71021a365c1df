//! The class `Collection`: what it is and what it says of itself; what it does is in `write`, `read` and `search`.

mod read;
mod search;
mod write;

pub(crate) use write::Deletion;

use std::sync::atomic::{AtomicUsize, Ordering};

use numpy::PyUntypedArray;
use proxime::Key;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

use crate::origin::Origin;
use crate::{call, keys, text};

/// What [`Collection::row`] says.
pub(crate) const ROW: [&str; 5] = ["collection", "records", "dim", "dtype", "metric"];

/// Records of one dimension and metric. Made by `Database.create_collection` and `Database.collection`; can be used from
/// several threads at once.
#[pyclass(frozen, module = "proxime")]
pub(crate) struct Collection {
    inner: proxime::Collection,
    origin: Origin,
    /// Bytes of vectors that writes through this handle did not use as they lay in the caller's memory.
    bytes_copied: AtomicUsize,
}

impl Collection {
    pub(crate) fn new(inner: proxime::Collection, origin: Origin) -> Self {
        Collection {
            inner,
            origin,
            bytes_copied: AtomicUsize::new(0),
        }
    }

    pub(crate) fn inner(&self) -> &proxime::Collection {
        &self.inner
    }

    /// Its row in a table for notebooks.
    pub(crate) fn row(collection: &proxime::Collection) -> proxime::Result<[String; 5]> {
        let config = collection.config();
        Ok([
            collection.name().to_owned(),
            text::thousands(collection.len()?),
            config.dim.to_string(),
            config.dtype.to_string(),
            config.metric.to_string(),
        ])
    }

    pub(crate) fn dim(&self) -> usize {
        self.inner.config().dim
    }
}

#[pymethods]
impl Collection {
    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// Components of each vector.
    #[getter(dim)]
    fn py_dim(&self) -> usize {
        self.dim()
    }

    /// "cosine", "l2" or "dot".
    #[getter]
    fn metric(&self) -> String {
        self.inner.config().metric.to_string()
    }

    /// What components are stored as: "f32", "f16" or "int8".
    #[getter]
    fn dtype(&self) -> String {
        self.inner.config().dtype.to_string()
    }

    /// What metadata must be like: a dict of fields, each with a dict of "type" and "required"; empty if the collection has no schema.
    #[getter]
    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        text::from_json(py, serde_json::to_string(&self.inner.config().schema))
    }

    /// The collection in numbers, a dict. "bytes_copied": how much of the vectors that were written through this object was copied or
    /// converted on the way, in bytes of float32.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let stats = call::detached(py, || self.inner.stats())?;
        let stats = text::from_json(py, serde_json::to_string(&stats))?;
        stats.set_item("bytes_copied", self.bytes_copied.load(Ordering::Relaxed))?;
        Ok(stats)
    }

    /// 32 hex digits over everything stored and built. The same batches give the same digest with any number of threads,
    /// on any machine.
    fn digest(&self, py: Python<'_>) -> PyResult<String> {
        call::detached(py, || self.inner.digest())
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        self.origin.reduce(py, Some(self.inner.name()))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        call::detached(py, || self.inner.len())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let name = PyString::new(py, self.inner.name()).repr()?;
        let config = self.inner.config();
        Ok(match self.inner.len() {
            Ok(len) => {
                let len = text::thousands(len);
                format!(
                    "Collection({name}, {len} × {} {}, {})",
                    config.dim, config.dtype, config.metric
                )
            }
            Err(_) => format!("Collection({name}, closed)"),
        })
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        Ok(match Collection::row(&self.inner) {
            Ok(row) => text::html_table(ROW, &[row], 1),
            Err(_) => text::html_line(&self.__repr__(py)?),
        })
    }
}

/// Ids, and whether it was one alone.
fn one_or_more(ids: &Bound<'_, PyAny>) -> PyResult<(Vec<Key>, bool)> {
    let several = ids.is_instance_of::<PyList>() || ids.is_instance_of::<PyUntypedArray>();
    Ok(match several {
        true => (keys::from_py(ids, None)?, false),
        false => (vec![keys::one(ids, None)?], true),
    })
}

/// A list, or the one thing in it.
fn unwrapped<'py>(
    py: Python<'py>,
    mut items: Vec<Bound<'py, PyAny>>,
    single: bool,
) -> PyResult<Bound<'py, PyAny>> {
    match items.pop() {
        Some(item) if single => Ok(item),
        last => {
            items.extend(last);
            Ok(PyList::new(py, items)?.into_any())
        }
    }
}
