//! CSV: a header, then a record per line.
//!
//! A vector is one column with a JSON list in it, or a column for each component. The type of a column of metadata is what fits all of
//! the first thousand records: integer, float, boolean, or else text. One that comes later and does not fit is bad: a column has
//! one type. An empty cell is no field.

use std::collections::VecDeque;
use std::io::{self, Read};

use ::csv::{Error, ErrorKind, Reader, ReaderBuilder, StringRecord};
use proxime::{Key, Metadata, Value};

use super::{Columns, Entry, RECORD_BYTES_MAX, Record, Source};
use crate::args::IdType;
use crate::typed;

/// Records that decide about the types of the columns.
const SAMPLE: usize = 1000;

pub(crate) struct Csv<R> {
    reader: Reader<Bounded<R>>,
    /// Read, and not given out yet.
    ahead: VecDeque<Result<StringRecord, String>>,
    id: Option<(usize, Kind)>,
    id_type: IdType,
    vector: Vec<usize>,
    fields: Vec<(usize, String, Kind)>,
    row: usize,
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Int,
    Float,
    Bool,
    Text,
}

impl Kind {
    const NARROW_TO_WIDE: [Kind; 4] = [Kind::Int, Kind::Float, Kind::Bool, Kind::Text];

    fn value(self, cell: &str) -> Option<Value> {
        match self {
            Kind::Int => typed::plain_integer(cell).map(Value::Int),
            Kind::Float => number(cell).map(Value::Float),
            Kind::Bool => match cell {
                "true" | "True" | "TRUE" => Some(Value::Bool(true)),
                "false" | "False" | "FALSE" => Some(Value::Bool(false)),
                _ => None,
            },
            Kind::Text => Some(Value::Text(cell.to_owned())),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Int => "an integer",
            Kind::Float => "a number",
            Kind::Bool => "true or false",
            Kind::Text => "a text",
        }
    }
}

/// A finite number that does not begin as only codes do: `007` is no number.
fn number(cell: &str) -> Option<f64> {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let is_code = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let plain = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && !is_code;
    cell.parse().ok().filter(|x: &f64| plain && x.is_finite())
}

impl<R: Read> Csv<R> {
    /// Errors: no header, or one without the columns that are needed.
    pub(crate) fn new(reader: R, columns: Columns) -> Result<Csv<R>, String> {
        let bounded = Bounded { reader, left: 0 };
        let mut csv = Csv {
            reader: ReaderBuilder::new().from_reader(bounded),
            ahead: VecDeque::new(),
            id: None,
            id_type: columns.id_type,
            vector: Vec::new(),
            fields: Vec::new(),
            row: 0,
        };
        csv.reader.get_mut().left = RECORD_BYTES_MAX;
        let header = csv.reader.headers().map_err(|e| e.to_string())?.clone();
        let find = |name: &str| header.iter().position(|column| column == name);
        csv.vector = (vector_names(&columns.vector).iter())
            .map(|name| {
                find(name).ok_or_else(|| {
                    format!("there is no column {name:?}; --vector-columns names the vector's")
                })
            })
            .collect::<Result<_, _>>()?;
        let id = find(columns.id());
        if let (Some(name), None) = (&columns.id, id) {
            return Err(format!(
                "there is no column {name:?}; --id-column names the id's"
            ));
        }
        while csv.ahead.len() < SAMPLE
            && let Some(read) = csv.read().map_err(|e| e.to_string())?
        {
            csv.ahead.push_back(read);
        }
        csv.id = id.map(|column| (column, csv.kind(column)));
        for (column, name) in header.iter().enumerate() {
            if Some(column) != id && !csv.vector.contains(&column) {
                let kind = match columns.text.iter().any(|text| text == name) {
                    true => Kind::Text,
                    false => csv.kind(column),
                };
                csv.fields.push((column, name.to_owned(), kind));
            }
        }
        Ok(csv)
    }

    /// The first kind that all cells of the sample are.
    fn kind(&self, column: usize) -> Kind {
        let records = || self.ahead.iter().flatten();
        let cells = || records().filter_map(|record| record.get(column));
        let fits = |kind: &Kind| {
            let mut filled = cells().filter(|cell| !cell.is_empty());
            filled.all(|cell| kind.value(cell).is_some())
        };
        let kinds = Kind::NARROW_TO_WIDE.into_iter();
        match cells().all(str::is_empty) {
            true => Kind::Text,
            false => kinds.into_iter().find(fits).unwrap_or(Kind::Text),
        }
    }

    fn read(&mut self) -> io::Result<Option<Result<StringRecord, String>>> {
        self.reader.get_mut().left = RECORD_BYTES_MAX;
        let mut record = StringRecord::new();
        match self.reader.read_record(&mut record) {
            Ok(true) => Ok(Some(Ok(record))),
            Ok(false) => Ok(None),
            Err(e) => match e.kind() {
                ErrorKind::Io(_) => Err(e.into()),
                _ => Ok(Some(Err(problem(&e)))),
            },
        }
    }

