//! The class `Collection`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use numpy::{PyArray1, PyUntypedArray};
use proxime::{
    Batch, Explanation, Filter, GroupBy, Key, OrderBy, Presence, Progress, Record, Results,
    SearchOptions, Update,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyString, PyTuple};

use crate::arrays::Given;
use crate::hits::{Answers, Hits, Include};
use crate::origin::Origin;
use crate::progress::Listener;
use crate::{args, arrays, call, error, filters, keys, options, text, values, words};

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

    pub(crate) fn dim(&self) -> usize {
        self.inner.config().dim
    }

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
            if rows <= AT_ONCE_ROWS && listener.is_none() {
                return call::detached(py, || store(None));
            }
            call::interruptible(py, listener, STORED, |progress| store(Some(progress)))
        })
    }

    /// Of one vector alone.
    fn one_query(&self, query: &Bound<'_, PyAny>) -> PyResult<Vec<f32>> {
        let queries = arrays::queries(query, self.dim())?;
        if !queries.single {
            return Err(error::wrong_type("query", "one vector", query));
        }
        let rows = queries.rows(query.py(), self.dim())?;
        Ok(rows.iter().flatten().copied().collect())
    }

    /// `Hits` for each query.
    fn all_hits<'py>(&self, py: Python<'py>, results: Results) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let (results, dim) = (Arc::new(results), self.dim());
        let hits =
            |query| Ok(Bound::new(py, Hits::new(Arc::clone(&results), query, dim))?.into_any());
        (0..results.queries()).map(hits).collect()
    }

    fn answer<'py>(
        &self,
        queries: &Bound<'py, PyAny>,
        options: &SearchOptions,
        include: &[Include],
        explain: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, dim) = (queries.py(), self.dim());
        let queries = arrays::queries(queries, dim)?;
        let rows = queries.rows(py, dim)?;
        let search = || match explain {
            false => Ok((self.inner.search(rows, options)?, None)),
            true => {
                let (results, how) = self.inner.explain(rows, options)?;
                Ok((results, Some(how)))
            }
        };
        if queries.single || options.max_distance.is_some() {
            let (results, how) = call::detached(py, search)?;
            let answer = unwrapped(py, self.all_hits(py, results)?, queries.single)?;
            return with_explanation(answer, how);
        }
        let (answers, how) = call::detached(py, || {
            let (results, how) = search()?;
            let available = match &options.filter {
                Some(filter) if results.queries() == 0 => self.inner.count(filter)?,
                _ => self.inner.len()?,
            };
            let answers = Answers::gather(&results, include, options.k.min(available))?;
            Ok((answers, how))
        })?;
        with_explanation(answers.into_py(py, dim)?.into_any(), how)
    }
}

/// A tuple of both, if there is one.
fn with_explanation<'py>(
    answer: Bound<'py, PyAny>,
    how: Option<Explanation>,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(how) = how else { return Ok(answer) };
    let py = answer.py();
    let how = text::from_json(py, serde_json::to_string(&how))?;
    Ok((answer, how).into_pyobject(py)?.into_any())
}

fn plain_options(
    k: Option<&Bound<'_, PyAny>>,
    ef: Option<&Bound<'_, PyAny>>,
    recall: Option<&Bound<'_, PyAny>>,
    exact: bool,
) -> PyResult<SearchOptions> {
    let defaults = SearchOptions::default();
    Ok(SearchOptions {
        k: args::optional_count("k", k)?.unwrap_or(defaults.k),
        ef: args::optional_count("ef", ef)?,
        recall: args::optional_number("recall", recall)?,
        exact,
        ..defaults
    })
}

/// Records of a page, unless the caller says how many.
const SCROLL_LIMIT: usize = 1000;

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

