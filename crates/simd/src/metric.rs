//! What a distance is. No kernel: how it is computed is the business of `batch` and of the codebooks.

use std::fmt;
use std::str::FromStr;

/// How the distance of two vectors is measured. Always: smaller is nearer.
///
/// ```
/// use proxime_simd::{Metric, MetricError};
///
/// assert_eq!("cosine".parse::<Metric>()?, Metric::Cosine);
/// assert_eq!(Metric::L2.to_string(), "l2");
/// # Ok::<(), MetricError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Squared Euclidean distance: `sum((a[j] - b[j])^2)`, from 0.
    L2,
    /// One minus the cosine of the angle, from 0 to 2. A vector without a direction, of zeros, is at 1 from everything.
    Cosine,
    /// The negated product: `-sum(a[j] * b[j])`. Not a distance in the strict sense: it can be negative, and a
    /// vector need not be nearest to itself.
    Dot,
}

impl Metric {
    /// All metrics.
    pub const ALL: [Self; 3] = [Self::L2, Self::Cosine, Self::Dot];

    /// The metric's name: `l2`, `cosine` or `dot`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::L2 => "l2",
            Self::Cosine => "cosine",
            Self::Dot => "dot",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No metric has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown metric {name:?}: the metrics are l2, cosine, dot")]
pub struct MetricError {
    /// The name as given.
    pub name: String,
}

impl FromStr for Metric {
    type Err = MetricError;

    fn from_str(name: &str) -> Result<Self, MetricError> {
        let known = Self::ALL.into_iter().find(|metric| metric.name() == name);
        known.ok_or_else(|| MetricError {
            name: name.to_owned(),
        })
    }
}
