//! Conditions on metadata: one tree, and the ways into it.
//!
//! A [`Filter`] is built from Rust ([`field`]), from a dictionary of operators (`dictionary.rs`) or from a text (`text.rs`).
//! All three end here, so what a condition means, and how large it may be, is said once:
//!
//! | condition | is true of a record if |
//! |---|---|
//! | `$eq v`, `$in [v, ...]` | the field's value equals `v`, or one of them; a missing field counts as null |
//! | `$gt $gte $lt $lte v` | the field's value is of `v`'s type and greater, less ... |
//! | `$contains v` | the field is a list with an element that equals `v`, or a text with the text `v` in it |
//! | `$exists true` | the field is there, null included |
//! | `$ne`, `$nin`, `$not`, `$exists false` | the same without the negation is false |
//!
//! Types are exact: `true` is not 1, "1" is not 1. Integers and floats are both numbers: 1 equals 1.0. Texts are ordered by
//! their code points. Every condition is true or false of every record, so `$ne` is true of records without the field.
//! Paths lead through objects, not through lists.
//!
//! A filter that cannot be right (too deep, a misspelt operator, a comparison without meaning) remembers the first thing that
//! is wrong with it, and whatever is asked with it fails with that. It never turns into "no filter".

mod dictionary;
mod error;
mod field;
mod index;
pub(crate) mod lex;
pub(crate) mod scalar;
mod select;
mod show;
mod text;

use std::collections::BTreeSet;
use std::ops::{BitAnd, BitOr, Not};

pub use dictionary::FILTER_NESTING_MAX;
pub use error::{FilterError, FilterProblem};
pub(crate) use field::Field;
pub(crate) use index::{FieldIndex, Payloads, value_at};
pub(crate) use scalar::Scalar;
pub(crate) use select::select;

use crate::Value;

/// How deep conditions may nest; a single one is 1 deep.
const DEPTH_MAX: usize = 32;
/// Conditions and connectives in one filter.
const NODES_MAX: usize = 10_000;
/// Values in one list.
const LIST_MAX: usize = 1_000_000;
/// Bytes of text: values, field names, or the filter itself if it is a text.
const BYTES_MAX: usize = 4 << 20;

