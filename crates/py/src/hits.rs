//! What a search found, as Python sees it: arrays for several queries, `Hits` for one.
//!
//! Answers to several queries are gathered without the interpreter's lock and handed over as whole arrays. `Hits` keeps the
//! database's own results and looks up only what is asked for.

use std::sync::Arc;

use numpy::ndarray::IntoDimension;
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use proxime::{Hit, Key, Metadata, Results, Score, Scored};
use pyo3::exceptions::{PyIndexError, PyOverflowError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCapsule, PyDict, PyIterator, PyList, PySlice, PyString, PyTuple, PyType};

use crate::{args, arrow, error, keys, text, values};

/// What a batch search returns beside ids and distances.
#[derive(Clone, Copy)]
pub(crate) enum Include {
    Metadata,
    Vectors,
}

impl Include {
    /// From one name or several.
    pub(crate) fn from_py(include: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<Include>> {
        let Some(include) = include else {
            return Ok(Vec::new());
        };
        if include.is_instance_of::<PyString>() {
            return Ok(vec![Include::named(include)?]);
        }
        let needed = |_| error::wrong_type("include", "a str or a list of str", include);
        (include.try_iter().map_err(needed)?)
            .map(|name| Include::named(&name?))
            .collect()
    }

    fn named(name: &Bound<'_, PyAny>) -> PyResult<Include> {
        match args::text("include", name)?.as_str() {
            "metadata" => Ok(Include::Metadata),
            "vectors" => Ok(Include::Vectors),
            _ => Err(args::out_of_range(
                "include",
                name,
                "'metadata' or 'vectors'",
            )),
        }
    }
}

/// The answers to several queries, gathered from the database's results.
pub(crate) struct Answers {
    queries: usize,
    /// Hits of each query: as many as were asked for, or all there are.
    width: usize,
    ids: Ids,
    distances: Vec<f32>,
    extras: Vec<Extra>,
}

enum Ids {
    Int(Vec<i64>),
    /// At least one of them is no integer.
    Mixed(Vec<Key>),
}

enum Extra {
    Metadata(Vec<Metadata>),
    Vectors(Vec<f32>),
}

impl Answers {
    /// `width_max` is the number of hits that a query would have, should there be no query to tell.
    pub(crate) fn gather(
        results: &Results,
        include: &[Include],
        width_max: usize,
    ) -> proxime::Result<Answers> {
        let queries = results.queries();
        let hits = || (0..queries).flat_map(|query| results.hits(query));
        let extras = include.iter().map(|extra| {
            Ok(match extra {
                Include::Metadata => Extra::Metadata(
                    hits()
                        .map(|hit| hit.metadata())
                        .collect::<proxime::Result<_>>()?,
                ),
                Include::Vectors => Extra::Vectors(vectors(hits())),
            })
        });
        Ok(Answers {
            queries,
            width: if queries == 0 {
                width_max
            } else {
                results.hits(0).len()
            },
            ids: Ids::gather(hits),
            distances: hits().map(|hit| hit.distance()).collect(),
            extras: extras.collect::<proxime::Result<_>>()?,
        })
    }

    /// The tuple of arrays, each `[queries, width]` or `[queries, width, dim]`.
    pub(crate) fn into_py(self, py: Python<'_>, dim: usize) -> PyResult<Bound<'_, PyTuple>> {
        let shape = [self.queries, self.width];
        let distances = PyArray1::from_vec(py, self.distances).reshape(shape)?;
        let mut out = vec![self.ids.into_py(py, shape)?, distances.into_any()];
        for extra in self.extras {
            out.push(match extra {
                Extra::Metadata(all) => rows_of_metadata(py, &all, shape)?.into_any(),
                Extra::Vectors(all) => {
                    let shape = [self.queries, self.width, dim];
                    PyArray1::from_vec(py, all).reshape(shape)?.into_any()
                }
            });
        }
        PyTuple::new(py, out)
    }
}

/// A list per query, of a dict per hit.
fn rows_of_metadata<'py>(
    py: Python<'py>,
    all: &[Metadata],
    [queries, width]: [usize; 2],
) -> PyResult<Bound<'py, PyList>> {
    let rows = PyList::empty(py);
    let mut rest = all.iter();
    for _ in 0..queries {
        let row = rest.by_ref().take(width).map(|one| values::to_py(py, one));
        rows.append(PyList::new(py, row.collect::<PyResult<Vec<_>>>()?)?)?;
    }
    Ok(rows)
}

