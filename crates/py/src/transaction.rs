//! The class `Transaction`.

use std::sync::{Mutex, PoisonError};

use proxime::{Batch, Update};
use pyo3::prelude::*;

use crate::collection::{Collection, Deletion};
use crate::{call, error};

/// Writes that take place together, or not at all. Made by `Database.transaction`; used in a `with` block, at the end of which it is
/// committed, unless an exception leaves the block: then nothing is written.
///
/// What it is given is checked and copied at once. Nothing of it can be read before the end of the block.
#[pyclass(frozen, module = "proxime")]
pub(crate) struct Transaction {
    /// `None` once it has ended.
    inner: Mutex<Option<proxime::Transaction>>,
}

impl Transaction {
    pub(crate) fn new(inner: proxime::Transaction) -> Self {
        Transaction {
            inner: Mutex::new(Some(inner)),
        }
    }

    fn take(&self) -> Option<proxime::Transaction> {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn push(
        &self,
        py: Python<'_>,
        push: impl FnOnce(&mut proxime::Transaction) -> proxime::Result<()>,
    ) -> PyResult<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *inner {
            Some(inner) => push(inner).map_err(|error| error::from_db(py, &error)),
            None => Err(ended(py)),
        }
    }

    fn store(
        &self,
        collection: &Collection,
        ids: &Bound<'_, PyAny>,
        vectors: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
        if_version: Option<&Bound<'_, PyAny>>,
        store: impl FnOnce(
            &mut proxime::Transaction,
            &proxime::Collection,
            Batch<'_>,
        ) -> proxime::Result<()>,
    ) -> PyResult<()> {
        collection.with_batch(ids, vectors, metadata, if_version, false, |batch, _| {
            self.push(ids.py(), |inner| store(inner, collection.inner(), batch))
        })
    }
}

fn ended(py: Python<'_>) -> PyErr {
    error::plain(py, "ClosedError", "the transaction has ended")
}

#[pymethods]
impl Transaction {
    /// As `Collection.upsert`.
    #[pyo3(signature = (collection, ids, vectors, metadata=None, *, if_version=None))]
    fn upsert(
        &self,
        collection: &Collection,
        ids: &Bound<'_, PyAny>,
        vectors: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
        if_version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let store = proxime::Transaction::upsert;
        self.store(collection, ids, vectors, metadata, if_version, store)
    }

    /// As `Collection.add`. An id that is there already is an error at the end of the block.
    #[pyo3(signature = (collection, ids, vectors, metadata=None))]
    fn add(
        &self,
        collection: &Collection,
        ids: &Bound<'_, PyAny>,
        vectors: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let store = proxime::Transaction::add;
        self.store(collection, ids, vectors, metadata, None, store)
    }

    /// As `Collection.update`. An id that is not there is an error at the end of the block.
    #[pyo3(signature = (collection, ids, vectors=None, metadata=None, *, if_version=None))]
    fn update(
        &self,
        collection: &Collection,
        ids: &Bound<'_, PyAny>,
        vectors: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyAny>>,
        if_version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        collection.with_update(
            ids,
            vectors,
            metadata,
            if_version,
            false,
            |update: Update<'_>| {
                self.push(ids.py(), |inner| inner.update(collection.inner(), update))
            },
        )
    }

    /// As `Collection.delete`: of the ids those that are there, or what `where` is true of, at the end of the block.
    #[pyo3(signature = (collection, ids=None, *, r#where=None, params=None, if_version=None))]
    fn delete(
        &self,
        py: Python<'_>,
        collection: &Collection,
        ids: Option<&Bound<'_, PyAny>>,
        r#where: Option<&Bound<'_, PyAny>>,
        params: Option<&Bound<'_, PyAny>>,
        if_version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        call::guarded(py, || {
            let deletion = Deletion::from_py(py, ids, r#where, params, if_version)?;
            let collection = collection.inner();
            self.push(py, |inner| match &deletion {
                Deletion::Ids(ids) => inner.delete(collection, ids),
                Deletion::If(ids, versions) => inner.delete_if(collection, ids, versions),
                Deletion::Where(filter) => inner.delete_where(collection, filter),
            })
        })
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let ended_before = slf
            .get()
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none();
        match ended_before {
            true => Err(ended(slf.py())),
            false => Ok(slf),
        }
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        r#type: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let inner = self.take().ok_or_else(|| ended(py))?;
        if !r#type.is_none() {
            return Ok(());
        }
        call::wait(py, || inner.is_held_back(), |progress| inner.wait(progress))?;
        call::detached(py, || inner.commit())
    }
}
