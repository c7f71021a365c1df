//! Vectors in from Python lists: of lists, of arrays, or of numbers.
//!
//! A list is copied into one buffer of float32 before anything else happens: its numbers are objects all over the heap, eight
//! times as large as what is kept of them. Reading them one by one here is about twice as fast as `numpy.asarray`.

use numpy::PyUntypedArrayMethods;
use proxime::Input;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyList, PyTuple};

use crate::convert::BeyondF32;
use crate::{arrays, call, error};

/// Above so many numbers, a list is worth a warning.
const NUMBERS_WARN: usize = 1_000_000;

/// What a list held.
pub(crate) enum Flat {
    /// Rows of `dim` components, one after another.
    Rows(Vec<f32>),
    /// The components of one vector: the list was one of numbers.
    One(Vec<f32>),
}

/// The numbers of a list or tuple of vectors of `dim` components, or of one such vector; nothing if it is neither.
pub(crate) fn flatten(
    object: &Bound<'_, PyAny>,
    input: Input,
    dim: usize,
) -> PyResult<Option<Flat>> {
    let Some(rows) = as_list(object) else {
        return Ok(None);
    };
    let mut out = Vec::new();
    if rows.iter().next().is_some_and(|first| is_number(&first)) {
        append_numbers(&rows, input, 0, &mut out)?;
        return Ok(Some(Flat::One(out)));
    }
    let mut numbers = 0;
    for (row, item) in rows.iter().enumerate() {
        call::listen(object.py(), row)?;
        let before = out.len();
        if let Some(components) = as_list(&item) {
            append_numbers(&components, input, row, &mut out)?;
            numbers += out.len() - before;
        } else {
            append_array(&item, input, row, dim, &mut out)?;
        }
        error::check_row(object.py(), input, row, dim, out.len() - before)?;
    }
    if numbers > NUMBERS_WARN {
        warn(object.py())?;
    }
    Ok(Some(Flat::Rows(out)))
}

/// Lists and tuples; a tuple's references are copied.
fn as_list<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyList>> {
    match object.cast::<PyList>() {
        Ok(list) => Some(list.clone()),
        Err(_) => Some(object.cast::<PyTuple>().ok()?.to_list()),
    }
}

fn is_number(item: &Bound<'_, PyAny>) -> bool {
    item.is_instance_of::<PyFloat>() || !item.hasattr("__len__").unwrap_or(false)
}

fn append_numbers(
    components: &Bound<'_, PyList>,
    input: Input,
    row: usize,
    out: &mut Vec<f32>,
) -> PyResult<()> {
    out.reserve(components.len());
    for (column, item) in components.iter().enumerate() {
        let value = item.extract::<f64>();
        let value = value.map_err(|_| error::no_number(&item, input, row, column))?;
        let component = value as f32;
        if component.is_infinite() && value.is_finite() {
            let beyond = BeyondF32 { row, column, value };
            return Err(error::beyond_f32(item.py(), &beyond));
        }
        out.push(component);
    }
    Ok(())
}

fn append_array(
    item: &Bound<'_, PyAny>,
    input: Input,
    row: usize,
    dim: usize,
    out: &mut Vec<f32>,
) -> PyResult<()> {
    let array = arrays::to_array(item)?;
    if array.ndim() != 1 {
        return Err(error::no_row(item, input, row));
    }
    error::check_row(item.py(), input, row, dim, array.len())?;
    arrays::append(&array, input, dim, row, out)
}

/// Always in the same words: Python shows those once for each place that they come from.
fn warn(py: Python<'_>) -> PyResult<()> {
    let message = c"the numbers of a long list are converted one by one; pass a NumPy float32 array to skip this";
    let category = error::classes(py)?.getattr("EfficiencyWarning")?;
    PyErr::warn(py, &category, message, 1)
}
