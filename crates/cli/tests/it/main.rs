//! The binary from outside, as a shell or a script sees it: one file per promise.

// Clippy lets helpers of tests unwrap where it sees this.
#![cfg(test)]

mod bad_input;
mod exit_codes;
mod formats;
mod pipes;
mod repair;
mod round_trip;
mod support;
