//! Options of a search that come as keywords, the same for every way to search.

use proxime::SearchOptions;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::{args, error, filters};

/// Errors: a keyword that is none of a search's, as Python has it; one with a wrong value.
pub(crate) fn from_keywords(
    k: Option<&Bound<'_, PyAny>>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<SearchOptions> {
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
    options.filter = filters::from_py(filter.as_ref(), params.as_ref())?;
    Ok(options)
}
