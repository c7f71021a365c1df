//! One function per parser of outside bytes. Each takes any bytes and ends: in an answer or an error, never in a panic.
//!
//! | file | holds |
//! |---|---|
//! | `storage.rs` | manifests, segments and logs, as files |
//! | `sections.rs` | what the database puts into them: sections, batches of the log; graph and codebook by themselves |
//! | `text.rs` | filters, and files of arrays |
//! | `seal.rs` | puts right checksums under bytes that are wrong |
//! | `guided.rs` | the same under libFuzzer, for `cargo xtask fuzz` |
//!
//! Checksums would keep a fuzzer from everything behind them, so they are computed anew over whatever it came up with: what is
//! fuzzed is the structure. What goes on where a checksum fails is the damage campaign's part (`crates/db/tests/it/campaign.rs`).
//! The seeds in `fuzz/corpus`, and inputs that once did harm, run with the other tests.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "harm is a panic: what a fuzzer looks for"
)]

mod seal;
mod sections;
mod storage;
mod text;

/// The command line's own reader of arrays in files, which is no library.
#[path = "../../crates/cli/src/array/mod.rs"]
#[expect(dead_code, unused_imports, reason = "it is a part of a program")]
mod array;

#[path = "../../crates/cli/src/error.rs"]
#[expect(dead_code, reason = "as above")]
mod error;

#[path = "../../crates/cli/src/format.rs"]
mod format;

pub use sections::seeds as section_seeds;

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 10] = [
    ("manifest", storage::manifest),
    ("segment", storage::segment),
    ("log", storage::log),
    ("rows", sections::rows),
    ("section", sections::section),
    ("graph", sections::graph),
    ("codebook", sections::codebook),
    ("npy", text::npy),
    ("filter_text", text::filter_text),
    ("filter_json", text::filter_json),
];
