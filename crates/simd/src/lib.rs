//! Distances between vectors, as fast as the CPU at hand allows.
//!
//! The crate knows no index and no file: it takes slices and returns numbers. Three ideas carry it.
//!
//! **A token is a proof.** Each instruction tier ([`Level`]) is a zero-sized token ([`Isa`]) that can only be
//! had by asking the CPU. Every kernel is a method of a token, so calling one is safe: the instructions exist.
//!
//! **Dispatch once.** The boundary between ordinary code and a tier's code cannot be inlined. A caller writes
//! its whole loop once, generic over the tier, as a [`WithIsa`]; [`Level::dispatch`] compiles it once per tier
//! and picks one at run time. A kernel called outside such a loop is slower by nanoseconds, never wrong.
//!
//! **Integers are the contract, floats have a tolerance.** `int8` products are exact and equal on every tier,
//! so whatever is built from them is the same everywhere. `f32` sums round differently on each tier; on one
//! tier a pair of rows has one distance, bit for bit, however many rows are computed at a time.
//!
//! | file | holds |
//! |---|---|
//! | `isa` | tiers: detection, override, dispatch |
//! | `metric` | what a distance is |
//! | `rows` | matrices whose shape is proven |
//! | `lanes` | the loop that all kernels share |
//! | `f32` | sums over components, generic over the vector width |
//! | `codes` | `int8` products: the contract |
//! | `x86`, `amx`, `arm` | tokens, and how each tier multiplies codes |
//! | `enter` | the way into a vector tier |
//! | `batch` | one query against many rows |
//! | `block`, `transpose` | many `int8` rows against many |
//! | `topk` | the smallest few of many keys |
//! | `reference` | the definitions, in `f64` and `i64`: the oracle of the tests |
//! | `self_test` | the kernels against them, on the machine at hand |
//! | `memory` | large matrices on huge pages |
//! | `raw` | prefetch and the cache line type |
//!
//! ```
//! use proxime_simd::{I8Query, Isa, Level, WithIsa};
//!
//! /// The row nearest to the query by dot product: the loop that runs inside one tier.
//! struct Nearest<'a> {
//!     query: I8Query<'a>,
//!     rows: &'a [[i8; 4]],
//! }
//!
//! impl WithIsa for Nearest<'_> {
//!     type Output = Option<usize>;
//!
//!     #[inline(always)]
//!     fn with_isa<I: Isa>(self, isa: I) -> Option<usize> {
//!         (0..self.rows.len()).max_by_key(|&i| isa.dots_i8(self.query, [&self.rows[i]])[0])
//!     }
//! }
//!
//! let rows = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]];
//! let query = I8Query::new(&[3, 7, -128, 0]);
//! assert_eq!(Level::detect().dispatch(Nearest { query, rows: &rows }), Some(1));
//! ```

mod isa;
mod memory;
mod metric;
mod rows;

mod bits;
mod codes;
mod f32;
mod lanes;
mod u4;

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "aarch64")]
mod arm;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod enter;
mod transpose;
#[cfg(target_arch = "x86_64")]
mod x86;

pub mod batch;
pub mod block;
mod raw;
pub mod reference;
mod self_test;
pub mod topk;

pub use codes::I8Query;
pub use isa::{Isa, IsaError, Level, Scalar, WithIsa};
pub use metric::{Metric, MetricError};
pub use rows::{AlignedRows, Rows, ShapeError};
pub use self_test::self_test;

#[cfg(target_arch = "x86_64")]
pub use {amx::Amx, pulp::x86::V3, x86::V4x};
#[cfg(target_arch = "aarch64")]
pub use {arm::NeonDot, pulp::aarch64::Neon};
