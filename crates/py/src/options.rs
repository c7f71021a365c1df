//! Options of a search that come as keywords, the same for every way to search.

use proxime::{Filter, Key, SearchOptions};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::{args, error, filters, keys};

/// Errors: a keyword that is none of a search's, as Python has it; one with a wrong value.
pub(crate) fn from_keywords(
    k: Option<&Bound<'_, PyAny>>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<SearchOptions> {
    let (mut options, [filter, params]) = but_filter(k, keywords)?;
    options.filter = filters::from_py(filter.as_ref(), params.as_ref())?;
    Ok(options)
}

/// The same, with a filter for each query, or None. Parameters are for all that are texts, the keyword `where` included.
pub(crate) fn with_filters(
    each: &Bound<'_, PyAny>,
    k: Option<&Bound<'_, PyAny>>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<(Vec<Option<Filter>>, SearchOptions)> {
    let (mut options, [filter, params]) = but_filter(k, keywords)?;
    let one = |filter: &Bound<'_, PyAny>| {
        let params = (params.as_ref()).filter(|_| filter.is_instance_of::<PyString>());
        filters::from_py(Some(filter).filter(|filter| !filter.is_none()), params)
    };
    options.filter = filter.as_ref().map_or(Ok(None), one)?;
    let needed = || {
        error::wrong_type(
            "filters",
            "a list with a filter or None for each query",
            each,
        )
    };
    let each = each.cast::<PyList>().map_err(|_| needed())?;
    let each = each.iter().map(|filter| one(&filter));
    Ok((each.collect::<PyResult<_>>()?, options))
}

/// Ids of records that are not to be found.
pub(crate) fn without(ids: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<Key>> {
    ids.map_or(Ok(Vec::new()), |ids| keys::from_py(ids, None))
}

/// All but the filter, and what it is made of.
fn but_filter<'py>(
    k: Option<&Bound<'py, PyAny>>,
    keywords: Option<&Bound<'py, PyDict>>,
) -> PyResult<(SearchOptions, [Option<Bound<'py, PyAny>>; 2])> {
    let mut options = SearchOptions::default();
    options.k = args::optional_count("k", k)?.unwrap_or(options.k);
    let (mut filter, mut params) = (None, None);
    for (name, value) in keywords.into_iter().flat_map(|keywords| keywords.iter()) {
        let given = Some(&value).filter(|value| !value.is_none());
        match &*name.extract::<String>()? {
            "where" => filter = given.cloned(),
            "params" => params = given.cloned(),
            "ef" => options.ef = args::optional_count("ef", given)?,
            "recall" => options.recall = args::optional_number("recall", given)?,
            "max_distance" => {
                let max = args::optional_number("max_distance", given)?;
                options.max_distance = max.map(|max| max as f32);
            }
            "without" => options.without = without(given)?,
            "exact" => {
                let wrong = |_| error::wrong_type("exact", "a bool", &value);
                options.exact = value.extract().map_err(wrong)?;
            }
            other => {
                let message = format!("got an unexpected keyword argument '{other}'");
                return Err(PyTypeError::new_err(message));
            }
        }
    }
    Ok((options, [filter, params]))
}
