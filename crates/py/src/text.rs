//! Small matters of text: numbers as people read them, reports as Python reads them.

use pyo3::prelude::*;

use crate::error;

/// `1_234_567`, as Python writes it.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

/// A report of the database as dicts and lists.
pub(crate) fn from_json(
    py: Python<'_>,
    json: serde_json::Result<String>,
) -> PyResult<Bound<'_, PyAny>> {
    let json = json.map_err(|error| error::plain(py, "InternalError", &error.to_string()))?;
    py.import("json")?.call_method1("loads", (json,))
}
