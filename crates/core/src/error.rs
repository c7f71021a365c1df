//! What can go wrong with a graph.

/// A parameter, a vector or stored bytes that a graph cannot be made of.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter outside its limits.
    #[error("{name} is {value}; it must be {min} to {max}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// What was asked for.
        value: usize,
        /// The least it can be.
        min: usize,
        /// The most it can be.
        max: usize,
    },
    /// A name that no preset has.
    #[error("there is no preset {name:?}: the presets are fast, default and high")]
    UnknownPreset {
        /// The name as given.
        name: String,
    },
    /// More rows than one graph can number.
    #[error("{n} rows in one graph; at most {max} fit")]
    TooManyRows {
        /// Rows given.
        n: usize,
        /// The limit.
        max: usize,
    },
    /// A node that the graph does not have.
    #[error("there is no node {node}: the graph has {n} rows")]
    NoSuchNode {
        /// The number given.
        node: u32,
        /// Rows of the graph, deleted ones included.
        n: usize,
    },
    /// The caller's progress hook asked to stop.
    #[error("the build was interrupted")]
    Interrupted,
    /// Stored bytes that are not a graph of this many rows.
    #[error("the stored graph is damaged: {problem}")]
    Damaged {
        /// What does not hold, with the node or offset.
        problem: String,
    },
    /// The operating system gave no threads.
    #[error("no worker threads could be started: {reason}")]
    Threads {
        /// What it said.
        reason: String,
    },
    /// A vector that cannot be encoded.
    #[error(transparent)]
    Vector(#[from] proxime_quant::Error),
    /// Rows of no dimension, or data that is not whole rows.
    #[error(transparent)]
    Shape(#[from] proxime_simd::ShapeError),
}
