//! Bytes made durable: write-once segments, numbered manifests, one lock.
#![warn(clippy::indexing_slicing, clippy::cast_possible_truncation)]

mod error;

pub use error::{Error, Result};
