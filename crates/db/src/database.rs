//! A database: one directory (or memory), collections by name.

use std::path::Path;

use crate::{Collection, CollectionConfig, OpenOptions, Result, VerifyReport};

/// An open database. Clones are the same handle.
///
/// One handle at a time can write to a store; any number, in any process, can read. Handles and collections can be used
/// from several threads at once. A forked child can go on reading through a handle, not writing.
#[derive(Clone, Debug)]
pub struct Database {}

impl Database {
    /// Opens the store in directory `path` for reading and writing; creates it if nothing is there.
    ///
    /// Errors: another writer has it; the directory is not a store; damage.
    pub fn open(path: impl AsRef<Path>) -> Result<Database> {
        Database::open_with(path, &OpenOptions::default())
    }

    /// Opens with options.
    pub fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Database> {
        let _ = (path.as_ref(), options);
        unimplemented!()
    }

    /// A database in memory, gone with its last handle; otherwise the same.
    pub fn in_memory() -> Result<Database> {
        Database::in_memory_with(&OpenOptions::default())
    }

    /// In memory, with options; only `threads` matters.
    pub fn in_memory_with(options: &OpenOptions) -> Result<Database> {
        let _ = options;
        unimplemented!()
    }

    /// Creates a collection. Its name: any UTF-8 of 1 to 255 bytes; it never becomes part of a path.
    ///
    /// Errors: the name is taken or impossible; a parameter out of range.
    pub fn create_collection(&self, name: &str, config: CollectionConfig) -> Result<Collection> {
        let _ = (name, config);
        unimplemented!()
    }

    /// The collection of that name.
    pub fn collection(&self, name: &str) -> Result<Collection> {
        let _ = name;
        unimplemented!()
    }

    /// The names of all collections, in order of creation.
    pub fn collections(&self) -> Result<Vec<String>> {
        unimplemented!()
    }

    /// The directory; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        unimplemented!()
    }

    /// Whether the handle was opened for reading only.
    pub fn read_only(&self) -> bool {
        unimplemented!()
    }

    /// Reads everything again and checks it against its checksums, its structure and itself. Changes nothing.
    ///
    /// Errors: only what keeps it from looking; what it finds is in the report.
    pub fn verify(&self) -> Result<VerifyReport> {
        unimplemented!()
    }

    /// Releases the lock. Later calls through any clone or collection give [`Error::Closed`](crate::Error::Closed); results
    /// already found stay valid. Closing twice is fine. Dropping the last clone closes too.
    pub fn close(&self) {
        unimplemented!()
    }
}
