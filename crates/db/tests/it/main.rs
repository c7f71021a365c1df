//! What the database promises, one file per promise.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]

mod aliases;
mod backup;
mod bad_input;
mod campaign;
mod compact;
mod crash;
mod create_with;
mod damage;
mod diverse;
mod drop_collection;
mod dtypes;
mod explain;
mod filter;
mod full_disk;
mod golden;
mod hostile;
mod interrupt;
mod kill;
mod larger_than_memory;
mod lazy;
mod many;
mod model;
#[cfg(shuttle)]
#[path = "../../../storage/tests/it/orders.rs"]
mod orders;
mod processes;
mod read_once;
mod recall;
mod records;
mod repair;
mod round_trip;
mod salvage;
mod schema;
mod sealing;
mod sharing;
mod support;
#[cfg(shuttle)]
mod thread_orders;
mod threads;
mod unknown;
mod verify;
#[path = "../../../storage/tests/it/watched.rs"]
mod watched;
mod words;
