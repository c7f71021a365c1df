//! Searches by words, from Python's arguments.

use proxime::{Fusion, TextQuery, WordCounts};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::{args, error};

/// The field that texts are in, unless the caller says so.
const FIELD: &str = "text";

/// Errors: arguments of another type; `fusion` that is none.
pub(crate) fn query(
    text: &Bound<'_, PyAny>,
    fields: Option<&Bound<'_, PyAny>>,
    vector: Option<Vec<f32>>,
    how: &How<'_, '_>,
) -> PyResult<TextQuery> {
    let fields = fields.map_or_else(|| Ok(vec![FIELD.to_owned()]), names)?;
    let fusion = how.fusion.map(by_name_or_weights).transpose()?;
    Ok(TextQuery {
        vector,
        fusion: fusion.unwrap_or_default(),
        counts: how.counts.map(counts_from_py).transpose()?,
        depth: how.depth,
        ..TextQuery::new(args::text("text", text)?, fields)
    })
}

/// How words are scored and put together with a vector.
#[derive(Clone, Copy, Default)]
pub(crate) struct How<'a, 'py> {
    pub(crate) fusion: Option<&'a Bound<'py, PyAny>>,
    pub(crate) depth: Option<usize>,
    pub(crate) counts: Option<&'a Bound<'py, PyAny>>,
}

/// Errors: what makes sense with words only.
pub(crate) fn check_none(
    py: Python<'_>,
    fields: Option<&Bound<'_, PyAny>>,
    how: &How<'_, '_>,
) -> PyResult<()> {
    match fields.or(how.fusion).or(how.counts).is_some() || how.depth.is_some() {
        false => Ok(()),
        true => Err(error::misused(
            py,
            "fields, fusion, depth and counts go with text",
        )),
    }
}

const TEXTS: &str = "texts";
const WORDS: &str = "words";
const TEXTS_WITH: &str = "texts_with";

/// As a dict.
pub(crate) fn counts_to_py<'py>(
    py: Python<'py>,
    counts: WordCounts,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(TEXTS, counts.texts)?;
    dict.set_item(WORDS, counts.words)?;
    dict.set_item(TEXTS_WITH, counts.texts_with)?;
    Ok(dict)
}

fn counts_from_py(counts: &Bound<'_, PyAny>) -> PyResult<WordCounts> {
    let wrong = || error::wrong_type("counts", "what word_counts returns", counts);
    let part = |name: &str| counts.get_item(name).map_err(|_| wrong());
    Ok(WordCounts {
        texts: part(TEXTS)?.extract().map_err(|_| wrong())?,
        words: part(WORDS)?.extract().map_err(|_| wrong())?,
        texts_with: part(TEXTS_WITH)?.extract().map_err(|_| wrong())?,
    })
}

/// What the places in two lists are worth, `distances` of one and `scores` of the other, both best first: what a search with `text` and `vector` adds
/// up for each record. For lists of several collections.
#[pyfunction]
pub(crate) fn fused(
    fusion: Option<&Bound<'_, PyAny>>,
    distances: Vec<f64>,
    scores: Vec<f64>,
) -> PyResult<(Vec<f64>, Vec<f64>)> {
    let fusion = fusion
        .map(by_name_or_weights)
        .transpose()?
        .unwrap_or_default();
    let nearness: Vec<f64> = distances.into_iter().map(|distance| -distance).collect();
    Ok((fusion.of_vectors(&nearness), fusion.of_texts(&scores)))
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
