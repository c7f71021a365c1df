//! Metadata: JSON-like values with exact types.
//!
//! An integer stays an integer, a float a float, `true` never becomes 1. What JSON cannot say exactly (NaN, infinity, integers
//! beyond 64 bits, nesting beyond [`DEPTH_MAX`]) is refused at the door, so what is read back equals what was stored.

use std::collections::BTreeMap;
use std::fmt;

/// How deep lists and objects may nest. The metadata object itself is depth 1.
pub const DEPTH_MAX: usize = 32;

/// A record's metadata: named values.
pub type Metadata = BTreeMap<String, Value>;

/// One value of a record's metadata.
///
/// ```
/// use proxime::Value;
/// let json = serde_json::json!({"year": 2020, "tags": ["a", null]});
/// assert_eq!(Value::from_json(&json)?.to_json(), json);
/// # Ok::<(), proxime::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A finite double.
    Float(f64),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Value>),
    /// Named values.
    Object(Metadata),
}

/// Why a value cannot be stored.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// NaN or infinity.
    NotFinite(f64),
    /// An integer beyond 64 signed bits.
    IntegerRange(u64),
    /// Nested deeper than [`DEPTH_MAX`].
    Depth,
    /// One record's metadata is larger than this many bytes when encoded.
    Size(usize),
    /// Metadata must be an object.
    NotAnObject,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NotFinite(value) => write!(f, "{value} is not a finite number"),
            Problem::IntegerRange(value) => {
                write!(f, "{value} does not fit a 64-bit signed integer")
            }
            Problem::Depth => write!(f, "nested deeper than {DEPTH_MAX}"),
            Problem::Size(limit) => write!(f, "larger than {limit} bytes"),
            Problem::NotAnObject => f.write_str("not an object"),
        }
    }
}

/// A JSON value that cannot become a [`Value`]: where, and why.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("metadata{path}: {problem}")]
pub struct ValueError {
    /// As `.field[3].inner`; empty for the value itself.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

impl ValueError {
    fn new(problem: Problem) -> ValueError {
        ValueError {
            path: String::new(),
            problem,
        }
    }

    /// The same, seen from outside of `step`.
    pub(crate) fn inside(self, step: &str) -> ValueError {
        ValueError {
            path: format!("{step}{}", self.path),
            ..self
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Int(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(value)
    }
}

impl Value {
    /// The same value, from JSON.
    ///
    /// Errors: an integer beyond 64 signed bits, nesting deeper than [`DEPTH_MAX`].
    pub fn from_json(json: &serde_json::Value) -> Result<Value, ValueError> {
        from_json(json, DEPTH_MAX - 1)
    }

    /// From JSON that nests at most `room` deep: filters nest deeper than metadata.
    pub(crate) fn nested_from_json(
        json: &serde_json::Value,
        room: usize,
    ) -> Result<Value, ValueError> {
        from_json(json, room)
    }

    /// The same value, as JSON. What is not finite, which no stored value is, becomes null.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Text(value) => value.as_str().into(),
            Value::List(list) => list.iter().map(Value::to_json).collect(),
            Value::Object(object) => metadata_to_json(object),
        }
    }
}

/// A metadata object from JSON.
///
/// Errors: as [`Value::from_json`], or not an object.
pub fn metadata_from_json(json: &serde_json::Value) -> Result<Metadata, ValueError> {
    match from_json(json, DEPTH_MAX)? {
        Value::Object(metadata) => Ok(metadata),
        _ => Err(ValueError::new(Problem::NotAnObject)),
    }
}

/// A metadata object as JSON.
pub fn metadata_to_json(metadata: &Metadata) -> serde_json::Value {
    let fields = metadata
        .iter()
        .map(|(name, value)| (name.clone(), value.to_json()));
    serde_json::Value::Object(fields.collect())
}

/// `room` is how many levels of lists and objects there may be.
fn from_json(json: &serde_json::Value, room: usize) -> Result<Value, ValueError> {
    use serde_json::Value as Json;
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::String(value) => Value::Text(value.clone()),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), ..) => Value::Int(value),
            (None, Some(value), _) => return Err(ValueError::new(Problem::IntegerRange(value))),
            (None, None, value) => Value::Float(value.unwrap_or(f64::NAN)),
        },
        Json::Array(_) | Json::Object(_) if room == 0 => {
            return Err(ValueError::new(Problem::Depth));
        }
        Json::Array(list) => {
            let values = list.iter().enumerate().map(|(i, value)| {
                from_json(value, room - 1).map_err(|e| e.inside(&format!("[{i}]")))
            });
            Value::List(values.collect::<Result<_, _>>()?)
        }
        Json::Object(object) => {
            let fields = object.iter().map(|(name, value)| {
                let value = from_json(value, room - 1).map_err(|e| e.inside(&format!(".{name}")));
                Ok((name.clone(), value?))
            });
            Value::Object(fields.collect::<Result<_, _>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_exact() {
        let json =
            json!({"i": i64::MIN, "f": 1.0, "t": true, "n": null, "s": "", "l": [0, 0.5, [], {}]});
        let metadata = metadata_from_json(&json).unwrap();
        assert_eq!(
            (&metadata["f"], &metadata["t"]),
            (&Value::Float(1.0), &Value::Bool(true))
        );
        assert_eq!(metadata_to_json(&metadata), json);
        assert_eq!(metadata_to_json(&metadata).to_string(), json.to_string());
    }

    #[test]
    fn what_cannot_be_said_exactly_is_refused_with_its_place() {
        let problem = |json: serde_json::Value| metadata_from_json(&json).unwrap_err().to_string();
        assert_eq!(
            problem(json!({"a": [1, {"b": u64::MAX}]})),
            "metadata.a[1].b: 18446744073709551615 does not fit a 64-bit signed integer"
        );
        assert_eq!(problem(json!([1])), "metadata: not an object");
        let deep = |depth| (1..depth).fold(json!({}), |value, _| json!({"x": value}));
        assert!(metadata_from_json(&deep(DEPTH_MAX)).is_ok());
        assert!(problem(deep(DEPTH_MAX + 1)).ends_with("nested deeper than 32"));
    }
}