impl Ids {
    fn gather<'r, I: Iterator<Item = Hit<'r>>>(hits: impl Fn() -> I) -> Ids {
        let integers = hits().map(|hit| match hit.id() {
            Key::Int(id) => Some(id),
            Key::Text(_) | Key::Uuid(_) | Key::Bytes(_) => None,
        });
        match integers.collect() {
            Some(ids) => Ids::Int(ids),
            None => Ids::Mixed(hits().map(|hit| hit.id()).collect()),
        }
    }

    /// An array of int64, or of objects where any id is no integer.
    fn into_py<D: IntoDimension>(self, py: Python<'_>, shape: D) -> PyResult<Bound<'_, PyAny>> {
        Ok(match self {
            Ids::Int(ids) => PyArray1::from_vec(py, ids).reshape(shape)?.into_any(),
            Ids::Mixed(ids) => {
                let ids = ids
                    .iter()
                    .map(|id| Ok(keys::ToPy(id).into_pyobject(py)?.unbind()));
                PyArray1::from_vec(py, ids.collect::<PyResult<_>>()?)
                    .reshape(shape)?
                    .into_any()
            }
        })
    }
}

/// The hits of one query, nearest first: a sequence of `Hit(id, distance, metadata)`.
///
/// They stay what they were when they were found, whatever is written or closed afterwards. Those of a search by words are best first, and
/// `ScoredHit(id, distance, metadata, score, text_score)`.
///
/// >>> import numpy as np, proxime
/// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2, metric="l2")
/// >>> docs.upsert(["a", "b"], np.eye(2), [{"lang": "en"}, None])
/// >>> hits = docs.search([1, 0], k=2)
/// >>> hits[0]
/// Hit(id='a', distance=0.0, metadata={'lang': 'en'})
/// >>> hits.ids, hits.distances
/// (array(['a', 'b'], dtype=object), array([0., 2.], dtype=float32))
#[pyclass(frozen, module = "proxime")]
pub(crate) struct Hits {
    results: Arc<Results>,
    query: usize,
    dim: usize,
    /// Of each hit, if they were found by words.
    scores: Option<Vec<Score>>,
}

impl Hits {
    /// Of one of the queries that results answer.
    pub(crate) fn new(results: Arc<Results>, query: usize, dim: usize) -> Self {
        Hits {
            results,
            query,
            dim,
            scores: None,
        }
    }

    /// Of a search by words.
    pub(crate) fn scored(found: Scored, dim: usize) -> Self {
        Hits {
            scores: Some(found.scores),
            ..Hits::new(Arc::new(found.hits), 0, dim)
        }
    }

    fn hits(&self) -> impl ExactSizeIterator<Item = Hit<'_>> {
        self.results.hits(self.query)
    }

    fn list<'py>(&self, py: Python<'py>, n: usize) -> PyResult<Bound<'py, PyList>> {
        let hits = (0..).zip(self.hits()).take(n);
        let hits = hits.map(|(rank, hit)| self.to_py(py, rank, &hit));
        PyList::new(py, hits.collect::<PyResult<Vec<_>>>()?)
    }

    fn to_py<'py>(
        &self,
        py: Python<'py>,
        rank: usize,
        hit: &Hit<'_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static HIT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        static SCORED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let id = keys::ToPy(&hit.id()).into_pyobject(py)?;
        let (distance, metadata) = (hit.distance(), metadata(py, hit)?);
        match self.scores.as_ref().and_then(|scores| scores.get(rank)) {
            None => (HIT.import(py, "proxime._hit", "Hit")?).call1((id, distance, metadata)),
            Some(score) => (SCORED.import(py, "proxime._hit", "ScoredHit")?).call1((
                id,
                distance,
                metadata,
                score.score,
                score.text,
            )),
        }
    }

    /// One number of each score.
    fn scores_of<'py>(
        &self,
        py: Python<'py>,
        number: fn(&Score) -> f64,
    ) -> Option<Bound<'py, PyArray1<f64>>> {
        let scores = self.scores.as_ref()?;
        Some(PyArray1::from_iter(py, scores.iter().map(number)))
    }
}

