//! Proxime: an embedded vector database.

mod batch;
mod collection;
mod database;
mod error;
mod key;
mod options;
mod report;
mod results;
mod standin;
mod value;

pub use batch::{Batch, Progress, Stage, VectorSource};
pub use collection::{Collection, Record};
pub use database::Database;
pub use error::{Error, ErrorKind, Input, Result};
pub use key::Key;
pub use options::{CollectionConfig, OpenOptions, SearchOptions};
pub use report::{CollectionReport, GraphStats, Stats, VerifyReport};
pub use results::{Hit, Results};
pub use standin::{Metric, Params, ParseMetricError, Rows, ShapeError};
pub use value::{DEPTH_MAX, Metadata, Problem, Value, ValueError, metadata_from_json};

/// The storage layer's errors, inside [`Error::Storage`].
pub use proxime_storage::Error as StorageError;
