//! Handles that are pickled. What travels is where the database lies; what arrives has opened it again, for reading only, for
//! there is one writer at a time and it is the handle that was pickled.

use std::path::{self, PathBuf};

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::error;

/// Where a handle's database lies, and with how many threads it was opened.
#[derive(Clone)]
pub(crate) struct Origin {
    /// Absolute, for the process may change its directory, and another has its own. `None` in memory.
    path: Option<PathBuf>,
    threads: Option<usize>,
}

impl Origin {
    /// In the directory `place`, or in memory.
    pub(crate) fn new(place: Option<PathBuf>, threads: Option<usize>) -> Self {
        let path = place.map(|place| path::absolute(&place).unwrap_or(place));
        Origin { path, threads }
    }

    /// What pickle keeps of the database, or of one of its collections: a function and its arguments.
    pub(crate) fn reduce<'py>(
        &self,
        py: Python<'py>,
        collection: Option<&str>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let Some(path) = &self.path else {
            let message = "a database in memory cannot be pickled: it exists in this process only; `backup` writes it to a directory";
            return Err(error::plain(py, "ArgumentTypeError", message));
        };
        let reopen = py.import("proxime._reopen")?.getattr("reopen")?;
        Ok((reopen, (path, self.threads, collection).into_pyobject(py)?))
    }
}
