//! JSON Lines: an object per line, with an id, a vector, and metadata in what is left.
//!
//! An object in the field `metadata` is metadata too, field by field: so are records exported.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use proxime::{Key, Metadata};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use super::{Columns, Entry, RECORD_BYTES_MAX, Record, Source};
use crate::args::IdType;
use crate::typed;

pub(crate) struct Jsonl<R> {
    reader: R,
    columns: Columns,
    row: usize,
    lines: u64,
    /// Whether records have ids; the first one that is one decides.
    with_ids: Option<bool>,
}

impl<R: BufRead> Jsonl<R> {
    pub(crate) fn new(reader: R, columns: Columns) -> Jsonl<R> {
        let with_ids = columns.id.as_ref().map(|_| true);
        Jsonl {
            reader,
            columns,
            row: 0,
            lines: 0,
            with_ids,
        }
    }

    /// The next line that is not blank; `Err` if it is too long or no text. `None` at the end of the file.
    fn line(&mut self) -> io::Result<Option<Result<String, String>>> {
        loop {
            self.lines += 1;
            match self.any_line()? {
                Some(Ok(line)) if line.trim().is_empty() => {}
                line => return Ok(line),
            }
        }
    }

    fn any_line(&mut self) -> io::Result<Option<Result<String, String>>> {
        let mut line = Vec::new();
        let mut bounded = self.reader.by_ref().take(RECORD_BYTES_MAX as u64 + 1);
        if bounded.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.len() > RECORD_BYTES_MAX && line.last() != Some(&b'\n') {
            self.reader.skip_until(b'\n')?;
            return Ok(Some(Err(format!("longer than {RECORD_BYTES_MAX} bytes"))));
        }
        let text = String::from_utf8(line).map_err(|_| "not UTF-8".to_owned());
        Ok(Some(text))
    }

    fn record(&mut self, line: &str) -> Result<Record, String> {
        let mut fields: BTreeMap<String, &RawValue> = serde_json::from_str(line)
            .map_err(|e| format!("not a JSON object: {}", typed::json_problem(&e)))?;
        let name = &self.columns.vector;
        let vector = fields
            .remove(name)
            .ok_or_else(|| format!("there is no {name:?}; --vector-columns names the vector"))?;
        let vector = serde_json::from_str(vector.get())
            .map_err(|e| format!("{name}: {}", typed::json_problem(&e)))?;
        let id = self.id(fields.remove(self.columns.id()))?;
        Ok(Record {
            id,
            vector,
            metadata: metadata(fields)?,
        })
    }

    fn id(&mut self, id: Option<&RawValue>) -> Result<Option<Key>, String> {
        let with_ids = *self.with_ids.get_or_insert(id.is_some());
        let name = self.columns.id();
        match (id, with_ids) {
            (Some(id), true) => {
                let json: Json = serde_json::from_str(id.get()).map_err(|e| e.to_string())?;
                let id = match (&json, self.columns.id_type) {
                    (Json::String(text), IdType::Uuid) => typed::uuid(text),
                    (Json::String(text), IdType::Bytes) => typed::hex(text).map(Key::Bytes),
                    _ => typed::key_from_json(&json),
                };
                id.map(Some)
            }
            (None, true) => Err(format!("there is no {name:?}, the id")),
            (None, false) => Ok(None),
            (Some(_), false) => Err(format!("it has an {name:?}; records before it have none")),
        }
    }
}

fn metadata(fields: BTreeMap<String, &RawValue>) -> Result<Metadata, String> {
    let mut all = Map::new();
    for (name, value) in fields {
        let value: Json = serde_json::from_str(value.get())
            .map_err(|e| format!("{name}: {}", typed::json_problem(&e)))?;
        match value {
            Json::Object(inner) if name == "metadata" => all.extend(inner),
            value => {
                all.insert(name, value);
            }
        }
    }
    typed::metadata_from_json(&Json::Object(all))
}

impl<R: BufRead> Source for Jsonl<R> {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        let Some(line) = self.line()? else {
            return Ok(None);
        };
        let row = self.row;
        self.row += 1;
        let (input, record) = match line {
            Ok(mut line) => {
                let record = self.record(&line);
                line.truncate(line.trim_end().len());
                (line, record)
            }
            Err(problem) => (String::new(), Err(problem)),
        };
        Ok(Some(Entry {
            row,
            line: Some(self.lines),
            input,
            record,
        }))
    }
}
