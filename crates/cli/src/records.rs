//! Ids and metadata from files: one per row of the vectors, held in memory until they are stored.
//!
//! A line has a longest length and a file as many lines as there are rows, so no input, not even one without an end, is read
//! for longer than that. Every complaint names the line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use proxime::{Key, Metadata, metadata_from_json};

use crate::error::{Error, LineProblem};
use crate::npy::{self, Npy};

/// The longest line of metadata.
const METADATA_BYTES_MAX: usize = 16 << 20;

/// Ids, for so many rows if that is known: integers of a .npy, or one per line of a text.
///
/// Lines become integers if every one is an integer as this program would write it. So `007` or `+7` among them keeps all of
/// them text: no two different lines become one id.
pub(crate) fn ids(file: &Path, rows: Option<usize>) -> Result<Vec<Key>, Error> {
    let mut reader = open(file)?;
    let start = reader.fill_buf().map_err(|e| read_error(file, e))?;
    if start.starts_with(npy::MAGIC) {
        let ids = Npy::open_ids(file)?;
        return one_per_row(file, "ids", ids.into_iter().map(Key::Int).collect(), rows);
    }
    let texts = lines(file, reader, Key::BYTES_MAX, "ids", rows, |text| {
        if text.is_empty() {
            return Err(LineProblem::Empty);
        }
        Ok(text.to_owned())
    })?;
    Ok(keys(texts))
}

/// Ids as texts become integers if every one is an integer as this program would write it.
pub(crate) fn keys(texts: Vec<String>) -> Vec<Key> {
    let integers: Option<Vec<i64>> = texts.iter().map(|text| plain_integer(text)).collect();
    match integers {
        Some(integers) => integers.into_iter().map(Key::Int).collect(),
        None => texts.into_iter().map(Key::Text).collect(),
    }
}

/// Metadata for `rows` rows: a JSON object per line.
pub(crate) fn metadata(file: &Path, rows: usize) -> Result<Vec<Metadata>, Error> {
    lines(
        file,
        open(file)?,
        METADATA_BYTES_MAX,
        "metadata objects",
        Some(rows),
        |text| {
            let json = serde_json::from_str(text).map_err(|e| LineProblem::Json {
                column: e.column(),
                problem: json_problem(&e),
            })?;
            Ok(metadata_from_json(&json)?)
        },
    )
}

/// serde_json ends its message with a position counted from the start of our line: not the file's.
fn json_problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line ") {
        Some((problem, _)) => problem.to_owned(),
        None => text,
    }
}

fn plain_integer(text: &str) -> Option<i64> {
    text.parse().ok().filter(|n: &i64| n.to_string() == text)
}

fn open(file: &Path) -> Result<BufReader<File>, Error> {
    let opened = File::open(file).map_err(|e| Error::open(file, e))?;
    Ok(BufReader::new(opened))
}

fn read_error(file: &Path, source: std::io::Error) -> Error {
    Error::Read {
        file: file.to_owned(),
        source,
    }
}

/// One `T` from each line; exactly `rows` of them if that is known.
fn lines<T>(
    file: &Path,
    mut reader: impl BufRead,
    bytes_max: usize,
    what: &'static str,
    rows: Option<usize>,
    parse: impl Fn(&str) -> Result<T, LineProblem>,
) -> Result<Vec<T>, Error> {
    let mut found = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        // Two more than allowed: room for the line's end.
        let mut bounded = reader.by_ref().take(bytes_max as u64 + 2);
        let read = bounded
            .read_until(b'\n', &mut line)
            .map_err(|e| read_error(file, e))?;
        // One line too many is enough to know.
        if read == 0 || rows.is_some_and(|rows| found.len() > rows) {
            return one_per_row(file, what, found, rows);
        }
        let item = text_of(&line, bytes_max)
            .and_then(&parse)
            .map_err(|problem| Error::Line {
                file: file.to_owned(),
                line: found.len() + 1,
                problem,
            })?;
        found.push(item);
    }
}

fn text_of(line: &[u8], bytes_max: usize) -> Result<&str, LineProblem> {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.len() > bytes_max {
        return Err(LineProblem::TooLong { limit: bytes_max });
    }
    std::str::from_utf8(text).map_err(|_| LineProblem::NotUtf8)
}

fn one_per_row<T>(
    file: &Path,
    what: &'static str,
    found: Vec<T>,
    rows: Option<usize>,
) -> Result<Vec<T>, Error> {
    let rows = rows.unwrap_or(found.len());
    let file = || file.to_owned();
    match found.len() {
        got if got < rows => Err(Error::TooFew {
            file: file(),
            what,
            got,
            rows,
        }),
        got if got > rows => Err(Error::TooMany {
            file: file(),
            what,
            rows,
        }),
        _ => Ok(found),
    }
}
