//! What can be wrong with a filter, as data.

use std::fmt;

use super::{BYTES_MAX, DEPTH_MAX, LIST_MAX, NODES_MAX};

/// A filter that cannot be applied: where it is wrong, and why. A wrong filter is never taken for none.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("filter{at}: {problem}")]
pub struct FilterError {
    /// In a dictionary as `.$and[2].year.$gt`, in a text as ` at byte 17`; empty for the filter as a whole.
    pub at: String,
    /// What is wrong there.
    pub problem: FilterProblem,
}

impl FilterError {
    pub(crate) fn new(problem: FilterProblem) -> FilterError {
        FilterError {
            at: String::new(),
            problem,
        }
    }

    pub(crate) fn at_byte(byte: usize, problem: FilterProblem) -> FilterError {
        FilterError {
            at: format!(" at byte {byte}"),
            problem,
        }
    }

    /// The same, seen from outside of `step`.
    pub(crate) fn inside(self, step: &str) -> FilterError {
        FilterError {
            at: format!("{step}{}", self.at),
            ..self
        }
    }
}

impl From<FilterProblem> for FilterError {
    fn from(problem: FilterProblem) -> Self {
        FilterError::new(problem)
    }
}

/// Why a filter is refused.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FilterProblem {
    /// Nested deeper than 32.
    Depth,
    /// More than 10,000 conditions and connectives.
    Nodes,
    /// A list of more than a million values; this many.
    List(usize),
    /// More than 4 MiB of text.
    Bytes(usize),
    /// Nothing that could be true or false: an empty object, an empty `$and`, an empty text.
    Empty,
    /// An operator that there is not.
    Operator(String),
    /// Something else is needed here.
    Needed {
        /// What is.
        needed: &'static str,
        /// What came.
        got: String,
    },
    /// Less and greater make no sense for values of this type.
    NoOrder(&'static str),
    /// NaN or infinity, which no stored value is.
    NotFinite(f64),
    /// An integer beyond 64 signed bits; no stored value is.
    IntegerRange(String),
    /// A field name that ends in the middle of an escape.
    Field(String),
    /// A parameter of the text that was not given.
    Parameter(String),
    /// A parameter that the text does not use.
    Unused(String),
}

impl fmt::Display for FilterProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FilterProblem::Depth => write!(f, "nested deeper than {DEPTH_MAX}"),
            FilterProblem::Nodes => write!(f, "more than {NODES_MAX} conditions"),
            FilterProblem::List(len) => {
                write!(f, "a list of {len} values; at most {LIST_MAX} are possible")
            }
            FilterProblem::Bytes(len) => {
                write!(f, "{len} bytes of text; at most {BYTES_MAX} are possible")
            }
            FilterProblem::Empty => f.write_str("empty; leave the filter out to match everything"),
            FilterProblem::Operator(name) => write!(
                f,
                "there is no operator {name:?}; there are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $contains, $exists, $and, $or, $not"
            ),
            FilterProblem::Needed { needed, got } => write!(f, "{needed} is needed, not {got}"),
            FilterProblem::NoOrder(kind) => write!(f, "{kind} is neither less nor greater"),
            FilterProblem::NotFinite(value) => write!(f, "{value} is not a finite number"),
            FilterProblem::IntegerRange(value) => {
                write!(f, "{value} does not fit a 64-bit signed integer")
            }
            FilterProblem::Field(name) => write!(f, "the field {name:?} ends with a single \\"),
            FilterProblem::Parameter(name) => write!(f, "there is no parameter {name:?}"),
            FilterProblem::Unused(name) => write!(f, "parameter {name:?} is not used"),
        }
    }
}
