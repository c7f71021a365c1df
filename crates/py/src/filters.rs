//! Filters: a dict of operators, a text with parameters, or an expression of `proxime.F`, which is a dict in disguise.

use proxime::{Error, FILTER_NESTING_MAX, Filter, Metadata};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyType};

use crate::{args, error, values};

/// The filter that `where` means, with `params` for its text; none for None.
pub(crate) fn from_py(
    filter: Option<&Bound<'_, PyAny>>,
    params: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<Filter>> {
    let Some(filter) = filter else {
        return match params {
            None => Ok(None),
            Some(params) => Err(args::out_of_range("params", params, "None without where")),
        };
    };
    let py = filter.py();
    let made = if filter.is_instance_of::<PyString>() {
        Filter::parse(&args::text("where", filter)?, &parameters(params)?)
    } else if let Some(params) = params {
        return Err(args::out_of_range(
            "params",
            params,
            "None unless where is a str",
        ));
    } else {
        Filter::from_value(&values::operand(&dict_of(filter)?, FILTER_NESTING_MAX)?)
    };
    made.map(Some)
        .map_err(|error| error::from_db(py, &Error::Filter(error)))
}

fn dict_of<'py>(filter: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static EXPRESSION: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let expression = EXPRESSION.import(filter.py(), "proxime._filter", "Filter")?;
    if filter.is_instance(expression)? {
        return filter.call_method0("to_dict");
    }
    match filter.is_instance_of::<PyDict>() {
        true => Ok(filter.clone()),
        false => Err(error::wrong_type(
            "where",
            "a dict, a str or an expression of proxime.F",
            filter,
        )),
    }
}

fn parameters(params: Option<&Bound<'_, PyAny>>) -> PyResult<Metadata> {
    let Some(params) = params else {
        return Ok(Metadata::new());
    };
    let needed = || error::wrong_type("params", "a dict with str as keys", params);
    let mut named = Metadata::new();
    for (name, value) in params.cast::<PyDict>().map_err(|_| needed())? {
        let name = name.extract::<String>().map_err(|_| needed())?;
        // A list is all that a parameter may nest.
        named.insert(name, values::operand(&value, 1)?);
    }
    Ok(named)
}
