//! Calls into the database: without the interpreter lock, with Ctrl-C, and with panics stopped at the door.
//!
//! Other Python threads run during a call. Long writes run on a thread of their own while the calling thread listens for
//! signals, which Python delivers to the main thread only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use proxime::{Error, Progress, Result, break_if};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use crate::error;
use crate::progress::{Latest, Listener};

/// How often a long call looks for Ctrl-C and tells how far it is: too seldom to cost anything, often enough to feel immediate.
const POLL: Duration = Duration::from_millis(50);

/// For who interrupts what is waited for.
const NOT_BEGUN: &str = "nothing was written";

/// Items of a conversion between two looks for Ctrl-C: rows of vectors are the slowest, at some twenty microseconds each.
const ITEMS_BETWEEN: usize = 256;

/// Lets Ctrl-C into a long conversion, which holds the interpreter: to be called for each item.
pub(crate) fn listen(py: Python<'_>, item: usize) -> PyResult<()> {
    match item.is_multiple_of(ITEMS_BETWEEN) {
        true => py.check_signals(),
        false => Ok(()),
    }
}

/// Runs a method's body, conversions included; a panic in it becomes `proxime.InternalError`.
pub(crate) fn guarded<T>(py: Python<'_>, body: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Err(error::from_panic(py, panic.as_ref())))
}

/// Runs `work` detached from the interpreter.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T> + Send,
) -> PyResult<T> {
    settle(py, py.detach(|| catch_unwind(AssertUnwindSafe(work))))
}

/// Runs `work` detached, tells the listener how far it is, and asks it to stop when a signal handler raises (Ctrl-C does) or
/// the listener does. `work` passes the callback on to the write it makes.
///
/// Errors: what was raised, with one of the notes: whether the write took place.
pub(crate) fn interruptible<T: Send>(
    py: Python<'_>,
    mut listener: Option<Listener>,
    [done_note, undone_note]: [&str; 2],
    work: impl FnOnce(Progress<'_>) -> Result<T> + Send,
) -> PyResult<T> {
    let stop = AtomicBool::new(false);
    let latest = Latest::default();
    let listened = listener.is_some();
    let progress = |stage, done, total| {
        if listened {
            latest.leave((stage, done, total));
        }
        break_if(stop.load(Ordering::Relaxed))
    };
    let mut raised = None;
    let mut poll = |py: Python<'_>| {
        py.check_signals()?;
        match (&mut listener, latest.take()) {
            (Some(listener), Some(word)) => listener.tell(py, word),
            _ => Ok(()),
        }
    };
    let outcome = py.detach(|| {
        thread::scope(|scope| {
            // Nothing is ever sent: that the worker is done shows by its end of the channel being dropped.
            let (running, done) = channel::<()>();
            let worker = scope.spawn(|| {
                let _running = running;
                work(&progress)
            });
            while done.recv_timeout(POLL) == Err(RecvTimeoutError::Timeout) {
                if raised.is_none() {
                    raised = Python::attach(&mut poll).err();
                    stop.store(raised.is_some(), Ordering::Relaxed);
                }
            }
            worker.join()
        })
    });
    if raised.is_none() && matches!(outcome, Ok(Ok(_))) {
        raised = poll(py).err();
    }
    if let Some(mut listener) = listener {
        if raised.is_none() && matches!(outcome, Ok(Ok(_))) {
            raised = listener.finish(py).err();
        }
        listener.close(py);
    }
    match (raised, outcome) {
        (Some(raised), Ok(Ok(_))) => Err(noted(py, raised, done_note)),
        (Some(raised), Ok(Err(Error::Interrupted))) => Err(noted(py, raised, undone_note)),
        (_, outcome) => settle(py, outcome),
    }
}

/// What comes before a write that takes no callback, if it is held back: waiting that is stopped as [`interruptible`] is.
pub(crate) fn wait(
    py: Python<'_>,
    is_held_back: impl FnOnce() -> bool + Send,
    wait: impl FnOnce(Progress<'_>) -> Result<()> + Send,
) -> PyResult<()> {
    match py.detach(is_held_back) {
        true => interruptible(py, None, [NOT_BEGUN; 2], wait),
        false => Ok(()),
    }
}

fn settle<T>(py: Python<'_>, outcome: thread::Result<Result<T>>) -> PyResult<T> {
    match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Error::Interrupted)) => Err(PyKeyboardInterrupt::new_err(())),
        Ok(Err(error)) => Err(error::from_db(py, &error)),
        Err(panic) => Err(error::from_panic(py, panic.as_ref())),
    }
}

fn noted(py: Python<'_>, exception: PyErr, note: &str) -> PyErr {
    // An exception that takes no notes is as good without.
    let _ = exception.value(py).call_method1("add_note", (note,));
    exception
}
