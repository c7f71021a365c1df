//! What the database promises, one file per promise.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]

mod bad_input;
mod crash;
mod create_with;
mod damage;
mod drop_collection;
mod interrupt;
mod model;
mod read_once;
mod recall;
mod round_trip;
mod sharing;
mod support;
