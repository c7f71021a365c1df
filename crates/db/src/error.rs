//! Everything that can go wrong, as data.
//!
//! Variants hold the row, the value and the limit; the message is made from them. [`Error::kind`] sorts them into the few
//! classes a front door needs (an exception type, an exit code). Nothing here is a panic in disguise: bytes from disk and
//! arguments from outside always end as one of these.

use std::fmt;

use crate::dtype::Dtype;
use crate::key::Key;
use crate::schema::FieldType;
use crate::value::Problem;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Which argument a vector came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A row of a batch to store.
    Row,
    /// A query of a search.
    Query,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Input::Row => "row",
            Input::Query => "query",
        })
    }
}

/// The classes of errors that a caller treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is wrong; nothing was changed.
    Argument,
    /// What should be new is there already.
    Exists,
    /// What is to be changed is not what the caller has read; reading and trying again may help.
    Conflict,
    /// The store, the collection or the file is not there.
    NotFound,
    /// Bytes on disk are not what was written.
    Damaged,
    /// Another handle has the store open for writing.
    Locked,
    /// Not possible with this handle or this version: read-only, closed, forked, not a store of ours, too new.
    Refused,
    /// The caller's progress callback asked to stop.
    Interrupted,
    /// The operating system or the caller's vector source reported a failure.
    Io,
}