fn record_to_py(py: Python<'_>, record: Record) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("id", keys::ToPy(&record.id))?;
    dict.set_item("vector", PyArray1::from_vec(py, record.vector))?;
    dict.set_item("metadata", values::to_py(py, &record.metadata)?)?;
    dict.set_item("version", record.version)?;
    Ok(dict)
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
            match (ids, filter, versions) {
                (Some(ids), None, None) => call::detached(py, || self.inner.delete(&ids)),
                (Some(ids), None, Some(versions)) => {
                    call::detached(py, || self.inner.delete_if(&ids, &versions))
                }
                (None, Some(filter), None) => {
                    call::detached(py, || self.inner.delete_where(&filter))
                }
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

    /// The record with this id: a dict of "id", "vector", "metadata" and "version", the number of the write that stored it last. None if there is none. For a list of ids a list of
    /// these, in the same order.
    fn get<'py>(&self, py: Python<'py>, id: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (ids, single) = one_or_more(id)?;
        let found = call::detached(py, || self.inner.get_many(&ids))?;
        let records = found.into_iter().map(|record| match record {
            Some(record) => Ok(record_to_py(py, record)?.into_any()),
            None => Ok(py.None().into_bound(py)),
        });
        let records = records.collect::<PyResult<Vec<_>>>()?;
        unwrapped(py, records, single)
    }

    /// Whether there is a record with this id. For a list of ids a list, in the same order.
    fn exists<'py>(&self, py: Python<'py>, id: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (ids, single) = one_or_more(id)?;
        let found = call::detached(py, || self.inner.exist(&ids))?;
        let found = found
            .into_iter()
            .map(|there| PyBool::new(py, there).to_owned().into_any());
        unwrapped(py, found.collect(), single)
    }

    /// The records nearest to a stored one, which itself is left out: `Hits`. For a list of ids a list of these.
    ///
    /// `k` and the keywords: as for `search`. An id that is not there is a `NotFoundError`.
    #[pyo3(
        signature = (id, k=None, **options),
        text_signature = "($self, id, k=10, *, where=None, params=None, ef=None, recall=None, exact=False, max_distance=None)"
    )]
    fn search_by_id<'py>(
        &self,
        id: &Bound<'py, PyAny>,
        k: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = id.py();
        call::guarded(py, || {
            let options = options::from_keywords(k, options)?;
            let (ids, single) = one_or_more(id)?;
            let found = call::detached(py, || self.inner.search_by_id(&ids, &options))?;
            unwrapped(py, self.all_hits(py, found)?, single)
        })
    }

    /// The records that are like the `positive` ones and unlike the `negative` ones, none of which comes back: `Hits`.
    ///
    /// The query is the mean of the positive ones' vectors, and as far again away from that of the negative ones'; with "cosine" each
    /// counts with length 1. `positive`, `negative`: ids, as for `upsert`. `k` and the keywords: as for `search`.
    #[pyo3(
        signature = (positive, negative=None, k=None, **options),
        text_signature = "($self, positive, negative=(), k=10, *, where=None, params=None, ef=None, recall=None, exact=False, max_distance=None)"
    )]
    fn recommend(
        &self,
        positive: &Bound<'_, PyAny>,
        negative: Option<&Bound<'_, PyAny>>,
        k: Option<&Bound<'_, PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Hits> {
        let py = positive.py();
        call::guarded(py, || {
            let options = options::from_keywords(k, options)?;
            let positive = keys::from_py(positive, None)?;
            let negative = negative.map(|ids| keys::from_py(ids, None)).transpose()?;
            let negative = negative.unwrap_or_default();
            let found =
                call::detached(py, || self.inner.recommend(&positive, &negative, &options))?;
            Ok(Hits::new(Arc::new(found), 0, self.dim()))
        })
    }

    /// The `k` groups nearest to one query, by the nearest record of each: a list of tuples of a value and `Hits`. A group is the
    /// records with one value in the field `group_by`; those without a single value are in none.
    ///
    /// There are always `k` groups where there are so many values, however many records the nearest have. `group_size`: hits of
    /// each at most. The keywords: as for `search`.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a1", "a2", "b1"], [[1, 0], [1, 0.1], [0, 1]], {"doc": ["a", "a", "b"]})
    /// >>> [(doc, list(hits.ids)) for doc, hits in docs.search_groups([1, 0], "doc")]
    /// [('a', ['a1']), ('b', ['b1'])]
    #[pyo3(
        signature = (query, group_by, k=None, *, group_size=None, **options),
        text_signature = "($self, query, group_by, k=10, *, group_size=1, where=None, params=None, ef=None, recall=None, exact=False, max_distance=None)"
    )]
    fn search_groups<'py>(
        &self,
        query: &Bound<'py, PyAny>,
        group_by: &Bound<'py, PyAny>,
        k: Option<&Bound<'py, PyAny>>,
        group_size: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let py = query.py();
        call::guarded(py, || {
            let options = options::from_keywords(k, options)?;
            let by = GroupBy {
                field: args::text("group_by", group_by)?,
                size: args::optional_count("group_size", group_size)?.unwrap_or(1),
            };
            let query = self.one_query(query)?;
            let found = call::detached(py, || self.inner.search_groups(&query, &by, &options))?;
            let values = found
                .values
                .iter()
                .map(|value| values::value_to_py(py, value));
            let hits = self.all_hits(py, found.hits)?;
            values
                .zip(hits)
                .map(|(value, hits)| Ok((value?, hits)))
                .collect()
        })
    }

    /// Why a search for `query` does not return the record `id`: a dict.
    ///
    /// "found": whether it does. "presence": "stored", "deleted" (what is left of it is on disk), or "unknown" (never there, or long
    /// gone). "rejected_by": the parts of `where` that are false of it, as text. "rank": its true place, from 1, among the records that
    /// match; among all if it does not; `k` must be at least that. "distance", "too_far": how far it is, and whether that is beyond
    /// `max_distance`. "ef": a beam that finds it; None if only `exact=True` does. `k` and the keywords: as for `search`.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a", "b"], np.eye(2), {"lang": ["en", "de"]})
    /// >>> docs.why_not([1, 0], "b", where={"lang": "en"})["rejected_by"]
    /// ["lang = 'en'"]
    #[pyo3(
        signature = (query, id, k=None, **options),
        text_signature = "($self, query, id, k=10, *, where=None, params=None, ef=None, recall=None, exact=False, max_distance=None)"
    )]
    fn why_not<'py>(
        &self,
        query: &Bound<'py, PyAny>,
        id: &Bound<'py, PyAny>,
        k: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = query.py();
        call::guarded(py, || {
            let options = options::from_keywords(k, options)?;
            let id = keys::one(id, None)?;
            let query = self.one_query(query)?;
            let why = call::detached(py, || self.inner.why_not(&query, &id, &options))?;
            let dict = PyDict::new(py);
            dict.set_item("found", why.found)?;
            let presence = match why.presence {
                Presence::Stored => "stored",
                Presence::Deleted => "deleted",
                Presence::Unknown => "unknown",
            };
            dict.set_item("presence", presence)?;
            let rejected_by: Vec<String> = why.rejected_by.iter().map(Filter::to_string).collect();
            dict.set_item("rejected_by", rejected_by)?;
            dict.set_item("distance", why.distance)?;
            dict.set_item("rank", why.rank)?;
            dict.set_item("too_far", why.too_far)?;
            dict.set_item("ef", why.ef)?;
            Ok(dict)
        })
    }

    /// The different values of a field, and how many records have each: a list of tuples, the most frequent first. Of a list in
    /// the metadata each different value counts; null does not. `where` as in `search`.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert([1, 2, 3], np.eye(3, 2) + 1, {"lang": ["en", "de", "en"]})
    /// >>> docs.facets("lang")
    /// [('en', 2), ('de', 1)]
    #[pyo3(signature = (field, *, r#where=None, params=None))]
    fn facets<'py>(
        &self,
        field: &Bound<'py, PyAny>,
        r#where: Option<&Bound<'py, PyAny>>,
        params: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, usize)>> {
        let py = field.py();
        let field = args::text("field", field)?;
        let filter = filters::from_py(r#where, params)?;
        let facets = call::detached(py, || self.inner.facets(&field, filter.as_ref()))?;
        let facets = facets.iter();
        let facets = facets.map(|(value, count)| Ok((values::value_to_py(py, value)?, *count)));
        facets.collect()
    }

    /// The next `limit` records in the order of their ids, integers before texts before UUIDs before bytes, behind the id `after`; a list of dicts as
    /// from `get`, shorter only at the end. `where` as in `search`.
    ///
    /// Pass the last id of a page as `after` for the next one. A record that is there all the time comes exactly once,
    /// whatever is written in between.
    ///
    /// `order_by`: the name of a field whose value is the order instead, `descending=True` for the largest first; records without a
    /// single value come last either way, and those of one value in the order of their ids. A page then goes on behind the place that
    /// the record `after` has now.
    #[pyo3(
        signature = (after=None, limit=None, *, r#where=None, params=None, order_by=None, descending=false),
        text_signature = "($self, after=None, limit=1000, *, where=None, params=None, order_by=None, descending=False)"
    )]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one of Python's keywords"
    )]
    fn scroll<'py>(
        &self,
        py: Python<'py>,
        after: Option<&Bound<'py, PyAny>>,
        limit: Option<&Bound<'py, PyAny>>,
        r#where: Option<&Bound<'py, PyAny>>,
        params: Option<&Bound<'py, PyAny>>,
        order_by: Option<&Bound<'py, PyAny>>,
        descending: bool,
    ) -> PyResult<Bound<'py, PyList>> {
        let field = order_by.map(|field| args::text("order_by", field));
        let order = field
            .transpose()?
            .map(|field| OrderBy { field, descending });
        let after = after.map(|id| keys::one(id, None)).transpose()?;
        let limit = args::optional_count("limit", limit)?.unwrap_or(SCROLL_LIMIT);
        let filter = filters::from_py(r#where, params)?;
        let (after, filter) = (after.as_ref(), filter.as_ref());
        let page = call::detached(py, || match &order {
            None => self.inner.scroll(after, limit, filter),
            Some(order) => self.inner.sorted(order, after, limit, filter),
        })?;
        let page = page.into_iter().map(|record| record_to_py(py, record));
        PyList::new(py, page.collect::<PyResult<Vec<_>>>()?)
    }

    /// The `k` nearest records of each query, nearest first. Smaller distances are nearer: "l2" is squared, "cosine" is
    /// 1 - cos, "dot" is the negated product.
    ///
    /// An array [n, dim] gives `(ids, distances)`, two arrays [n, k]; `include="metadata"` or `"vectors"`, or a list of
    /// these, adds to the tuple in that order. One vector gives `Hits`, which has everything.
    ///
    /// `recall`: the share of the nearest to find, such as 0.95; how widely to look follows from it, by measurements that are made
    /// when it is first asked for. `ef`: how widely to look, for experts; without it, until the codes leave nothing in doubt. `exact=True` compares with every vector. If there are
    /// fewer than `k` records, all are found.
    ///
    /// `where`: find only records whose metadata it is true of: a dict of operators (`{"year": {"$gte": 2020}}`), a text
    /// (`"year >= :y"`, with `params={"y": 2020}`), or an expression (`F("year") >= 2020`). `max_distance`: nothing farther;
    /// several queries then give a list of `Hits`, for each may have another number of them.
    ///
    /// `text`: search for words, too, or with neither `queries` nor `vector` for words alone: records that have any of them, in the metadata's
    /// `fields`, a str or a list of these, by BM25. `vector`: one query, in place of `queries`. `fusion`: how nearness and
    /// words are put together: "rrf", by ranks; "dbsf", by the distribution of scores; or two weights `(vector, text)` for scores from 0 to 1.
    /// The answer is `Hits` with `scores`, larger first, and `text_scores`.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a", "b"], np.eye(2), {"text": ["A red fox.", "The blue bird."]})
    /// >>> list(docs.search(text="BIRD, or plane").ids)
    /// ['b']
    /// >>> list(docs.search(vector=[1, 0], text="bird", fusion=(0.9, 0.1)).ids)
    /// ['a', 'b']
    ///
    /// `explain=True`, without `text`, gives a tuple of the answer and of a dict that tells how it was found: "queries", the seconds of the stages
    /// "filter_seconds", "prepare_seconds" (what is made at first use) and "search_seconds", and "segments", a dict each: "name", "rows",
    /// "available" (rows that may be found); how often it went which way, "walks" along the graph, "filtered_walks" from match to
    /// match, "code_scans" of all matches, "vector_scans" of all vectors; "ef", "nodes" met, "code_distances", "vector_distances",
    /// "vectors_read"; "codes_seconds", "rerank_seconds" and "scan_seconds", summed over threads.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a", "b"], np.eye(2))
    /// >>> hits, how = docs.search([1, 0], k=1, explain=True)
    /// >>> how["segments"][0]["vector_scans"], how["segments"][0]["vectors_read"]
    /// (1, 2)
    #[pyo3(
        signature = (queries=None, k=None, *, vector=None, text=None, fields=None, fusion=None, r#where=None, params=None, ef=None, recall=None, exact=false, max_distance=None, include=None, explain=false),
        text_signature = "($self, queries=None, k=10, *, vector=None, text=None, fields='text', fusion='rrf', where=None, params=None, ef=None, recall=None, exact=False, max_distance=None, include=(), explain=False)"
    )]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one of Python's keywords"
    )]
    fn search<'py>(
        &self,
        py: Python<'py>,
        queries: Option<&Bound<'py, PyAny>>,
        k: Option<&Bound<'py, PyAny>>,
        vector: Option<&Bound<'py, PyAny>>,
        text: Option<&Bound<'py, PyAny>>,
        fields: Option<&Bound<'py, PyAny>>,
        fusion: Option<&Bound<'py, PyAny>>,
        r#where: Option<&Bound<'py, PyAny>>,
        params: Option<&Bound<'py, PyAny>>,
        ef: Option<&Bound<'py, PyAny>>,
        recall: Option<&Bound<'py, PyAny>>,
        exact: bool,
        max_distance: Option<&Bound<'py, PyAny>>,
        include: Option<&Bound<'py, PyAny>>,
        explain: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let max_distance = args::optional_number("max_distance", max_distance)?;
        let options = SearchOptions {
            filter: filters::from_py(r#where, params)?,
            max_distance: max_distance.map(|max| max as f32),
            ..plain_options(k, ef, recall, exact)?
        };
        let include = Include::from_py(include)?;
        if queries.is_some() && vector.is_some() {
            return Err(PyTypeError::new_err("queries or vector, not both"));
        }
        call::guarded(py, || match (text, queries.or(vector)) {
            (Some(_), _) if explain => Err(PyTypeError::new_err(
                "explain=True is for searches without text",
            )),
            (Some(text), vector) => {
                let vector = vector.map(|vector| self.one_query(vector)).transpose()?;
                let query = words::query(text, fields, vector, fusion)?;
                let found = call::detached(py, || self.inner.search_text(&query, &options))?;
                let hits = Hits::scored(found, self.dim());
                Ok(Bound::new(py, hits)?.into_any())
            }
            (None, Some(queries)) => {
                words::check_none(fields, fusion)?;
                self.answer(queries, &options, &include, explain)
            }
            (None, None) => Err(PyTypeError::new_err("search needs queries, vector or text")),
        })
    }

    /// How many records there are, or with `where`, as in `search`, how many it is true of.
    #[pyo3(signature = (r#where=None, params=None))]
    fn count(
        &self,
        py: Python<'_>,
        r#where: Option<&Bound<'_, PyAny>>,
        params: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<usize> {
        let filter = filters::from_py(r#where, params)?;
        call::detached(py, || match &filter {
            None => self.inner.len(),
            Some(filter) => self.inner.count(filter),
        })
    }

    /// What share of the true `k` nearest these queries get from a search with these options: a dict of "queries", "recall"
    /// (the mean) and "interval" (half its 95 % confidence interval). Each query is answered twice, once by comparing with every
    /// vector.
    #[pyo3(
        signature = (queries, k=None, *, ef=None, recall=None),
        text_signature = "($self, queries, k=10, *, ef=None, recall=None)"
    )]
    fn measure_recall<'py>(
        &self,
        py: Python<'py>,
        queries: &Bound<'py, PyAny>,
        k: Option<&Bound<'py, PyAny>>,
        ef: Option<&Bound<'py, PyAny>>,
        recall: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = plain_options(k, ef, recall, false)?;
        call::guarded(py, || {
            let queries = arrays::queries(queries, self.dim())?;
            let rows = queries.rows(py, self.dim())?;
            let measured = call::detached(py, || self.inner.measure_recall(rows, &options))?;
            text::from_json(py, serde_json::to_string(&measured))
        })
    }

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
}
