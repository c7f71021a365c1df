//! The caller's id of a record: an integer, a text, a UUID or bytes.
//!
//! They never mix: `Key::Int(1)` and `Key::Text("1")` are different ids. Order: integers first, then texts by bytes, then UUIDs, then
//! bytes.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::value::Hex;

/// A record's id.
///
/// ```
/// use proxime::Key;
/// assert_eq!(Key::from(7).to_string(), "7");
/// assert_ne!(Key::from(7), Key::from("7"));
/// assert!(Key::from("z") < Key::Uuid([0; 16]) && Key::Uuid([255; 16]) < Key::Bytes(vec![]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Any 64-bit integer.
    Int(i64),
    /// Any UTF-8 of at most [`Key::BYTES_MAX`] bytes, the empty text included.
    Text(String),
    /// A UUID, most significant byte first.
    Uuid([u8; 16]),
    /// At most [`Key::BYTES_MAX`] bytes, none included.
    Bytes(Vec<u8>),
}

impl Key {
    /// The longest id that is a text or bytes, in bytes.
    pub const BYTES_MAX: usize = 65_535;
}

impl From<i64> for Key {
    fn from(id: i64) -> Self {
        Key::Int(id)
    }
}

impl From<&str> for Key {
    fn from(id: &str) -> Self {
        Key::Text(id.to_owned())
    }
}

impl From<String> for Key {
    fn from(id: String) -> Self {
        Key::Text(id)
    }
}

/// An integer as it is, a text in quotes, a UUID with its hyphens, bytes in hexadecimal behind `0x`: they stay apart in messages.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Int(id) => id.fmt(f),
            Key::Text(id) => write!(f, "{id:?}"),
            Key::Uuid(id) => {
                for (i, byte) in id.iter().enumerate() {
                    let hyphen = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
                    write!(f, "{hyphen}{byte:02x}")?;
                }
                Ok(())
            }
            Key::Bytes(id) => Hex(id).fmt(f),
        }
    }
}

/// For reports: integers and texts as they are, the others as in messages. Only the first two can be told apart.
impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Key::Int(id) => serializer.serialize_i64(*id),
            Key::Text(id) => serializer.serialize_str(id),
            Key::Uuid(_) | Key::Bytes(_) => serializer.collect_str(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_form_of_its_own() {
        let uuid = Key::Uuid(0x1234_5678_9abc_def0_0123_4567_89ab_cdefu128.to_be_bytes());
        assert_eq!(uuid.to_string(), "12345678-9abc-def0-0123-456789abcdef");
        assert_eq!(Key::Bytes(vec![0, 0xff]).to_string(), "0x00ff");
        let json = serde_json::json!([Key::Int(1), Key::from("1"), uuid, Key::Bytes(vec![])]);
        let expected = serde_json::json!([1, "1", "12345678-9abc-def0-0123-456789abcdef", "0x"]);
        assert_eq!(json, expected);
    }
}
