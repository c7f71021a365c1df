//! Arguments that are numbers or names, checked with messages that name them.

use std::path::PathBuf;

use proxime::{Dtype, Error, FieldType, Metric, Preset, Schema};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};

use crate::{error, values};

/// A count: any integer from 0. One too large for the machine counts as the largest.
pub(crate) fn count(name: &'static str, value: &Bound<'_, PyAny>) -> PyResult<usize> {
    if !values::is_integer(value)? {
        return Err(error::wrong_type(name, "an int", value));
    }
    match value.extract() {
        Ok(count) => Ok(count),
        Err(_) if value.lt(0)? => Err(out_of_range(name, value, "0 or more")),
        Err(_) => Ok(usize::MAX),
    }
}

/// A count that may be left out.
pub(crate) fn optional_count(
    name: &'static str,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<usize>> {
    value.map(|value| count(name, value)).transpose()
}

/// The versions that records must have, for so many ids: one for all, or one for each.
pub(crate) fn versions(
    value: Option<&Bound<'_, PyAny>>,
    rows: usize,
) -> PyResult<Option<Vec<u64>>> {
    let version = |value: &Bound<'_, PyAny>| {
        let version = values::is_integer(value)?.then(|| value.extract());
        match version {
            Some(Ok(version)) => Ok(version),
            Some(Err(_)) => Err(out_of_range("if_version", value, "a version, or 0")),
            None => Err(error::wrong_type(
                "if_version",
                "an int, or one for each id",
                value,
            )),
        }
    };
    let Some(value) = value else {
        return Ok(None);
    };
    match value.try_iter() {
        // One more than there may be is enough to tell that there are too many; there may be no end.
        Ok(each) => (each.take(rows + 1).map(|value| version(&value?))).collect::<PyResult<_>>(),
        Err(_) => Ok(vec![version(value)?; rows]),
    }
    .map(Some)
}

/// A number that may be left out.
pub(crate) fn optional_number(
    name: &'static str,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<f64>> {
    let number = |value: &Bound<'_, PyAny>| match value.extract::<f64>() {
        Ok(number) if !value.is_instance_of::<PyBool>() => Ok(number),
        _ => Err(error::wrong_type(name, "a number", value)),
    };
    value.map(number).transpose()
}

/// A text.
pub(crate) fn text(name: &'static str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    let Ok(text) = value.cast::<PyString>() else {
        return Err(error::wrong_type(name, "a str", value));
    };
    let text = text.to_cow();
    let text = text.map_err(|_| out_of_range(name, value, "valid Unicode"))?;
    Ok(text.into_owned())
}

/// A path.
pub(crate) fn path(name: &'static str, value: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    let needed = |_| error::wrong_type(name, "a str or an os.PathLike", value);
    value.extract().map_err(needed)
}

/// A metric, by its name.
pub(crate) fn metric(value: &Bound<'_, PyAny>) -> PyResult<Metric> {
    let metric = text("metric", value)?.parse();
    metric.map_err(|_| out_of_range("metric", value, "'l2', 'cosine' or 'dot'"))
}

/// A type of components, by its name.
pub(crate) fn dtype(value: &Bound<'_, PyAny>) -> PyResult<Dtype> {
    let dtype = text("dtype", value)?.parse();
    dtype.map_err(|_| out_of_range("dtype", value, "'f32', 'f16' or 'int8'"))
}

/// A schema: a dict of fields, each with its type or with a dict of "type" and "required".
pub(crate) fn schema(value: &Bound<'_, PyAny>) -> PyResult<Schema> {
    let needed = |value| error::wrong_type("schema", "a dict of fields and their types", value);
    let named = |value: &Bound<'_, PyAny>| -> PyResult<FieldType> {
        let named = text("schema", value)?.parse();
        named.map_err(|e| error::from_db(value.py(), &e))
    };
    let mut schema = Schema::new();
    for (field, is) in value.cast::<PyDict>().map_err(|_| needed(value))? {
        let field = text("schema", &field)?;
        let Ok(told) = is.cast::<PyDict>() else {
            schema = schema.optional(field, named(&is)?);
            continue;
        };
        let (mut of_type, mut required) = (None, false);
        for (name, value) in told {
            match &*text("schema", &name)? {
                "type" => of_type = Some(named(&value)?),
                "required" => {
                    let wrong = |_| error::wrong_type("schema: required", "a bool", &value);
                    required = value.extract().map_err(wrong)?;
                }
                _ => return Err(out_of_range("schema", &name, "'type' or 'required'")),
            }
        }
        let of_type = of_type.ok_or_else(|| out_of_range("schema", &is, "given a 'type'"))?;
        schema = match required {
            true => schema.required(field, of_type),
            false => schema.optional(field, of_type),
        };
    }
    Ok(schema)
}

/// A preset, by its name.
pub(crate) fn preset(value: &Bound<'_, PyAny>) -> PyResult<Preset> {
    let preset = text("preset", value)?.parse();
    preset.map_err(|_| out_of_range("preset", value, "'fast', 'default' or 'high'"))
}

/// Whether vectors have to be read in place, from the argument `zero_copy`.
pub(crate) fn in_place(zero_copy: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
    let Some(zero_copy) = zero_copy else {
        return Ok(false);
    };
    match &*text("zero_copy", zero_copy)? {
        "allow" => Ok(false),
        "require" => Ok(true),
        _ => Err(out_of_range("zero_copy", zero_copy, "'allow' or 'require'")),
    }
}

/// An argument of the right type and with an impossible value.
pub(crate) fn out_of_range(name: &'static str, value: &Bound<'_, PyAny>, limit: &str) -> PyErr {
    let refused = Error::Parameter {
        name,
        value: value
            .repr()
            .map_or_else(|_| "?".to_owned(), |text| text.to_string()),
        limit: limit.to_owned(),
    };
    error::from_db(value.py(), &refused)
}
