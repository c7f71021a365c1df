//! Fields that a filter names and no record has: most often they are misspelt.
//!
//! That is never an error, as such a field may be rare, or yet to come. Who wants to know asks.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::filter::{Field, Payloads};
use crate::nearest::{NAMES_MAX, nearest};
use crate::record::payload::Tokens;
use crate::snapshot::View;
use crate::{Collection, Filter, Metadata, Result, Value};

/// Records that are asked for their fields.
const RECORDS_MAX: usize = 1_000;

/// A field that no record has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnknownField {
    /// As filters in text have it.
    pub field: String,
    /// A few of those that there are in 1,000 records, those most like it first.
    pub there: Vec<String>,
}

/// In a sentence.
impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no record has the field {}", self.field)?;
        match &self.there[..] {
            [] => Ok(()),
            there => write!(f, "; some have {}", there.join(", ")),
        }
    }
}

impl Collection {
    /// The fields in these filters that no record has, and the schema does not name; none if there are no records.
    ///
    /// Errors: a filter that is wrong. Cost: of each field, a look at records up to the first that has it.
    ///
    /// ```
    /// use proxime::{Batch, CollectionConfig, Database, Metadata, Rows, field};
    /// let docs = Database::in_memory()?.create_collection("docs", CollectionConfig::new(2))?;
    /// let metadata = Metadata::from([("lang".to_owned(), "en".into()), ("year".to_owned(), 2020.into())]);
    /// docs.upsert(Batch::new(vec![1.into()], &Rows::new(&[1.0, 0.0], 2)?).metadata(vec![metadata]))?;
    /// let unknown = docs.unknown_fields([&(field("lnag").eq("en") & field("year").ge(2020))])?;
    /// assert_eq!(unknown[0].to_string(), "no record has the field lnag; some have lang, year");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unknown_fields<'a>(
        &self,
        filters: impl IntoIterator<Item = &'a Filter>,
    ) -> Result<Vec<UnknownField>> {
        unknown_fields(&*self.view()?, filters)
    }
}

/// The same in a view.
pub(crate) fn unknown_fields<'a>(
    view: &View,
    filters: impl IntoIterator<Item = &'a Filter>,
) -> Result<Vec<UnknownField>> {
    let mut named = BTreeSet::new();
    for filter in filters {
        filter.check()?;
        named.extend(filter.fields());
    }
    let schema = view.config.schema.fields();
    let schema: BTreeSet<Field> = schema
        .map(|(path, _)| Field::from_path(path))
        .collect::<Result<_, _>>()?;
    let mut unknown = Vec::new();
    for field in named {
        if view.live() > 0 && !schema.contains(field) && !is_there(view, field)? {
            unknown.push(field);
        }
    }
    if unknown.is_empty() {
        return Ok(Vec::new());
    }
    let there = some_fields(view, schema)?;
    let names: Vec<String> = there.iter().map(Field::to_string).collect();
    let told = |field: &Field| {
        let field = field.to_string();
        let (there, _) = nearest(&field, names.clone());
        UnknownField { field, there }
    };
    Ok(unknown.into_iter().map(told).collect())
}

fn is_there(view: &View, field: &Field) -> Result<bool> {
    for part in &view.parts {
        let segment = &*part.segment;
        for row in part.live_rows() {
            let found = Tokens::at(segment.metadata_bytes(row)?, field);
            if found
                .map_err(|e| segment.damaged(row, &e.to_string()))?
                .is_some()
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The fields of some records, spread over all, beside those that are known.
fn some_fields(view: &View, mut known: BTreeSet<Field>) -> Result<BTreeSet<Field>> {
    let step = view.live().div_ceil(RECORDS_MAX).max(1);
    for part in &view.parts {
        for row in part.live_rows().step_by(step) {
            if known.len() < NAMES_MAX {
                add_fields(&part.segment.metadata(row)?, &mut Vec::new(), &mut known);
            }
        }
    }
    Ok(known)
}

fn add_fields(object: &Metadata, outer: &mut Vec<String>, known: &mut BTreeSet<Field>) {
    for (name, value) in object {
        outer.push(name.clone());
        known.insert(Field::from_names(outer.clone()));
        if let Value::Object(inner) = value {
            add_fields(inner, outer, known);
        }
        outer.pop();
    }
}
