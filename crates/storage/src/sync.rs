//! The locks of what several threads write to, under another name where every order of threads is tried: with `--cfg shuttle` they
//! belong to a scheduler (`cargo xtask torture`).

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(shuttle))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
