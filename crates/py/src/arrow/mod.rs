//! The Arrow C interface, both ways: vectors in from pyarrow, Polars and whoever else speaks it, answers out to them. None of
//! these packages is needed here, or imported.

mod capsule;
mod table;
mod vectors;

pub(crate) use table::stream;
pub(crate) use vectors::{Columns, from_py};
