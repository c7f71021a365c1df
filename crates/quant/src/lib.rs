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

mod codes;
mod error;
mod prepare;
mod rotate;
mod scalar;
mod u4;

pub use codes::{Codes, CodesMut, StoredCodes};
pub use error::Error;
pub use prepare::Query;
pub use scalar::ScalarI8;
pub use u4::{CodesU4, PackU4, QueryU4};
