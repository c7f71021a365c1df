//! Stand-ins for types of the lower floors, with their agreed shape, until those floors are there.

use std::fmt;
use std::str::FromStr;

/// What "near" means; distances are smaller for nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Squared Euclidean.
    L2,
    /// 1 - cosine.
    Cosine,
    /// Negated dot product.
    Dot,
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Metric::L2 => "l2",
            Metric::Cosine => "cosine",
            Metric::Dot => "dot",
        })
    }
}

/// Stand-in.
#[derive(Debug, thiserror::Error)]
#[error("unknown metric")]
pub struct ParseMetricError;

impl FromStr for Metric {
    type Err = ParseMetricError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "l2" => Ok(Metric::L2),
            "cosine" => Ok(Metric::Cosine),
            "dot" => Ok(Metric::Dot),
            _ => Err(ParseMetricError),
        }
    }
}

/// Rows of vectors, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    data: &'a [T],
    dim: usize,
}

/// Stand-in.
#[derive(Debug, thiserror::Error)]
#[error("not a whole number of rows")]
pub struct ShapeError;

impl<'a, T> Rows<'a, T> {
    /// `data` as rows of `dim`.
    pub fn new(data: &'a [T], dim: usize) -> Result<Self, ShapeError> {
        if dim > 0 && data.len().is_multiple_of(dim) {
            Ok(Rows { data, dim })
        } else {
            Err(ShapeError)
        }
    }
    /// Rows.
    pub fn n(&self) -> usize {
        self.data.len() / self.dim
    }
    /// Components.
    pub fn dim(&self) -> usize {
        self.dim
    }
}

/// Graph parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    /// Links per node above level 0.
    pub m: usize,
    /// Beam width building.
    pub ef_construction: usize,
    /// Beam width searching.
    pub ef_search: usize,
    /// Of the levels.
    pub seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Params {
            m: 16,
            ef_construction: 200,
            ef_search: 64,
            seed: 0,
        }
    }
}
