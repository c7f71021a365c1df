//! The binary from outside: one file per promise.
fn main() {}
