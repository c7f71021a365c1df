//! The locks of what several threads write to, and the threads in the background, under another name where every order of threads is
//! tried: with `--cfg shuttle` they belong to a scheduler (`cargo xtask torture`).

#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::{Mutex, MutexGuard, mpsc},
    thread,
};
#[cfg(not(shuttle))]
pub(crate) use std::{
    sync::{Mutex, MutexGuard, mpsc},
    thread,
};
