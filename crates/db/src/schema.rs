//! What the metadata of a collection must be like: fields with types, some of them required.
//!
//! A schema says what is checked when records are written, not how they are stored: fields that it does not name may hold anything,
//! and nothing is converted. It belongs to the collection's configuration and does not change.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::filter::Field;
use crate::{Error, Metadata, Result, Value};

/// Fields of a schema at most.
const FIELDS_MAX: usize = 1_000;

/// The types of some fields of the metadata.
///
/// ```
/// use proxime::{Batch, CollectionConfig, Database, Error, FieldType, Key, Rows, Schema};
/// let schema = Schema::new().required("lang", FieldType::Text).optional("year", FieldType::Int);
/// let db = Database::in_memory()?;
/// let docs = db.create_collection("docs", CollectionConfig::new(2).schema(schema))?;
/// let refused = docs.upsert(Batch::new(vec![Key::Int(7)], &Rows::new(&[1.0, 0.0], 2)?)).unwrap_err();
/// assert!(matches!(refused, Error::Schema { row: 0, field, found: None, .. } if field == "lang"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schema {
    fields: BTreeMap<String, Requirement>,
}

/// What is said of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// What its value is, where there is one.
    #[serde(rename = "type")]
    pub is: FieldType,
    /// Whether every record has it. Null counts as missing.
    #[serde(default)]
    pub required: bool,
}

/// What a field may hold. Types are exact: an integer is no float, and a boolean neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FieldType {
    /// True or false.
    Bool,
    /// A 64-bit integer.
    Int,
    /// A double.
    Float,
    /// A text.
    Text,
    /// A moment.
    Time,
    /// Bytes.
    Bytes,
    /// Values in order, of any type.
    List,
    /// Named values.
    Object,
}

impl FieldType {
    /// All of them.
    pub const ALL: [FieldType; 8] = [
        FieldType::Bool,
        FieldType::Int,
        FieldType::Float,
        FieldType::Text,
        FieldType::Time,
        FieldType::Bytes,
        FieldType::List,
        FieldType::Object,
    ];

    /// The type of a value; null has none.
    pub fn of(value: &Value) -> Option<FieldType> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(_) => FieldType::Bool,
            Value::Int(_) => FieldType::Int,
            Value::Float(_) => FieldType::Float,
            Value::Text(_) => FieldType::Text,
            Value::Time(_) => FieldType::Time,
            Value::Bytes(_) => FieldType::Bytes,
            Value::List(_) => FieldType::List,
            Value::Object(_) => FieldType::Object,
        })
    }

    /// As in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            FieldType::Bool => "bool",
            FieldType::Int => "int",
            FieldType::Float => "float",
            FieldType::Text => "text",
            FieldType::Time => "time",
            FieldType::Bytes => "bytes",
            FieldType::List => "list",
            FieldType::Object => "object",
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FieldType {
    type Err = Error;

    fn from_str(name: &str) -> Result<FieldType> {
        let found = FieldType::ALL.into_iter().find(|is| is.name() == name);
        found.ok_or_else(|| Error::Parameter {
            name: "schema",
            value: name.to_owned(),
            limit: format!("one of {}", FieldType::ALL.map(FieldType::name).join(", ")),
        })
    }
}

impl Schema {
    /// One that says nothing of any field.
    pub fn new() -> Schema {
        Schema::default()
    }

    /// Every record has this field, and it is of this type. `outer.inner` is a field of an object, as in [`field`](crate::field).
    #[must_use]
    pub fn required(self, field: impl Into<String>, is: FieldType) -> Schema {
        self.with(field.into(), Requirement { is, required: true })
    }

    /// Where a record has this field, and it is not null, it is of this type.
    #[must_use]
    pub fn optional(self, field: impl Into<String>, is: FieldType) -> Schema {
        let required = false;
        self.with(field.into(), Requirement { is, required })
    }

    fn with(mut self, field: String, requirement: Requirement) -> Schema {
        self.fields.insert(field, requirement);
        self
    }

    /// The fields that it names, in the order of their names.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Requirement)> {
        self.fields.iter().map(|(field, is)| (field.as_str(), *is))
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Errors: too many fields; the path of a field that is none.
    pub(crate) fn check(&self) -> Result<()> {
        if self.fields.len() > FIELDS_MAX {
            return Err(Error::Parameter {
                name: "schema",
                value: format!("{} fields", self.fields.len()),
                limit: format!("at most {FIELDS_MAX}"),
            });
        }
        let mut paths = self.fields.keys();
        Ok(paths.try_for_each(|path| Field::from_path(path).map(drop))?)
    }

    /// Its fields, ready to be looked up in many records.
    pub(crate) fn ready(&self) -> Result<Ready<'_>> {
        let fields = self.fields();
        let ready = fields.map(|(path, is)| Ok((path, Field::from_path(path)?, is)));
        Ok(Ready(ready.collect::<Result<_>>()?))
    }
}

/// A schema whose paths are taken apart.
pub(crate) struct Ready<'a>(Vec<(&'a str, Field, Requirement)>);

impl Ready<'_> {
    /// Errors: the first field, by name, that is not as it must be.
    pub(crate) fn check(&self, row: usize, metadata: &Metadata) -> Result<()> {
        let mut fields = self.0.iter();
        fields.try_for_each(|(path, field, requirement)| {
            let found = at(field, metadata).and_then(FieldType::of);
            match found {
                Some(found) if found == requirement.is => Ok(()),
                None if !requirement.required => Ok(()),
                _ => Err(Error::Schema {
                    row,
                    field: (*path).to_owned(),
                    expected: requirement.is,
                    found,
                }),
            }
        })
    }
}

/// What a field holds.
fn at<'a>(field: &Field, metadata: &'a Metadata) -> Option<&'a Value> {
    let mut names = field.names();
    let first = metadata.get(names.next()?)?;
    names.try_fold(first, |value, name| match value {
        Value::Object(inner) => inner.get(name),
        _ => None,
    })
}
