//! Searches by words, from Python's arguments.

use proxime::{Fusion, TextQuery};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::{args, error};

/// The field that texts are in, unless the caller says so.
const FIELD: &str = "text";

/// Errors: arguments of another type; `fusion` that is none.
pub(crate) fn query(
    text: &Bound<'_, PyAny>,
    fields: Option<&Bound<'_, PyAny>>,
    vector: Option<Vec<f32>>,
    fusion: Option<&Bound<'_, PyAny>>,
) -> PyResult<TextQuery> {
    let fields = fields.map_or_else(|| Ok(vec![FIELD.to_owned()]), names)?;
    let query = TextQuery::new(args::text("text", text)?, fields);
    let given = fusion.map(by_name_or_weights).transpose()?;
    Ok(match vector {
        Some(vector) => query.vector(vector, given.unwrap_or_default()),
        None => query,
    })
}

/// Errors: what makes sense with words only.
pub(crate) fn check_none(
    fields: Option<&Bound<'_, PyAny>>,
    fusion: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    match fields.or(fusion) {
        None => Ok(()),
        Some(_) => Err(PyTypeError::new_err("fields and fusion go with text")),
    }
}

/// One name, or several.
fn names(fields: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if fields.is_instance_of::<PyString>() {
        return Ok(vec![args::text("fields", fields)?]);
    }
    let needed = |_| error::wrong_type("fields", "a str or a list of str", fields);
    let each = fields.try_iter().map_err(needed)?;
    each.map(|name| args::text("fields", &name?)).collect()
}

fn by_name_or_weights(fusion: &Bound<'_, PyAny>) -> PyResult<Fusion> {
    const POSSIBLE: &str = "'rrf', 'dbsf' or two weights (vector, text)";
    if fusion.is_instance_of::<PyString>() {
        return match &*args::text("fusion", fusion)? {
            "rrf" => Ok(Fusion::Rrf),
            "dbsf" => Ok(Fusion::Dbsf),
            _ => Err(args::out_of_range("fusion", fusion, POSSIBLE)),
        };
    }
    let weights: (f64, f64) = fusion
        .extract()
        .map_err(|_| error::wrong_type("fusion", POSSIBLE, fusion))?;
    let (vector, text) = weights;
    Ok(Fusion::Weights { vector, text })
}
