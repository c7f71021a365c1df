//! Ids and metadata from files: one per row of the vectors, held in memory until they are stored.
//!
//! A line has a longest length and a file as many lines as there are rows, so no input, not even one without an end, is read
//! for longer than that. Every complaint names the line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use proxime::{Filter, Key, Metadata};

use crate::args::{self, IdType};
use crate::array::{self, Array};
use crate::error::{Error, LineProblem};
use crate::typed;

/// The longest line of metadata.
const METADATA_BYTES_MAX: usize = 16 << 20;

/// The longest line that may be a filter.
const FILTER_BYTES_MAX: usize = 4 << 20;

/// The ids that a command is about.
pub(crate) fn wanted(ids: &args::Ids) -> Result<Vec<Key>, Error> {
    match &ids.file {
        Some(file) => self::ids(file, ids.id_type, None),
        None => named(&ids.words, ids.id_type),
    }
}

/// Ids from the command line.
pub(crate) fn named(words: &[String], id_type: IdType) -> Result<Vec<Key>, Error> {
    let key = |text: &String| key(text, id_type).map_err(Error::Id);
    let all: Result<Vec<Key>, Error> = words.iter().map(key).collect();
    Ok(integers(all?, id_type))
}

/// One id from the command line.
pub(crate) fn one(word: &str, id_type: IdType) -> Result<Key, Error> {
    let id = key(word, id_type).map_err(Error::Id)?;
    Ok(integers(vec![id.clone()], id_type).pop().unwrap_or(id))
}

/// Ids, for so many rows if that is known: integers of a .npy, or one per line of a text.
pub(crate) fn ids(file: &Path, id_type: IdType, rows: Option<usize>) -> Result<Vec<Key>, Error> {
    let mut reader = open(file)?;
    let start = reader.fill_buf().map_err(|e| read_error(file, e))?;
    if start.starts_with(array::MAGIC) {
        let ids = Array::open_ids(file)?;
        return one_per_row(file, "ids", ids.into_iter().map(Key::Int).collect(), rows);
    }
    let bytes_max = match id_type {
        // Two digits each, behind 0x.
        IdType::Bytes => 2 * Key::BYTES_MAX + 2,
        _ => Key::BYTES_MAX,
    };
    let ids = lines(file, reader, bytes_max, "ids", rows, |text| match text {
        "" => Err(LineProblem::Empty),
        text => key(text, id_type).map_err(LineProblem::Value),
    })?;
    Ok(integers(ids, id_type))
}

/// One id; texts that may be integers are texts yet.
fn key(text: &str, id_type: IdType) -> Result<Key, String> {
    match id_type {
        IdType::Auto | IdType::Text => Ok(Key::from(text)),
        IdType::Uuid => typed::uuid(text),
        IdType::Bytes => typed::hex(text).map(Key::Bytes),
    }
}

/// Texts become integers if that may be and every one is an integer as this program would write it. So `007` or `+7` among them
/// keeps all of them text: no two different texts become one id.
fn integers(ids: Vec<Key>, id_type: IdType) -> Vec<Key> {
    let integer = |id: &Key| match id {
        Key::Text(text) => typed::plain_integer(text).map(Key::Int),
        _ => None,
    };
    let integers = match id_type {
        IdType::Auto => ids.iter().map(integer).collect(),
        _ => None,
    };
    integers.unwrap_or(ids)
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
                problem: typed::json_problem(&e),
            })?;
            typed::metadata_from_json(&json).map_err(LineProblem::Value)
        },
    )
}

/// Filters for `rows` rows: one per line, or an empty line.
pub(crate) fn filters(file: &Path, rows: usize) -> Result<Vec<Option<Filter>>, Error> {
    let filter = |text: &str| match text {
        "" => Ok(None),
        text => Filter::parse(text, &Metadata::new())
            .map(Some)
            .map_err(|e| LineProblem::Value(e.to_string())),
    };
    let reader = open(file)?;
    lines(
        file,
        reader,
        FILTER_BYTES_MAX,
        "filters",
        Some(rows),
        filter,
    )
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
    let got = found.len();
    match rows {
        Some(rows) if rows != got => Err(Error::one_per_row(file, what, got, rows)),
        _ => Ok(found),
    }
}
