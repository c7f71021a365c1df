//! The caller's id of a record: an integer or a text.
//!
//! The two never mix: `Key::Int(1)` and `Key::Text("1")` are different ids. Order: integers first, then texts by bytes.

use std::fmt;

use serde::Serialize;

/// A record's id.
///
/// ```
/// use proxime::Key;
/// assert_eq!(Key::from(7).to_string(), "7");
/// assert_ne!(Key::from(7), Key::from("7"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Key {
    /// Any 64-bit integer.
    Int(i64),
    /// Any UTF-8 of at most [`Key::TEXT_BYTES_MAX`] bytes, the empty text included.
    Text(String),
}

impl Key {
    /// The longest text id, in bytes.
    pub const TEXT_BYTES_MAX: usize = 65_535;
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

/// An integer as it is, a text in quotes: the two stay apart in messages.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Int(id) => id.fmt(f),
            Key::Text(id) => write!(f, "{id:?}"),
        }
    }
}
