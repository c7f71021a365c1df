//! Codebooks: float32 vectors to compact codes and back.
//!
//! A codec is trained on a sample, encodes rows, decodes them, and prepares queries whose distance to
//! a code is cheap. This crate knows no graph and opens no file; kernels come from `proxime-simd`.
//!
//! [`ScalarI8`] is one byte per component. It is what graphs are built on, because the distance between two codes is an exact
//! integer: no thread count, tile order or instruction set can change it. [`CodesU4`] rotates these codes and
//! rounds them to half a byte, and to a bit, which is what a finished graph is walked on: most rows that a walk meets are ruled out
//! by the bit.
//!
//! # What was left out, and why
//!
//! Recall@10 by looking at all codes, and after the nearest 20 and 50 by codes were compared by their vectors; time for a row, of
//! the fastest query; time to encode one, taken once, so rough. `cargo xtask bench codecs`, one thread, squared L2, 100 or 200 queries, one
//! run for each set, times from that of SVD (TF-IDF, 55,688 x 768), on a Sapphire Rapids with other work on it: on images ours took up to
//! eight times as long for a row, which was not looked into. With none, int8 takes 1.3 µs to encode a row of MiniLM, and 4 bits 3.8.
//! RaBitQ (Gao and Long 2024; 8-bit queries), product and per-component codes are those of faiss 1.15.1. Not in the table: product codes of 4 bits for each component, which found 0.12 of the images; why is not
//! known.
//!
//! | codec | bytes | Fashion-MNIST | MiniLM | SVD | ns a row | µs to encode |
//! |---|---|---|---|---|---|---|
//! | **int8** | 772 | 0.992, 1.000, 1.000 | 0.996, 1.000, 1.000 | 0.973, 1.000, 1.000 | 29.7 | 17 |
//! | **4 bits** | 392 | 0.955, 1.000, 1.000 | 0.961, 1.000, 1.000 | 0.957, 0.998, 1.000 | 18.9 | 54 |
//! | **signs** | 104 | 0.721, 0.922, 0.994 | 0.832, 0.970, 0.998 | 0.847, 0.985, 0.998 | 12.5 | with these |
//! | per component, 8 bits | 768 | 0.982, 1.000, 1.000 | 0.997, 1.000, 1.000 | 0.988, 0.999, 1.000 | 154 | 3 |
//! | per component, 4 bits | 384 | 0.935, 1.000, 1.000 | 0.952, 1.000, 1.000 | 0.913, 0.997, 1.000 | 281 | 16 |
//! | RaBitQ, 4 bits | 404 | 0.945, 1.000, 1.000 | 0.965, 1.000, 1.000 | 0.963, 0.998, 1.000 | 140 | 2,459 |
//! | RaBitQ, 2 bits | 212 | 0.852, 0.992, 1.000 | 0.902, 0.993, 1.000 | 0.906, 0.993, 1.000 | 43 | 290 |
//! | RaBitQ, 1 bit, in blocks | 104 | 0.719, 0.925, 0.993 | 0.825, 0.967, 0.994 | 0.843, 0.981, 1.000 | 23.4 | 411 |
//! | product, 4 bits for 2 components, in blocks | 192 | 0.865, 0.989, 1.000 | 0.900, 0.994, 1.000 | 0.813, 0.952, 0.992 | 10.7 | 34 |
//! | product, 4 bits for 4 components, in blocks | 96 | 0.744, 0.938, 0.989 | 0.813, 0.941, 0.987 | 0.744, 0.903, 0.976 | 5.3 | 25 |
//!
//! - *RaBitQ's 4 bits* find what ours find in as many bytes, and took some twenty times as long to encode or more. Its *1 bit* is what our signs are.
//! - *2 bits* need 50 candidates where 4 need 20, and each is a row to read. They would save 192 bytes a vector of memory, but, so we
//!   think, hardly time: a walk reads few codes of those that it meets, the signs rule out the rest. No walk on them was measured.
//! - *Product codes* in as many bytes as RaBitQ's 2 bits, or 1, find a little more of the images, as much or a little less of MiniLM, and
//!   much less of SVD. Their speed is that of 32 rows side by side, which the neighbours in a walk are not.
//! - *A range for each component* finds less with 4 bits than a rotation does. With 8 it finds more of SVD than one range for all, until
//!   20 rows are compared; distances between its rows are not exact integers.
//!
//! # Example
//!
//! ```
//! use proxime_quant::{Codes, ScalarI8};
//! use proxime_simd::{Metric, Rows};
//!
//! let data = [0.0, 1.0, 0.5, 0.25, 1.0, 0.0];
//! let rows = Rows::new(&data, 2)?;
//! let codec = ScalarI8::train(rows, Metric::L2)?;
//! let codes = Codes::encode(&codec, rows)?;
//!
//! let query = codec.prepare(&[0.0, 0.9])?;
//! let distance = |row| query.distance_from_dot(query.dot(codes.row(row)), codes.term(row));
//! assert!(distance(0) < distance(1) && distance(1) < distance(2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bounds;
mod codes;
mod error;
mod prepare;
mod rotate;
mod scalar;
mod u4;

pub use bounds::{BoundedCodes, BoundedQuery};
pub use codes::{Codes, CodesMut, StoredCodes};
pub use error::Error;
pub use prepare::Query;
pub use scalar::ScalarI8;
pub use u4::{CodesU4, PackU4, QueryU4};
