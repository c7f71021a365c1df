//! Writing: batches in, deletions, compaction.

use std::sync::atomic::Ordering;

use proxime::{Batch, Filter, Key, Update};
use pyo3::prelude::*;

use super::Collection;
use crate::arrays::Given;
use crate::progress::Listener;
use crate::{args, arrays, call, error, filters, keys, values};

/// Whether a batch was stored, for who interrupts.
const STORED: [&str; 2] = [
    "the batch was stored already",
    "nothing of the batch was stored",
];

/// Batches that are stored before anybody could interrupt: a thread that listens for signals would take longer than they do.
const AT_ONCE_ROWS: usize = 100;

/// Whether segments were put together, for who interrupts.
const COMPACTED: [&str; 2] = ["it was done already", "nothing has changed"];

/// What Python says about storing a batch besides what is in it.
#[derive(Clone, Copy)]
struct Options<'a, 'py> {
    if_version: Option<&'a Bound<'py, PyAny>>,
    zero_copy: Option<&'a Bound<'py, PyAny>>,
    progress: Option<&'a Bound<'py, PyAny>>,
}

/// What is to be deleted.
pub(crate) enum Deletion {
    Ids(Vec<Key>),
    If(Vec<Key>, Vec<u64>),
    Where(Filter),
}

impl Deletion {
    pub(crate) fn from_py(
        py: Python<'_>,
        ids: Option<&Bound<'_, PyAny>>,
        r#where: Option<&Bound<'_, PyAny>>,
        params: Option<&Bound<'_, PyAny>>,
        if_version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let filter = filters::from_py(r#where, params)?;
        let ids = ids.map(|ids| keys::from_py(ids, None)).transpose()?;
        let versions = args::versions(if_version, ids.as_ref().map_or(0, Vec::len))?;
        match (ids, filter, versions) {
            (Some(ids), None, None) => Ok(Deletion::Ids(ids)),
            (Some(ids), None, Some(versions)) => Ok(Deletion::If(ids, versions)),
            (None, Some(filter), None) => Ok(Deletion::Where(filter)),
            _ => {
                let message = "delete takes either ids, with or without if_version, or where";
                Err(error::plain(py, "ParameterError", message))
            }
        }
    }
}

impl Collection {
    /// The vectors of a batch; with `in_place` an error if they cannot be used as they lie in memory.
    fn vectors<'py>(&self, vectors: &Bound<'py, PyAny>, in_place: bool) -> PyResult<Given<'py>> {
        let given = arrays::batch(vectors, self.dim())?;
        if let Some(why) = &given.why_copied {
            if in_place {
                let message = format!(
                    "zero_copy=\"require\", but the vectors would be copied: {why}; a C-contiguous float32 array would not be"
                );
                return Err(error::plain(vectors.py(), "ParameterError", &message));
            }
            let bytes = given.source().rows() * self.dim() * size_of::<f32>();
            self.bytes_copied.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(given)
    }