/// Which records count: a condition on their metadata, or several connected by `&`, `|` and `!`.
///
/// ```
/// use proxime::{Filter, Metadata, field};
/// let filter = field("lang").eq("en") & field("year").ge(2020);
/// assert_eq!(Filter::parse("lang = 'en' AND year >= 2020", &Metadata::new())?, filter);
/// let json = serde_json::json!({"lang": "en", "year": {"$gte": 2020}});
/// assert_eq!(Filter::from_json(&json)?, filter);
/// # Ok::<(), proxime::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    node: Node,
    size: Size,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// The value is one of these, sorted. A missing field counts as null.
    In(Field, Vec<Scalar<'static>>),
    Order(Field, Order, Scalar<'static>),
    Contains(Field, Scalar<'static>),
    Exists(Field),
    /// Never empty, as `Or`; and none of an `And` is an `And`.
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// What is wrong with the filter.
    Wrong(FilterError),
}

/// How a value compares with that of the condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Size {
    depth: usize,
    nodes: usize,
    bytes: usize,
}

impl Filter {
    /// True where all of these are.
    pub fn all(filters: impl IntoIterator<Item = Filter>) -> Filter {
        let mut flat = Vec::new();
        for filter in filters {
            match filter.node {
                Node::And(inner) => flat.extend(inner),
                _ => flat.push(filter),
            }
        }
        Filter::connect(flat, Node::And)
    }

    /// True where at least one of these is.
    pub fn any(filters: impl IntoIterator<Item = Filter>) -> Filter {
        let mut flat = Vec::new();
        for filter in filters {
            match filter.node {
                Node::Or(inner) => flat.extend(inner),
                _ => flat.push(filter),
            }
        }
        Filter::connect(flat, Node::Or)
    }

    /// Errors: what is wrong with the filter, if anything is.
    pub fn check(&self) -> Result<(), FilterError> {
        match &self.node {
            Node::Wrong(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// The fields that it names, each once.
    pub(crate) fn fields(&self) -> BTreeSet<&Field> {
        match &self.node {
            Node::In(field, _)
            | Node::Order(field, ..)
            | Node::Contains(field, _)
            | Node::Exists(field) => BTreeSet::from([field]),
            Node::And(filters) | Node::Or(filters) => {
                filters.iter().flat_map(Filter::fields).collect()
            }
            Node::Not(filter) => filter.fields(),
            Node::Wrong(_) => BTreeSet::new(),
        }
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) fn wrong(error: impl Into<FilterError>) -> Filter {
        Filter {
            node: Node::Wrong(error.into()),
            size: Size {
                depth: 1,
                nodes: 1,
                bytes: 0,
            },
        }
    }

    /// The filter, unless something is wrong with it.
    fn checked(self) -> Result<Filter, FilterError> {
        self.check().map(|()| self)
    }

    fn connect(mut filters: Vec<Filter>, connective: fn(Vec<Filter>) -> Node) -> Filter {
        if let Some(wrong) = filters.iter().position(|filter| filter.check().is_err()) {
            return filters.swap_remove(wrong);
        }
        match filters.len() {
            0 => Filter::wrong(FilterProblem::Empty),
            1 => filters.swap_remove(0),
            _ => {
                let size = Size {
                    depth: 1 + filters.iter().map(|f| f.size.depth).max().unwrap_or(0),
                    nodes: 1 + filters.iter().map(|f| f.size.nodes).sum::<usize>(),
                    bytes: filters.iter().map(|f| f.size.bytes).sum(),
                };
                Filter::sized(connective(filters), size)
            }
        }
    }

    fn leaf(node: Node) -> Filter {
        let bytes = match &node {
            Node::In(field, values) => {
                field.bytes() + values.iter().map(Scalar::heap_bytes).sum::<usize>()
            }
            Node::Order(field, _, value) | Node::Contains(field, value) => {
                field.bytes() + value.heap_bytes()
            }
            Node::Exists(field) => field.bytes(),
            _ => 0,
        };
        let size = Size {
            depth: 1,
            nodes: 1,
            bytes,
        };
        Filter::sized(node, size)
    }

    /// Checked with every step, so that no filter beyond the limits exists and walking one needs no care.
    fn sized(node: Node, size: Size) -> Filter {
        if size.depth > DEPTH_MAX {
            Filter::wrong(FilterProblem::Depth)
        } else if size.nodes > NODES_MAX {
            Filter::wrong(FilterProblem::Nodes)
        } else if size.bytes > BYTES_MAX {
            Filter::wrong(FilterProblem::Bytes(size.bytes))
        } else {
            Filter { node, size }
        }
    }
}

impl BitAnd for Filter {
    type Output = Filter;

    fn bitand(self, other: Filter) -> Filter {
        Filter::all([self, other])
    }
}

impl BitOr for Filter {
    type Output = Filter;

    fn bitor(self, other: Filter) -> Filter {
        Filter::any([self, other])
    }
}

impl Not for Filter {
    type Output = Filter;

    fn not(self) -> Filter {
        if self.check().is_err() {
            return self;
        }
        let size = Size {
            depth: self.size.depth + 1,
            nodes: self.size.nodes + 1,
            bytes: self.size.bytes,
        };
        Filter::sized(Node::Not(Box::new(self)), size)
    }
}

/// The field of that name; `outer.inner` is a field of an object, `\.` a dot in a name.
pub fn field(path: &str) -> Condition {
    Condition(Field::from_path(path))
}

/// A field, about to be compared. Made by [`field`].
#[derive(Clone, Debug)]
pub struct Condition(Result<Field, FilterProblem>);

impl Condition {
    /// Equal to this value; to null also where the field is missing.
    pub fn eq(self, value: impl Into<Value>) -> Filter {
        self.is_in([value.into()])
    }

    /// Not equal to this value, or missing.
    pub fn ne(self, value: impl Into<Value>) -> Filter {
        !self.eq(value)
    }

    /// Less than this number or text.
    pub fn lt(self, value: impl Into<Value>) -> Filter {
        self.order(Order::Less, &value.into())
    }

    /// At most this number or text.
    pub fn le(self, value: impl Into<Value>) -> Filter {
        self.order(Order::LessOrEqual, &value.into())
    }

    /// Greater than this number or text.
    pub fn gt(self, value: impl Into<Value>) -> Filter {
        self.order(Order::Greater, &value.into())
    }

    /// At least this number or text.
    pub fn ge(self, value: impl Into<Value>) -> Filter {
        self.order(Order::GreaterOrEqual, &value.into())
    }

    /// Equal to one of these; to none if there are none.
    pub fn is_in(self, values: impl IntoIterator<Item = Value>) -> Filter {
        self.build(|field| {
            let values: Vec<Value> = values.into_iter().take(LIST_MAX + 1).collect();
            if values.len() > LIST_MAX {
                return Err(FilterProblem::List(values.len()));
            }
            let scalars = values
                .iter()
                .map(|value| Ok(Scalar::new(value)?.into_owned()));
            let mut scalars = scalars.collect::<Result<Vec<_>, _>>()?;
            scalars.sort_unstable();
            scalars.dedup();
            Ok(Node::In(field, scalars))
        })
    }

    /// A list with this value in it, or a text with this text in it.
    pub fn contains(self, value: impl Into<Value>) -> Filter {
        self.build(|field| {
            Ok(Node::Contains(
                field,
                Scalar::new(&value.into())?.into_owned(),
            ))
        })
    }

    /// There, if only as null.
    pub fn exists(self) -> Filter {
        self.build(|field| Ok(Node::Exists(field)))
    }

    fn order(self, order: Order, value: &Value) -> Filter {
        self.build(|field| {
            let scalar = Scalar::new(value)?;
            match scalar.has_order() {
                true => Ok(Node::Order(field, order, scalar.into_owned())),
                false => Err(FilterProblem::NoOrder(scalar.kind())),
            }
        })
    }

    fn build(self, node: impl FnOnce(Field) -> Result<Node, FilterProblem>) -> Filter {
        match self.0.and_then(node) {
            Ok(node) => Filter::leaf(node),
            Err(problem) => Filter::wrong(problem),
        }
    }
}
