//! What can go wrong between vectors and codes.

/// A vector that cannot be encoded, or bytes that are not a codebook.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The vectors have another number of components than the codec.
    #[error("vectors have {got} components, the codec was trained on {expected}")]
    Dimension {
        /// What the codec was trained on.
        expected: usize,
        /// What came.
        got: usize,
    },
    /// A component is NaN or infinite.
    #[error("row {row}, component {column} is {value}; every component must be finite")]
    NotFinite {
        /// Row within the call.
        row: usize,
        /// Component within the row.
        column: usize,
        /// The offending value.
        value: f32,
    },
    /// The cosine of a zero vector is not defined.
    #[error(
        "row {row} is all zeros, which has no direction: cosine distance needs a non-zero vector"
    )]
    ZeroVector {
        /// Row within the call.
        row: usize,
    },
    /// Stored codes or a stored codebook do not have the size or values they must have.
    #[error("stored {what} is damaged: expected {expected}, got {got}")]
    Damaged {
        /// Which part.
        what: &'static str,
        /// What it should have been.
        expected: String,
        /// What it was.
        got: String,
    },
}
