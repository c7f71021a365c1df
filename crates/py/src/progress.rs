//! How far a long call is, told to Python: to a bar of our own, to a function, or to anything with `update(n)`, such as tqdm's.
//!
//! Threads of the database leave word in `Latest`; the calling thread passes it on from time to time (`call.rs`), so no other
//! thread ever runs Python.

use std::sync::{Mutex, PoisonError};

use proxime::Stage;
use pyo3::prelude::*;
use pyo3::types::PyBool;

use crate::error;

/// A stage, and what is done of it, of how much.
pub(crate) type Word = (Stage, usize, usize);

/// What the database said last.
#[derive(Default)]
pub(crate) struct Latest(Mutex<Option<Word>>);

impl Latest {
    pub(crate) fn leave(&self, word: Word) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(word);
    }

    pub(crate) fn take(&self) -> Option<Word> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Who is told.
pub(crate) struct Listener {
    how: How,
    /// Rows, or bytes of a copy, that each stage has come to.
    written: usize,
    built: usize,
    total: usize,
    /// What was passed to `update` until now.
    told: usize,
}

enum How {
    /// A bar of our own, to be closed at the end.
    Bar(Py<PyAny>),
    Call(Py<PyAny>),
    Update(Py<PyAny>),
}

impl Listener {
    /// From the argument `progress`: nobody, unless there is one.
    pub(crate) fn from_py(progress: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Listener>> {
        let Some(progress) = progress else {
            return Ok(None);
        };
        let py = progress.py();
        let how = if let Ok(wanted) = progress.cast::<PyBool>() {
            if !wanted.is_true() {
                return Ok(None);
            }
            How::Bar(
                py.import("proxime._progress")?
                    .call_method0("Bar")?
                    .unbind(),
            )
        } else if progress.hasattr("update")? {
            How::Update(progress.getattr("update")?.unbind())
        } else if progress.is_callable() {
            How::Call(progress.clone().unbind())
        } else {
            let needed = "True, a function of (done, total, stage), or an object with update(n)";
            return Err(error::wrong_type("progress", needed, progress));
        };
        Ok(Some(Listener {
            how,
            written: 0,
            built: 0,
            total: 0,
            told: 0,
        }))
    }

    /// Passes a word on.
    pub(crate) fn tell(&mut self, py: Python<'_>, (stage, done, total): Word) -> PyResult<()> {
        // Every row is written and then linked. Words of several threads may come out of order.
        self.total = total;
        match stage {
            Stage::Build => self.built = self.built.max(done),
            _ => self.written = self.written.max(done),
        }
        match &self.how {
            How::Bar(call) | How::Call(call) => {
                call.call1(py, (done, total, stage.to_string()))?;
                Ok(())
            }
            How::Update(_) if stage == Stage::Copy => self.update(py, self.written),
            How::Update(_) => self.update(py, (self.written + self.built) / 2),
        }
    }

    /// Says that all of it is done.
    pub(crate) fn finish(&mut self, py: Python<'_>) -> PyResult<()> {
        self.update(py, self.total)
    }

    fn update(&mut self, py: Python<'_>, reached: usize) -> PyResult<()> {
        if let How::Update(update) = &self.how
            && let Some(more @ 1..) = reached.checked_sub(self.told)
        {
            self.told = reached;
            update.call1(py, (more,))?;
        }
        Ok(())
    }

    /// Ends the line of our own bar, whatever has become of the call.
    pub(crate) fn close(self, py: Python<'_>) {
        if let How::Bar(bar) = self.how {
            // The stream that it writes to may be gone; nothing can be said there about it.
            let _ = bar.call_method0(py, "close");
        }
    }
}
