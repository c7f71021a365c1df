//! Proxime: an embedded vector database.

mod batch;
mod collection;
mod database;
mod error;
mod key;
mod options;
mod report;
mod results;
mod value;

pub use batch::{Batch, Progress, Stage, VectorSource};
pub use collection::{Collection, Record};
pub use database::Database;
pub use error::{Error, ErrorKind, Input, Result};
pub use key::Key;
pub use options::{CollectionConfig, OpenOptions, SearchOptions};
pub use report::{CollectionReport, GraphStats, Stats, VerifyReport};
pub use results::{Hit, Results};
pub use value::{DEPTH_MAX, Metadata, Problem, Value, ValueError, metadata_from_json};

/// Graph parameters, and what "near" and "rows" mean: from the floors below.
pub use proxime_core::Params;
pub use proxime_simd::{IsaError, Level, Metric, MetricError, Rows, ShapeError};
/// The storage layer's errors, inside [`Error::Storage`].
pub use proxime_storage::Error as StorageError;
