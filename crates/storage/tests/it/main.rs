//! What storage promises, one file per promise.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]

mod backends;
mod backup;
mod crash;
mod damage;
mod images;
mod lock;
mod log;
#[cfg(shuttle)]
mod orders;
mod readers;
mod round_trip;
mod salvage;
mod sample;
#[cfg(target_os = "linux")]
mod scattered;
mod watched;
