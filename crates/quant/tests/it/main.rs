//! What the codecs promise: what comes back, what distances say, what bad input gives.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "../../../../tests/fashion_mnist.rs"]
mod fashion_mnist;

mod bad_input;
mod distances;
mod real_data;
mod round_trip;
mod same_bytes;
mod u4;
