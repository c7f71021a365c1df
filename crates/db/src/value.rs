//! Metadata: JSON-like values with exact types, and times and bytes.
//!
//! An integer stays an integer, a float a float, `true` never becomes 1. What JSON cannot say exactly (NaN, infinity, integers
//! beyond 64 bits, nesting beyond [`DEPTH_MAX`]) is refused at the door, so what is read back equals what was stored. Times and bytes are
//! never made of JSON, and become texts in it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

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
    /// A moment: microseconds since 1970-01-01T00:00:00Z, in the years 1 to 9999. It has no time zone.
    Time(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Named values.
    Object(Metadata),
}

/// The first microsecond of the year 1, and the last of the year 9999.
pub(crate) const TIMES: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// Why a value cannot be stored.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// NaN or infinity.
    NotFinite(f64),
    /// An integer beyond 64 signed bits.
    IntegerRange(u64),
    /// A time, in microseconds since 1970, outside the years 1 to 9999.
    TimeRange(i64),
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
            Problem::TimeRange(micros) => {
                write!(f, "{micros} us since 1970 is outside the years 1 to 9999")
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

    /// The same value, as JSON. A time becomes a text as in RFC 3339, bytes one of hexadecimal digits behind `0x`. What is not finite,
    /// which no stored value is, becomes null.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Text(value) => value.as_str().into(),
            Value::Time(micros) => Rfc3339(*micros).to_string().into(),
            Value::Bytes(bytes) => Hex(bytes).to_string().into(),
            Value::List(list) => list.iter().map(Value::to_json).collect(),
            Value::Object(object) => metadata_to_json(object),
        }
    }
}

/// Microseconds since 1970 as a date and a time in UTC.
pub(crate) struct Rfc3339(pub(crate) i64);

impl fmt::Display for Rfc3339 {
    /// Source: Hinnant, chrono-compatible low-level date algorithms, civil_from_days.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY_US: i64 = 86_400_000_000;
        let of_day = self.0.rem_euclid(DAY_US);
        let days = self.0.div_euclid(DAY_US) + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = from_march % 12 + if from_march < 10 { 3 } else { -9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
        )
    }
}

/// Bytes as hexadecimal digits.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
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
    fn times_and_bytes_become_texts() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_582_979_696_000_007, "2020-02-29T12:34:56.000007Z"),
            (*TIMES.start(), "0001-01-01T00:00:00.000000Z"),
            (*TIMES.end(), "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Value::Time(micros).to_json(), json!(text));
        }
        assert_eq!(Value::Bytes(vec![0, 255]).to_json(), json!("0x00ff"));
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
