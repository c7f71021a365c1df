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

impl Value {
    /// The same value, from JSON.
    ///
    /// Errors: an integer beyond 64 signed bits, nesting deeper than [`DEPTH_MAX`].
    pub fn from_json(json: &serde_json::Value) -> Result<Value, ValueError> {
        let _ = json;
        unimplemented!()
    }

    /// The same value, as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        unimplemented!()
    }
}

/// A metadata object from JSON.
///
/// Errors: as [`Value::from_json`], or not an object.
pub fn metadata_from_json(json: &serde_json::Value) -> Result<Metadata, ValueError> {
    let _ = json;
    unimplemented!()
}