    /// Runs `body` with an update made of Python's arguments.
    pub(crate) fn with_update(
        &self,
        ids: &Bound<'_, PyAny>,
        vectors: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyAny>>,
        if_version: Option<&Bound<'_, PyAny>>,
        in_place: bool,
        body: impl FnOnce(Update<'_>) -> PyResult<()>,
    ) -> PyResult<()> {
        call::guarded(ids.py(), || {
            let vectors = vectors.map(|vectors| self.vectors(vectors, in_place));
            let vectors = vectors.transpose()?;
            let source = vectors.as_ref().map(|vectors| vectors.source());
            let ids = keys::from_py(ids, source.as_ref().map(|source| source.rows()))?;
            let metadata = metadata.map(|metadata| values::records(metadata, ids.len()));
            let versions = args::versions(if_version, ids.len())?;
            let mut update = Update::new(ids);
            if let Some(source) = &source {
                update = update.vectors(&**source);
            }
            if let Some(metadata) = metadata.transpose()? {
                update = update.metadata(metadata);
            }
            if let Some(versions) = versions {
                update = update.if_versions(versions);
            }
            body(update)
        })
    }

    /// Runs `body` with a batch made of Python's arguments, and its number of rows.
    pub(crate) fn with_batch(
        &self,
        ids: &Bound<'_, PyAny>,
        vectors: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
        if_version: Option<&Bound<'_, PyAny>>,
        in_place: bool,
        body: impl FnOnce(Batch<'_>, usize) -> PyResult<()>,
    ) -> PyResult<()> {
        call::guarded(ids.py(), || {
            let vectors = self.vectors(vectors, in_place)?;
            let source = vectors.source();
            let rows = source.rows();
            let ids = keys::from_py(ids, Some(rows))?;
            let metadata = metadata.map(|metadata| values::records(metadata, rows));
            let metadata = metadata.transpose()?;
            let versions = args::versions(if_version, rows)?;
            let mut batch = Batch::new(ids, &*source);
            if let Some(metadata) = metadata {
                batch = batch.metadata(metadata);
            }
            if let Some(versions) = versions {
                batch = batch.if_versions(versions);
            }
            body(batch, rows)
        })
    }

    fn write(
        &self,
        ids: &Bound<'_, PyAny>,
        vectors: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
        options: Options<'_, '_>,
        write: fn(&proxime::Collection, Batch<'_>) -> proxime::Result<()>,
    ) -> PyResult<()> {
        let py = ids.py();
        let listener = Listener::from_py(options.progress)?;
        let in_place = args::in_place(options.zero_copy)?;
        let inner = &self.inner;
        let store = |batch: Batch<'_>, rows| {
            let at_once = rows <= AT_ONCE_ROWS && listener.is_none();
            if at_once && !py.detach(|| inner.is_held_back()) {
                return call::detached(py, || write(inner, batch));
            }
            call::interruptible(py, listener, STORED, |progress| {
                write(inner, batch.progress(progress))
            })
        };
        self.with_batch(ids, vectors, metadata, options.if_version, in_place, store)
    }
}

#[pymethods]
impl Collection {
    /// Store records, replacing those with the same ids: all of them, durably, or none. Of rows with the same id the last
    /// one wins.
    ///
    /// `ids`: an integer array, or a list of int, str, uuid.UUID or bytes. `vectors`: an array [n, dim], or whatever lends its memory: by the
    /// buffer protocol, `__array_interface__`, DLPack (torch, JAX) or as Arrow lists (pyarrow, Polars). C-contiguous float32 is read in
    /// place, everything else is converted on the way. `metadata`: a list of dicts, or a dict of columns.
    ///
    /// `zero_copy="require"`: vectors that cannot be read in place are an error that says why. `stats()["bytes_copied"]` counts what could not be.
    ///
    /// `if_version`: an int, or one for each id: store only if each record has this version, as `get` gives it, 0 standing for one that is
    /// not there; otherwise a `VersionError`, and nothing is stored.
    ///
    /// `progress`: True for a bar; a function of `(done, total, stage)`; or an object with `update(n)`, such as tqdm's, for which the `n`
    /// add up to the number of rows. What it raises stops the call, with nothing stored.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a", "b"], np.eye(2), {"lang": ["en", "de"]})
    /// >>> docs.get("b")["metadata"]
    /// {'lang': 'de'}
    #[pyo3(
        signature = (ids, vectors, metadata=None, *, if_version=None, zero_copy=None, progress=None),
        text_signature = "($self, ids, vectors, metadata=None, *, if_version=None, zero_copy='allow', progress=None)"
    )]
    fn upsert(
        &self,
        ids: &Bound<'_, PyAny>,
        vectors: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
        if_version: Option<&Bound<'_, PyAny>>,
        zero_copy: Option<&Bound<'_, PyAny>>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let options = Options {
            if_version,
            zero_copy,
            progress,
        };
        let upsert = proxime::Collection::upsert;
        self.write(ids, vectors, metadata, options, upsert)
    }

    /// Store records with new ids: all of them, durably, or none. An id that is given twice or stored already is an error;
    /// otherwise like `upsert`.
    #[pyo3(
        signature = (ids, vectors, metadata=None, *, zero_copy=None, progress=None),
        text_signature = "($self, ids, vectors, metadata=None, *, zero_copy='allow', progress=None)"
    )]
    fn add(
        &self,
        ids: &Bound<'_, PyAny>,
        vectors: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
        zero_copy: Option<&Bound<'_, PyAny>>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let options = Options {
            if_version: None,
            zero_copy,
            progress,
        };
        let add = proxime::Collection::add;
        self.write(ids, vectors, metadata, options, add)
    }

    /// Give records that are there new vectors or new metadata, or both, and leave the rest of them as it is: all of them, durably, or
    /// none. An id that is not there is a `NotFoundError`.
    ///
    /// `ids`, `vectors`, `metadata`, `if_version`, `zero_copy`, `progress`: as for `upsert`. New metadata replaces all that is there; fields are not merged.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a", "b"], np.eye(2), {"lang": ["en", "de"]})
    /// >>> docs.update(["b"], metadata=[{"lang": "fr"}])
    /// >>> docs.get("b")["metadata"], docs.get("b")["vector"]
    /// ({'lang': 'fr'}, array([0., 1.], dtype=float32))
    #[pyo3(
        signature = (ids, vectors=None, metadata=None, *, if_version=None, zero_copy=None, progress=None),
        text_signature = "($self, ids, vectors=None, metadata=None, *, if_version=None, zero_copy='allow', progress=None)"
    )]
    fn update(
        &self,
        ids: &Bound<'_, PyAny>,
        vectors: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyAny>>,
        if_version: Option<&Bound<'_, PyAny>>,
        zero_copy: Option<&Bound<'_, PyAny>>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = ids.py();
        let listener = Listener::from_py(progress)?;
        let in_place = args::in_place(zero_copy)?;
        self.with_update(ids, vectors, metadata, if_version, in_place, |update| {
            call::interruptible(py, listener, STORED, |progress| {
                self.inner.update(update.progress(progress))
            })
        })
    }

    /// Another name of `upsert`.
    #[pyo3(
        signature = (ids, vectors, metadata=None, *, zero_copy=None, progress=None),
        text_signature = "($self, ids, vectors, metadata=None, *, zero_copy='allow', progress=None)"
    )]
    fn add_vector_batch(
        &self,
        ids: &Bound<'_, PyAny>,
        vectors: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
        zero_copy: Option<&Bound<'_, PyAny>>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.upsert(ids, vectors, metadata, None, zero_copy, progress)
    }

    /// Delete the records with these ids, or those that `where`, as in `search`, is true of: all of them, durably, or none.
    /// Returns how many there were.
    ///
    /// `ids`, `if_version`: as for `upsert`; ids that are not there are passed over, unless another version than 0 is asked for.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a", "b"], np.eye(2), {"lang": ["en", "de"]})
    /// >>> docs.delete(["b", "c"])
    /// 1
    /// >>> docs.delete(where={"lang": "en"})
    /// 1
    #[pyo3(signature = (ids=None, *, r#where=None, params=None, if_version=None))]
    fn delete(
        &self,
        py: Python<'_>,
        ids: Option<&Bound<'_, PyAny>>,
        r#where: Option<&Bound<'_, PyAny>>,
        params: Option<&Bound<'_, PyAny>>,
        if_version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<usize> {
        call::guarded(py, || {
            let deletion = Deletion::from_py(py, ids, r#where, params, if_version)?;
            let inner = &self.inner;
            call::wait(py, || inner.is_held_back(), |progress| inner.wait(progress))?;
            call::detached(py, || match &deletion {
                Deletion::Ids(ids) => inner.delete(ids),
                Deletion::If(ids, versions) => inner.delete_if(ids, versions),
                Deletion::Where(filter) => inner.delete_where(filter),
            })
        })
    }

    /// Put everything into one segment: what was replaced or deleted takes no room then, and searches are as fast as they get.
    ///
    /// Reads and writes go on meanwhile. Most of it happens by itself in the background; Ctrl-C stops it and nothing has changed. `progress`: as for `upsert`.
    #[pyo3(signature = (*, progress=None))]
    fn compact(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let listener = Listener::from_py(progress)?;
        call::interruptible(py, listener, COMPACTED, |progress| {
            self.inner.compact(Some(progress))
        })
    }
}