/// What went wrong. Unless a variant says otherwise, the store is as it was before the call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Vectors of another length than the collection's.
    #[error("{input} vectors have {got} components; this collection stores vectors of {expected}")]
    Dimension {
        /// A batch or the queries.
        input: Input,
        /// The collection's dimension.
        expected: usize,
        /// The dimension that came in.
        got: usize,
    },
    /// NaN or infinity in a vector.
    #[error("{input} {row}, component {column} is {value}; every component must be finite")]
    NotFinite {
        /// A batch or the queries.
        input: Input,
        /// Counted from 0.
        row: usize,
        /// Counted from 0.
        column: usize,
        /// NaN, inf or -inf.
        value: f32,
    },
    /// A component that the collection's type has no value for.
    #[error("row {row}, component {column} is {value}; this collection stores {dtype}, {limit}")]
    Unstorable {
        /// Counted from 0.
        row: usize,
        /// Counted from 0.
        column: usize,
        /// What came in.
        value: f32,
        /// What is stored.
        dtype: Dtype,
        /// What that can be.
        limit: &'static str,
    },
    /// All zeros, which has no direction: cosine distance is undefined.
    #[error("{input} {row} is the zero vector; cosine distance needs a direction")]
    ZeroVector {
        /// A batch or the queries.
        input: Input,
        /// Counted from 0.
        row: usize,
    },
    /// As many ids as vectors are needed.
    #[error("{rows} vectors came with {ids} ids; each vector needs one")]
    IdCount {
        /// Vectors in the batch.
        rows: usize,
        /// Ids in the batch.
        ids: usize,
    },
    /// As many metadata objects as vectors are needed, or none at all.
    #[error(
        "{rows} vectors came with {metadata} metadata objects; give one for each, or none at all"
    )]
    MetadataCount {
        /// Vectors in the batch.
        rows: usize,
        /// Metadata objects in the batch.
        metadata: usize,
    },
    /// One id twice in one `add`.
    #[error("id {id} is given twice, in rows {first_row} and {row}; ids of one add must differ")]
    DuplicateId {
        /// The id.
        id: Key,
        /// Its first row.
        first_row: usize,
        /// Its second row.
        row: usize,
    },
    /// `add` of an id that is stored already.
    #[error("row {row}: id {id} exists already; upsert replaces it")]
    IdExists {
        /// The id.
        id: Key,
        /// Counted from 0.
        row: usize,
    },
    /// An id that is not stored, where one is needed: for an `update`, or a search from a record.
    #[error("row {row}: there is no record with id {id}")]
    IdNotFound {
        /// The id.
        id: Key,
        /// Counted from 0.
        row: usize,
    },
    /// A write with a condition, of a record that has been written in between.
    #[error("row {row}: record {id} has version {found}, not {expected} (0: it is not there)")]
    Version {
        /// The id.
        id: Key,
        /// Counted from 0.
        row: usize,
        /// The version it should have; 0 for a record that should not be there.
        expected: u64,
        /// The version it has; 0 if it is not there.
        found: u64,
    },
    /// An id beyond [`Key::BYTES_MAX`].
    #[error("row {row}: the id has {bytes} bytes; at most {limit} are possible")]
    IdTooLong {
        /// Counted from 0.
        row: usize,
        /// Its length; of a text, in UTF-8.
        bytes: usize,
        /// The most that is possible.
        limit: usize,
    },
    /// Metadata that cannot be stored exactly.
    #[error("row {row}, metadata{path}: {problem}")]
    Metadata {
        /// Counted from 0.
        row: usize,
        /// Where in the object, as `.field[3].inner`.
        path: String,
        /// What is wrong there.
        problem: Problem,
    },
    /// Metadata that is not what the collection's schema says.
    #[error("row {row}, metadata.{field}: {}", told(*expected, *found))]
    Schema {
        /// Counted from 0.
        row: usize,
        /// The field, as the schema names it.
        field: String,
        /// What the schema says.
        expected: FieldType,
        /// What it is; none if it is missing or null.
        found: Option<FieldType>,
    },
    /// A filter that cannot be applied.
    #[error(transparent)]
    Filter(#[from] crate::FilterError),
    /// A collection of that name is there already.
    #[error("collection {name:?} exists already")]
    CollectionExists {
        /// Its name.
        name: String,
    },
    /// No collection of that name.
    #[error("there is no collection {name:?}; {}", those_there(there, *more))]
    CollectionNotFound {
        /// The name asked for.
        name: String,
        /// A few of the names and aliases that there are, those most like it first.
        there: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// An alias, where a collection has to be named itself.
    #[error(
        "{alias:?} is an alias of the collection {collection:?}, which has to be named itself here"
    )]
    Alias {
        /// The name given.
        alias: String,
        /// What it stands for.
        collection: String,
    },
    /// No alias of that name.
    #[error("there is no alias {name:?}")]
    AliasNotFound {
        /// The name asked for.
        name: String,
    },
    /// A name that cannot be given to a collection.
    #[error("{name:?} cannot name a collection: {reason}")]
    Name {
        /// The name asked for.
        name: String,
        /// What a name must be.
        reason: &'static str,
    },
    /// A number outside its range.
    #[error("{name} = {value}; it must be {limit}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// What came in.
        value: String,
        /// What is possible, as in "between 1 and 65536".
        limit: String,
    },
    /// More rows than one batch can hold.
    #[error("{rows} rows in one batch; at most {limit} are possible")]
    TooManyRows {
        /// Rows in the batch.
        rows: usize,
        /// The most that is possible.
        limit: usize,
    },
    /// The caller's [`VectorSource`](crate::VectorSource) could not deliver.
    #[error("reading vectors from row {row} on: {source}")]
    Source {
        /// First row of the chunk asked for.
        row: usize,
        /// What the source says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The progress callback asked to stop. Nothing was stored.
    #[error("interrupted; nothing was stored")]
    Interrupted,
    /// A write through a handle that was opened before the process forked.
    #[error(
        "this handle was opened by process {owner}; a forked child (process {child}) can read through it but must open the store itself to write"
    )]
    Forked {
        /// The process that opened the handle.
        owner: u32,
        /// The process that calls.
        child: u32,
    },
    /// A write through a handle opened for reading.
    #[error("the store is open for reading only")]
    ReadOnly,
    /// A call on a closed handle.
    #[error("the database is closed")]
    Closed,
    /// A file is what storage wrote, but not what a database writes into it.
    #[error("{file}: {what}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong, in words.
        what: String,
    },
    /// Not a whole number of rows, or rows of no components.
    #[error(transparent)]
    Shape(#[from] proxime_simd::ShapeError),
    /// The operating system gave no threads.
    #[error("no worker threads could be started: {reason}")]
    Threads {
        /// What it said.
        reason: String,
    },
    /// The storage layer's.
    #[error(transparent)]
    Storage(#[from] proxime_storage::Error),
}

impl Error {
    /// The class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Dimension { .. }
            | Error::NotFinite { .. }
            | Error::Unstorable { .. }
            | Error::ZeroVector { .. }
            | Error::IdCount { .. }
            | Error::MetadataCount { .. }
            | Error::DuplicateId { .. }
            | Error::IdTooLong { .. }
            | Error::Metadata { .. }
            | Error::Schema { .. }
            | Error::Filter(_)
            | Error::Name { .. }
            | Error::Alias { .. }
            | Error::Parameter { .. }
            | Error::TooManyRows { .. }
            | Error::Shape(_) => ErrorKind::Argument,
            Error::IdExists { .. } | Error::CollectionExists { .. } => ErrorKind::Exists,
            Error::IdNotFound { .. }
            | Error::CollectionNotFound { .. }
            | Error::AliasNotFound { .. } => ErrorKind::NotFound,
            Error::Version { .. } => ErrorKind::Conflict,
            Error::Interrupted => ErrorKind::Interrupted,
            Error::Forked { .. } | Error::ReadOnly | Error::Closed => ErrorKind::Refused,
            Error::Source { .. } | Error::Threads { .. } => ErrorKind::Io,
            Error::Damaged { .. } => ErrorKind::Damaged,
            Error::Storage(e) => storage_kind(e),
        }
    }
}