#[pymethods]
impl Hits {
    /// The ids: an array of int64, or of objects if any is no integer.
    #[getter]
    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ids::gather(|| self.hits()).into_py(py, self.__len__())
    }

    /// What hits of a search by words are put in order by, an array of float64, largest first; None for others.
    #[getter]
    fn scores<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        self.scores_of(py, |score| score.score)
    }

    /// BM25 of the hits of a search by words, an array of float64; None for others.
    #[getter]
    fn text_scores<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        self.scores_of(py, |score| score.text)
    }

    /// The distances, an array of float32; nan for a search by words alone.
    #[getter]
    fn distances<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        PyArray1::from_iter(py, self.hits().map(|hit| hit.distance()))
    }

    /// The metadata, a list of dicts.
    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let metadata = self.hits().map(|hit| metadata(py, &hit));
        PyList::new(py, metadata.collect::<PyResult<Vec<_>>>()?)
    }

    /// The vectors as they were stored, an array [k, dim].
    #[getter]
    fn vectors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        PyArray1::from_vec(py, vectors(self.hits())).reshape([self.__len__(), self.dim])
    }

    /// A `pyarrow.Table`: the columns "id", "distance", of a search by words "score" and "text_score", and each field of the metadata.
    /// Needs pyarrow.
    ///
    /// A field of several kinds of values, of lists or of objects is JSON text. A field called "id" is "metadata.id".
    fn to_arrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("pyarrow")?.call_method1("table", (slf,))
    }

    /// A `pandas.DataFrame` with the columns of `to_arrow`. Needs pandas and pyarrow.
    fn to_pandas<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::to_arrow(slf)?.call_method0("to_pandas")
    }

    /// A `polars.DataFrame` with the columns of `to_arrow`. Needs polars, not pyarrow.
    fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("polars")?.call_method1("DataFrame", (slf,))
    }

    /// The table of `to_arrow`, for anything that reads the Arrow C interface. There is one schema to have, so none is asked for.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__(
        &self,
        py: Python<'_>,
        requested_schema: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyCapsule>> {
        let _ = requested_schema; // "best effort", says the interface: the reader converts
        let ids: Vec<_> = self.hits().map(|hit| hit.id()).collect();
        let distances = self.hits().map(|hit| hit.distance()).collect();
        let metadata = self.hits().map(|hit| hit.metadata());
        let metadata = metadata.collect::<proxime::Result<Vec<_>>>();
        let metadata = metadata.map_err(|error| error::from_db(py, &error))?;
        arrow::stream(py, &ids, distances, self.scores.as_deref(), &metadata)
    }

    /// A small table, for notebooks.
    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let rows = self.hits().take(text::SHOWN).map(|hit| {
            let id = keys::ToPy(&hit.id()).into_pyobject(py)?.repr()?;
            let metadata = metadata(py, &hit)?.repr()?;
            Ok([
                id.to_string(),
                hit.distance().to_string(),
                metadata.to_string(),
            ])
        });
        let rows = rows.collect::<PyResult<Vec<_>>>()?;
        let Some(scores) = &self.scores else {
            let head = ["id", "distance", "metadata"];
            return Ok(text::html_table(head, &rows, self.__len__()));
        };
        let scored = rows.into_iter().zip(scores);
        let scored: Vec<_> = scored
            .map(|([id, distance, metadata], score)| {
                [id, score.score.to_string(), distance, metadata]
            })
            .collect();
        let head = ["id", "score", "distance", "metadata"];
        Ok(text::html_table(head, &scored, self.__len__()))
    }

    fn __len__(&self) -> usize {
        self.hits().len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.list(py, self.__len__())?.try_iter()
    }

    /// One hit, or for a slice a list of them.
    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = index.py();
        if index.is_instance_of::<PySlice>() {
            return self.list(py, self.__len__())?.as_any().get_item(index);
        }
        let nowhere = || PyIndexError::new_err("Hits index out of range");
        let index = index.extract::<isize>().map_err(|error| {
            match error.is_instance_of::<PyOverflowError>(py) {
                true => nowhere(),
                false => error,
            }
        })?;
        let index = if index < 0 {
            index + self.__len__() as isize
        } else {
            index
        };
        let rank = usize::try_from(index).map_err(|_| nowhere())?;
        let hit = self.hits().nth(rank).ok_or_else(nowhere)?;
        self.to_py(py, rank, &hit)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = self.list(py, text::SHOWN)?.repr()?;
        Ok(match self.__len__().saturating_sub(text::SHOWN) {
            0 => format!("Hits({shown})"),
            more => format!("Hits({shown}, {more} more)"),
        })
    }
}

fn metadata<'py>(py: Python<'py>, hit: &Hit<'_>) -> PyResult<Bound<'py, PyDict>> {
    let metadata = hit.metadata().map_err(|error| error::from_db(py, &error))?;
    values::to_py(py, &metadata)
}

/// Their vectors, one after the other.
fn vectors<'a>(hits: impl Iterator<Item = Hit<'a>>) -> Vec<f32> {
    hits.flat_map(|hit| hit.vector().into_owned()).collect()
}
