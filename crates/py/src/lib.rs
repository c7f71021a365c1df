//! The Python package: convert, release the interpreter, call once, convert back.
//!
//! No logic of a database lives here; the classes forward to the crate `proxime`. What does live here is the border:
//! `arrays`, `convert` and `lists` (vectors in), `arrow` (both ways), `keys` and `values` (ids and metadata, both ways), `hits` (answers out),
//! `filters` (conditions on metadata), `args` and `options` (numbers, names, keywords), `progress` (how far a call is), `origin` (pickling), `call` (the interpreter's lock, Ctrl-C, panics) and `error` (exceptions).
//!
//! `python/proxime` holds what reads better in Python: the exception classes, the process-wide default collection, and
//! the type stub of this module.

mod args;
mod arrays;
mod arrow;
mod call;
mod collection;
mod convert;
mod database;
mod error;
mod filters;
mod hits;
mod keys;
mod lists;
mod options;
mod origin;
mod progress;
mod text;
mod transaction;
mod values;
mod words;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The compiled core of the package `proxime`.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::collection::Collection;
    #[pymodule_export]
    use crate::database::{Database, open, restore, salvage};
    #[pymodule_export]
    use crate::hits::Hits;
    #[pymodule_export]
    use crate::transaction::Transaction;
    #[pymodule_export]
    use crate::words::fused;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