impl From<crate::FilterProblem> for Error {
    fn from(problem: crate::FilterProblem) -> Self {
        Error::Filter(problem.into())
    }
}

impl From<proxime_core::Error> for Error {
    fn from(error: proxime_core::Error) -> Self {
        use proxime_core::Error as E;
        match error {
            E::Parameter {
                name,
                value,
                min,
                max,
            } => Error::Parameter {
                name,
                value: value.to_string(),
                limit: format!("between {min} and {max}"),
            },
            E::TooManyRows { n, max } => Error::TooManyRows {
                rows: n,
                limit: max,
            },
            E::Interrupted => Error::Interrupted,
            E::Threads { reason } => Error::Threads { reason },
            E::Shape(error) => Error::Shape(error),
            other => Error::Damaged {
                file: "graph".into(),
                what: other.to_string(),
            },
        }
    }
}

fn told(expected: FieldType, found: Option<FieldType>) -> String {
    match found {
        Some(found) => format!("is of type {found}; this collection's schema says {expected}"),
        None => format!("is missing; this collection's schema requires it, of type {expected}"),
    }
}

fn those_there(names: &[String], more: usize) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    match (names.len() + more, more) {
        (0, _) => "there are none".to_owned(),
        (1, _) => format!("there is {}", names.join(", ")),
        (_, 0) => format!("there are {}", names.join(", ")),
        (_, more) => format!("there are {} and {more} more", names.join(", ")),
    }
}

fn storage_kind(error: &proxime_storage::Error) -> ErrorKind {
    use proxime_storage::Error as E;
    match error {
        E::NotFound { .. } => ErrorKind::NotFound,
        E::Locked { .. } => ErrorKind::Locked,
        E::Corrupt { .. } => ErrorKind::Damaged,
        E::NotEmpty { .. } => ErrorKind::Exists,
        E::NotAStore { .. } | E::Unsupported { .. } | E::ReadOnly | E::Poisoned => {
            ErrorKind::Refused
        }
        E::Io { .. } => ErrorKind::Io,
        _ => ErrorKind::Io,
    }
}
