//! The binary from outside, as a shell or a script sees it: one file per promise.

// Clippy lets helpers of tests unwrap where it sees this.
#![cfg(test)]

mod bad_input;
mod changes;
mod exit_codes;
mod export;
mod filters;
mod formats;
mod generate;
mod import;
mod measure;
mod pipes;
mod reads;
mod records;
mod repair;
mod round_trip;
mod support;
mod tables;
