//! Reading: records by id, by filter and page by page.

use numpy::PyArray1;
use proxime::{OrderBy, Record};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList};

use super::{Collection, one_or_more, unwrapped};
use crate::{args, call, filters, keys, values};

/// Records of a page, unless the caller says how many.
const SCROLL_LIMIT: usize = 1000;

#[pymethods]
impl Collection {
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
}

fn record_to_py(py: Python<'_>, record: Record) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("id", keys::ToPy(&record.id))?;
    dict.set_item("vector", PyArray1::from_vec(py, record.vector))?;
    dict.set_item("metadata", values::to_py(py, &record.metadata)?)?;
    dict.set_item("version", record.version)?;
    Ok(dict)
}
