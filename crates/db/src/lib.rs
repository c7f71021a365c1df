//! Proxime: an embedded vector database.
//!
//! A [`Database`] is a directory, or memory, with [`Collection`]s in it. A collection stores records, an id, a vector and
//! metadata, and finds the records nearest to a query. A batch is stored completely and durably when [`Collection::upsert`]
//! returns, or not at all; searches see the last commit, never wait for a write, and keep what they found.
//!
//! ```
//! use proxime::{Batch, CollectionConfig, Database, Key, Metric, Rows, SearchOptions};
//!
//! let db = Database::in_memory()?; // or Database::open("vectors.db")?
//! let places = db.create_collection("places", CollectionConfig::new(2).metric(Metric::L2))?;
//! let vectors = [52.5, 13.4, 48.9, 2.4, 41.9, 12.5];
//! let ids = ["Berlin", "Paris", "Roma"].map(Key::from).to_vec();
//! places.upsert(Batch::new(ids, &Rows::new(&vectors, 2)?))?;
//!
//! let results = places.search(Rows::new(&[48.2, 16.4], 2)?, &SearchOptions::k(2))?;
//! let nearest: Vec<Key> = results.hits(0).map(|hit| hit.id()).collect();
//! assert_eq!(nearest, [Key::from("Berlin"), Key::from("Roma")]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is here is the joining of floors: distances (`proxime-simd`), codes (`proxime-quant`), graphs (`proxime-core`) and
//! files (`proxime-storage`) are below and know nothing of each other's business. A large upsert is a segment: a file of
//! vectors, ids, metadata and a graph, written once; small ones are logged and gathered in memory until they are enough for
//! one; a snapshot says which segments and which of their rows count.

mod alias;
mod asked;
mod background;
mod backup;
mod batch;
mod calibration;
mod collection;
mod commit;
mod compact;
mod condition;
mod config;
mod database;
mod derived;
mod digest;
mod diverse;
mod dtype;
mod entry;
mod error;
mod explain;
mod filter;
mod frame;
mod groups;
mod key;
mod like;
mod merge;
mod nearest;
mod options;
mod order;
mod pool;
mod read;
mod recall;
mod record;
mod repair;
mod report;
mod results;
mod salvage;
mod schema;
mod seal;
mod search;
mod segment;
mod snapshot;
mod sync;
mod transaction;
mod unknown;
mod update;
mod value;
mod vectors;
mod verify;
mod why_not;
mod words;
mod writer;

pub use batch::{Batch, Progress, Stage, VectorSource};
pub use collection::{Collection, Record};
pub use database::Database;
pub use diverse::Diversity;
pub use dtype::Dtype;
pub use error::{Error, ErrorKind, Input, Result};
pub use explain::{Effort, Explanation, SegmentExplanation};
pub use filter::{Condition, FILTER_NESTING_MAX, Filter, FilterError, FilterProblem, field};
pub use groups::{GroupBy, Groups};
pub use key::Key;
pub use options::{CollectionConfig, OpenOptions, SearchOptions, Verify};
pub use order::OrderBy;
pub use recall::Recall;
pub use repair::{Rebuilt, RepairReport};
pub use report::{CollectionReport, DeepReport, GraphStats, Stats, VerifyReport};
pub use results::{Hit, Results};
pub use salvage::{LostRows, SalvageReport, SalvagedCollection};
pub use schema::{FieldType, Requirement, Schema};
pub use transaction::Transaction;
pub use unknown::UnknownField;
pub use update::Update;
pub use value::{
    DEPTH_MAX, Metadata, Problem, Value, ValueError, metadata_from_json, metadata_to_json,
};
pub use why_not::{Presence, WhyNot};
pub use words::{Fusion, Score, Scored, TextQuery, WordCounts};

/// Graph parameters, how a callback stops a call, and what "near" and "rows" mean: from the floors below.
pub use proxime_core::{Params, Preset, break_if};
pub use proxime_simd::{IsaError, Level, Metric, MetricError, Rows, ShapeError, self_test};
/// The storage layer's errors, inside [`Error::Storage`].
pub use proxime_storage::Error as StorageError;
/// What a store stands on: the system's files, memory, or a disk for tests, as bad as it may be.
pub use proxime_storage::{Disk, Fault, Fill, MemVfs, OsVfs, SimVfs, Vfs};
/// When a write is acknowledged, and what opening found.
pub use proxime_storage::{Durability, RecoveryReport, Torn};
