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

/// What a notebook shows at most of many.
pub(crate) const SHOWN: usize = 10;

/// A table for notebooks, without styles or scripts: the first rows of `all`. Its texts may hold anything.
pub(crate) fn html_table<const COLUMNS: usize>(
    head: [&str; COLUMNS],
    rows: &[[String; COLUMNS]],
    all: usize,
) -> String {
    let row = |cell: &str, texts: [&str; COLUMNS]| {
        let cells = texts.map(|text| format!("<{cell}>{}</{cell}>", escaped(text)));
        format!("<tr>{}</tr>", cells.concat())
    };
    let body = rows
        .iter()
        .map(|texts| row("td", texts.each_ref().map(String::as_str)));
    let body: String = body.collect();
    let more = match all.saturating_sub(rows.len()) {
        0 => String::new(),
        more => html_line(&format!("{more} more")),
    };
    format!(
        "<table><thead>{}</thead><tbody>{body}</tbody></table>{more}",
        row("th", head)
    )
}

/// A paragraph for notebooks.
pub(crate) fn html_line(text: &str) -> String {
    format!("<p>{}</p>", escaped(text))
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

/// A report of the database as dicts and lists.
pub(crate) fn from_json(
    py: Python<'_>,
    json: serde_json::Result<String>,
) -> PyResult<Bound<'_, PyAny>> {
    let json = json.map_err(|error| error::plain(py, "InternalError", &error.to_string()))?;
    py.import("json")?.call_method1("loads", (json,))
}
