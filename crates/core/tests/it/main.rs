//! What the graph promises: recall, the same bytes, every row reachable, deleted ones gone, nothing but answers or errors.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "../../../../tests/fashion_mnist.rs"]
mod fashion_mnist;

mod bad_input;
mod delete;
mod filtered;
mod insert;
mod mutate;
mod reachable;
mod recall;
mod same_bytes;
mod stop;
mod support;