    fn record(&self, cells: &StringRecord) -> Result<Record, String> {
        let cell = |column: usize| cells.get(column).unwrap_or_default();
        let vector = match self.vector[..] {
            [one] => serde_json::from_str(cell(one))
                .map_err(|e| format!("the vector: {}", typed::json_problem(&e)))?,
            _ => (self.vector.iter())
                .map(|&column| {
                    let cell = cell(column).trim();
                    let component = cell.parse::<f32>();
                    component.map_err(|_| format!("{cell:?} is not a component of a vector"))
                })
                .collect::<Result<_, _>>()?,
        };
        let id = match self.id {
            Some((column, kind)) => Some(self.id(cell(column), kind)?),
            None => None,
        };
        let mut metadata = Metadata::new();
        for (column, name, kind) in &self.fields {
            let cell = cell(*column);
            if !cell.is_empty() {
                let value = kind.value(cell).ok_or_else(|| {
                    let kind = kind.name();
                    format!("{name}: {cell:?} is not {kind}, as in the records before; --text-columns makes all of them texts")
                })?;
                metadata.insert(name.clone(), value);
            }
        }
        Ok(Record {
            id,
            vector,
            metadata,
        })
    }

    fn id(&self, cell: &str, kind: Kind) -> Result<Key, String> {
        match (self.id_type, kind) {
            _ if cell.is_empty() => Err("the id is empty".to_owned()),
            (IdType::Uuid, _) => typed::uuid(cell),
            (IdType::Bytes, _) => typed::hex(cell).map(Key::Bytes),
            (IdType::Auto, Kind::Int) => (typed::plain_integer(cell).map(Key::Int)).ok_or_else(|| {
                format!("the id {cell:?} is not an integer, as in the records before; --id-type text makes all of them texts")
            }),
            (IdType::Auto | IdType::Text, _) => Ok(Key::from(cell)),
        }
    }
}

impl<R: Read> Source for Csv<R> {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        let read = match self.ahead.pop_front() {
            Some(read) => Some(read),
            None => self.read()?,
        };
        let Some(read) = read else { return Ok(None) };
        let row = self.row;
        self.row += 1;
        Ok(Some(match read {
            Ok(cells) => Entry {
                row,
                line: cells.position().map(|position| position.line()),
                input: cells.iter().collect::<Vec<_>>().join(","),
                record: self.record(&cells),
            },
            Err(problem) => Entry {
                row,
                line: None,
                input: String::new(),
                record: Err(problem),
            },
        }))
    }
}

/// Names of columns: one, or `v0..v767` for all of these.
pub(super) fn vector_names(spec: &str) -> Vec<String> {
    let range = spec.split_once("..").and_then(|(first, last)| {
        let prefix = first.trim_end_matches(|c: char| c.is_ascii_digit());
        let (from, to) = (first.strip_prefix(prefix)?, last.strip_prefix(prefix)?);
        let numbers = from.parse::<u32>().ok()?..=to.parse().ok()?;
        // At most as many as a vector can have components.
        let numbers = numbers.take(1 << 16);
        let width = from.len();
        Some(numbers.map(|i| format!("{prefix}{i:0width$}")).collect())
    });
    range.unwrap_or_else(|| vec![spec.to_owned()])
}

fn problem(error: &Error) -> String {
    match error.kind() {
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("{len} cells; the header has {expected_len}"),
        ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// Gives so many bytes, and then an error: a record that does not end must not fill the memory.
struct Bounded<R> {
    reader: R,
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let limit = format!("a record longer than {RECORD_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, limit));
        }
        let room = buffer.len().min(self.left);
        let read = self.reader.read(&mut buffer[..room])?;
        self.left -= read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_columns() {
        assert_eq!(vector_names("v8..v10"), ["v8", "v9", "v10"]);
        assert_eq!(vector_names("d08..d10"), ["d08", "d09", "d10"]);
        assert_eq!(vector_names("a..b"), ["a..b"]);
        assert_eq!(vector_names("v0..v4294967295").len(), 1 << 16);
    }

    #[test]
    fn codes_are_not_numbers() {
        let kind = |cell| {
            Kind::NARROW_TO_WIDE
                .into_iter()
                .find(|kind| kind.value(cell).is_some())
        };
        for (cell, expected) in [
            ("-7", Kind::Int),
            ("007", Kind::Text),
            ("0.5", Kind::Float),
            ("1e3", Kind::Float),
            ("inf", Kind::Text),
            ("1e999", Kind::Text),
            ("9223372036854775808", Kind::Float),
            ("True", Kind::Bool),
            ("", Kind::Text),
        ] {
            assert_eq!(kind(cell), Some(expected), "{cell}");
        }
    }
}
