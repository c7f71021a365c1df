//! Records as JSON that can be read back exactly.
//!
//! JSON has no times, bytes or UUIDs. Where records leave and come in as JSON, these are objects with one field: `{"$time":
//! "2024-05-01T12:00:00.000000Z"}`, `{"$bytes": "0x00ff"}`, `{"$uuid": "6ba7b810-..."}`. The idea is MongoDB's extended JSON.

use chrono::DateTime;
use proxime::{Key, Metadata, Record, Value};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

const TIME: &str = "$time";
const BYTES: &str = "$bytes";
const UUID: &str = "$uuid";

/// A record in the form in which it is exported.
#[derive(Serialize)]
pub(crate) struct RecordJson<'a> {
    id: Json,
    vector: &'a [f32],
    metadata: Json,
}

pub(crate) fn record_to_json(record: &Record) -> RecordJson<'_> {
    RecordJson {
        id: key_to_json(&record.id),
        vector: &record.vector,
        metadata: metadata_to_json(&record.metadata),
    }
}

pub(crate) fn key_to_json(key: &Key) -> Json {
    match key {
        Key::Int(id) => json!(id),
        Key::Text(id) => json!(id),
        Key::Uuid(_) => json!({ UUID: key.to_string() }),
        Key::Bytes(_) => json!({ BYTES: key.to_string() }),
    }
}

pub(crate) fn metadata_to_json(metadata: &Metadata) -> Json {
    let fields = metadata.iter();
    Json::Object(
        fields
            .map(|(name, value)| (name.clone(), value_to_json(value)))
            .collect(),
    )
}

pub(crate) fn value_to_json(value: &Value) -> Json {
    match value {
        Value::Time(_) => json!({ TIME: value.to_json() }),
        Value::Bytes(_) => json!({ BYTES: value.to_json() }),
        Value::List(list) => list.iter().map(value_to_json).collect(),
        Value::Object(object) => metadata_to_json(object),
        _ => value.to_json(),
    }
}

/// Metadata from JSON: times and bytes too. What else there may be is the library's to say.
pub(crate) fn metadata_from_json(json: &Json) -> Result<Metadata, String> {
    let mut metadata = proxime::metadata_from_json(json).map_err(|e| e.to_string())?;
    for value in metadata.values_mut() {
        read_typed(value)?;
    }
    Ok(metadata)
}

/// Replaces objects that stand for a time or bytes by what they stand for. How deep they nest was checked.
fn read_typed(value: &mut Value) -> Result<(), String> {
    let inner: Vec<&mut Value> = match value {
        Value::Object(object) => match typed(object)? {
            Some(typed) => {
                *value = typed;
                return Ok(());
            }
            None => object.values_mut().collect(),
        },
        Value::List(list) => list.iter_mut().collect(),
        _ => return Ok(()),
    };
    inner.into_iter().try_for_each(read_typed)
}

fn typed(object: &Metadata) -> Result<Option<Value>, String> {
    let mut fields = object.iter();
    let (Some((name, value)), None) = (fields.next(), fields.next()) else {
        return Ok(None);
    };
    match (name.as_str(), value) {
        (TIME, Value::Text(text)) => time(text).map(Some),
        (BYTES, Value::Text(text)) => Ok(Some(Value::Bytes(hex(text)?))),
        _ => Ok(None),
    }
}

fn time(text: &str) -> Result<Value, String> {
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|e| format!("{text:?} is not a time as in RFC 3339: {e}"))?;
    Ok(Value::Time(time.timestamp_micros()))
}

/// An id from JSON.
pub(crate) fn key_from_json(json: &Json) -> Result<Key, String> {
    match json {
        Json::String(text) => Ok(Key::Text(text.clone())),
        Json::Number(number) => (number.as_i64().map(Key::Int))
            .ok_or_else(|| format!("the id {number} is not a 64-bit signed integer")),
        Json::Object(object) => key_from_object(object),
        _ => Err(format!("{json} cannot be an id")),
    }
}

fn key_from_object(object: &Map<String, Json>) -> Result<Key, String> {
    let text = |name| object.get(name).and_then(Json::as_str);
    match (text(UUID), text(BYTES)) {
        (Some(text), None) => uuid(text),
        (None, Some(text)) => Ok(Key::Bytes(hex(text)?)),
        _ => Err(format!(
            "an id is {{\"{UUID}\": ...}} or {{\"{BYTES}\": ...}} if it is an object"
        )),
    }
}

/// A UUID: 32 hexadecimal digits, hyphens between them ignored.
pub(crate) fn uuid(text: &str) -> Result<Key, String> {
    let digits: String = text.chars().filter(|&c| c != '-').collect();
    let bytes = digits_of(&digits).and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(Key::Uuid)
        .ok_or_else(|| format!("{text:?} is not a UUID"))
}

/// Bytes: hexadecimal digits behind `0x`.
pub(crate) fn hex(text: &str) -> Result<Vec<u8>, String> {
    let bytes = text.strip_prefix("0x").and_then(digits_of);
    bytes.ok_or_else(|| format!("{text:?} is not hexadecimal digits behind 0x"))
}

fn digits_of(text: &str) -> Option<Vec<u8>> {
    let digit = |c: char| c.to_digit(16).map(|digit| digit as u8);
    let digits: Vec<u8> = text.chars().map(digit).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// serde_json ends its message with a position counted from the start of our line: not the file's.
pub(crate) fn json_problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line ") {
        Some((problem, _)) => problem.to_owned(),
        None => text,
    }
}

/// An integer as this program would write it: no `007`, no `+7`.
pub(crate) fn plain_integer(text: &str) -> Option<i64> {
    text.parse().ok().filter(|n: &i64| n.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_exactly() {
        let metadata = Metadata::from([
            ("at".to_owned(), Value::Time(-1)),
            (
                "raw".to_owned(),
                Value::List(vec![Value::Bytes(vec![0, 255]), Value::Null]),
            ),
            ("text".to_owned(), Value::from("0x00")),
            (
                "odd".to_owned(),
                Value::Object(Metadata::from([("$time".to_owned(), Value::Int(3))])),
            ),
        ]);
        let json = metadata_to_json(&metadata);
        assert_eq!(json["at"], json!({"$time": "1969-12-31T23:59:59.999999Z"}));
        assert_eq!(metadata_from_json(&json).unwrap(), metadata);
        for key in [
            Key::Int(-7),
            Key::from("7"),
            Key::Uuid([7; 16]),
            Key::Bytes(vec![1, 254]),
        ] {
            assert_eq!(key_from_json(&key_to_json(&key)).unwrap(), key);
        }
    }

    #[test]
    fn what_is_not_what_it_says_is_refused() {
        for (json, culprit) in [
            (
                json!({"a": {"$time": "yesterday"}}),
                "\"yesterday\" is not a time",
            ),
            (
                json!({"a": [{"$bytes": "0x0"}]}),
                "\"0x0\" is not hexadecimal",
            ),
            (json!({"a": {"$bytes": "00"}}), "behind 0x"),
            (json!([1]), "not an object"),
        ] {
            let problem = metadata_from_json(&json).unwrap_err();
            assert!(problem.contains(culprit), "{problem}");
        }
        for json in [
            json!(1.5),
            json!(null),
            json!({"$uuid": "12"}),
            json!({"$bytes": "0xé"}),
        ] {
            assert!(key_from_json(&json).is_err(), "{json}");
        }
    }
}
