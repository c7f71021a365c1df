//! Writing: batches in, deletions, compaction.

use std::sync::atomic::Ordering;

use proxime::{Batch, Progress, Update};
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

impl Collection {
    /// The vectors of a batch; with `in_place` an error if they cannot be used as they lie in memory.
    pub(crate) fn vectors<'py>(
        &self,
        vectors: &Bound<'py, PyAny>,
        in_place: bool,
    ) -> PyResult<Given<'py>> {
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

    fn write(
        &self,
        ids: &Bound<'_, PyAny>,
        vectors: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
        options: Options<'_, '_>,
        write: fn(&proxime::Collection, Batch<'_>) -> proxime::Result<()>,
    ) -> PyResult<()> {
        let py = ids.py();
        call::guarded(py, || {
            let listener = Listener::from_py(options.progress)?;
            let in_place = args::in_place(options.zero_copy)?;
            let vectors = self.vectors(vectors, in_place)?;
            let source = vectors.source();
            let ids = keys::from_py(ids, Some(source.rows()))?;
            let metadata = metadata.map(|metadata| values::records(metadata, source.rows()));
            let metadata = metadata.transpose()?;
            let rows = source.rows();
            let versions = args::versions(options.if_version, rows)?;
            let store = |progress: Option<Progress<'_>>| {
                let mut batch = Batch::new(ids, &*source);
                batch = match metadata {
                    Some(metadata) => batch.metadata(metadata),
                    None => batch,
                };
                batch = match versions {
                    Some(versions) => batch.if_versions(versions),
                    None => batch,
                };
                batch = match progress {
                    Some(progress) => batch.progress(progress),
                    None => batch,
                };
                write(&self.inner, batch)
            };
            if rows <= AT_ONCE_ROWS
                && listener.is_none()
                && !py.detach(|| self.inner.is_held_back())
            {
                return call::detached(py, || store(None));
            }
            call::interruptible(py, listener, STORED, |progress| store(Some(progress)))
        })
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
            let filter = filters::from_py(r#where, params)?;
            let ids = ids.map(|ids| keys::from_py(ids, None)).transpose()?;
            let rows = ids.as_ref().map_or(0, Vec::len);
            let versions = args::versions(if_version, rows)?;
            let inner = &self.inner;
            let detached = |delete: &(dyn Fn() -> proxime::Result<usize> + Sync)| {
                call::wait(py, || inner.is_held_back(), |progress| inner.wait(progress))?;
                call::detached(py, delete)
            };
            match (ids, filter, versions) {
                (Some(ids), None, None) => detached(&|| inner.delete(&ids)),
                (Some(ids), None, Some(versions)) => detached(&|| inner.delete_if(&ids, &versions)),
                (None, Some(filter), None) => detached(&|| inner.delete_where(&filter)),
                _ => {
                    let message = "delete takes either ids, with or without if_version, or where";
                    Err(error::plain(py, "ParameterError", message))
                }
            }
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
