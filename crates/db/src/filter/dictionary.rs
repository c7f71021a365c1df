//! Filters as dictionaries of operators, the way MongoDB, Chroma and Pinecone have them.
//!
//! `{"lang": "en", "year": {"$gte": 2020}}`: a name is a field, a value means `$eq`, several entries mean `$and`. `$not` takes
//! a whole filter, or inside of a field its operators.

use super::{Condition, DEPTH_MAX, Filter, FilterError, FilterProblem, NODES_MAX, field, scalar};
use crate::{Metadata, Value, ValueError};

/// How deep the dictionary of a filter may nest: each level of a filter is an object, a list in it, or both.
pub const FILTER_NESTING_MAX: usize = 2 * DEPTH_MAX + 2;

impl Filter {
    /// From a dictionary of operators, given as JSON.
    ///
    /// Errors: an operator that there is not, an operand that makes no sense for it, anything too large; nothing at all.
    pub fn from_json(json: &serde_json::Value) -> Result<Filter, FilterError> {
        let value = Value::nested_from_json(json, FILTER_NESTING_MAX).map_err(from_value_error)?;
        Filter::from_value(&value)
    }

    /// From a dictionary of operators, given as a value.
    ///
    /// Errors: as [`Filter::from_json`].
    pub fn from_value(value: &Value) -> Result<Filter, FilterError> {
        filter(value, 1)?.checked()
    }
}

fn from_value_error(error: ValueError) -> FilterError {
    let problem = match error.problem {
        crate::Problem::IntegerRange(value) => FilterProblem::IntegerRange(value.to_string()),
        crate::Problem::NotFinite(value) => FilterProblem::NotFinite(value),
        _ => FilterProblem::Depth,
    };
    FilterError {
        at: error.path,
        problem,
    }
}

fn needed(needed: &'static str, got: &Value) -> FilterError {
    let got = scalar::kind(got).to_owned();
    FilterError::new(FilterProblem::Needed { needed, got })
}

fn filter(value: &Value, depth: usize) -> Result<Filter, FilterError> {
    let Value::Object(entries) = value else {
        return Err(needed("an object", value));
    };
    connect(entries, Filter::all, |name, value| {
        match name.strip_prefix('$') {
            None => on_field(&field(name), value, depth),
            Some(_) if depth > DEPTH_MAX => Err(FilterProblem::Depth.into()),
            Some("and") => several(value, Filter::all, depth + 1),
            Some("or") => several(value, Filter::any, depth + 1),
            Some("not") => filter(value, depth + 1).map(|inner| !inner),
            Some(_) => Err(FilterProblem::Operator(name.to_owned()).into()),
        }
    })
}

/// What each entry says, connected; errors say in which.
fn connect(
    entries: &Metadata,
    how: fn(Vec<Filter>) -> Filter,
    entry: impl Fn(&str, &Value) -> Result<Filter, FilterError>,
) -> Result<Filter, FilterError> {
    if entries.len() > NODES_MAX {
        return Err(FilterProblem::Nodes.into());
    }
    let filters = entries.iter().map(|(name, value)| {
        let made = entry(name, value).and_then(Filter::checked);
        made.map_err(|error| error.inside(&format!(".{name}")))
    });
    how(filters.collect::<Result<_, _>>()?).checked()
}

fn several(
    value: &Value,
    how: fn(Vec<Filter>) -> Filter,
    depth: usize,
) -> Result<Filter, FilterError> {
    let Value::List(list) = value else {
        return Err(needed("a list of filters", value));
    };
    if list.len() > NODES_MAX {
        return Err(FilterProblem::Nodes.into());
    }
    let filters = list
        .iter()
        .enumerate()
        .map(|(i, value)| filter(value, depth).map_err(|error| error.inside(&format!("[{i}]"))));
    how(filters.collect::<Result<_, _>>()?).checked()
}

fn on_field(at: &Condition, value: &Value, depth: usize) -> Result<Filter, FilterError> {
    let Value::Object(operators) = value else {
        return at.clone().eq(value.clone()).checked();
    };
    if depth > DEPTH_MAX {
        return Err(FilterProblem::Depth.into());
    }
    connect(operators, Filter::all, |name, value| {
        let (at, operand) = (at.clone(), || value.clone());
        Ok(match name {
            "$eq" => at.eq(operand()),
            "$ne" => at.ne(operand()),
            "$gt" => at.gt(operand()),
            "$gte" => at.ge(operand()),
            "$lt" => at.lt(operand()),
            "$lte" => at.le(operand()),
            "$contains" => at.contains(operand()),
            "$in" => at.is_in(list(value)?),
            "$nin" => !at.is_in(list(value)?),
            "$not" if matches!(value, Value::Object(_)) => !on_field(&at, value, depth + 1)?,
            "$not" => return Err(needed("an object of operators", value)),
            "$exists" => match value {
                Value::Bool(true) => at.exists(),
                Value::Bool(false) => !at.exists(),
                _ => return Err(needed("true or false", value)),
            },
            _ => return Err(FilterProblem::Operator(name.to_owned()).into()),
        })
    })
}

fn list(value: &Value) -> Result<Vec<Value>, FilterError> {
    match value {
        Value::List(list) => Ok(list.clone()),
        _ => Err(needed("a list", value)),
    }
}
