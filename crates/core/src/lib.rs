//! The HNSW graph in memory: build, search, verify.
//!
//! [`Graph`] is topology only: who neighbours whom, on which level. It is built and traversed on int8
//! [`Codes`](proxime_quant::Codes), whose distances are integers, so the same rows give the same graph with any
//! number of threads on any CPU; [`Graph::digest`] shows it. Exact distances come afterwards, from [`rerank`],
//! or instead, from [`flat`]. [`Index`] puts the pieces together for library users who want a graph and
//! nothing else.
//!
//! This crate opens no file and reads no clock. Method: Malkov and Yashunin 2018, "Efficient and robust
//! approximate nearest neighbor search using Hierarchical Navigable Small World graphs".
//!
//! # Example
//!
//! ```
//! use proxime_core::{Index, Params};
//! use proxime_simd::{Metric, Rows};
//!
//! let data: Vec<f32> = (0..2000).map(|i| (i % 97) as f32 + i as f32 / 2000.0).collect();
//! let index = Index::build(Rows::new(&data, 2)?, Metric::L2, &Params::default())?;
//! let nearest = index.search(&data[84..86], 3, None)?;
//! assert_eq!((nearest[0].node, nearest[0].distance), (42, 0.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod coarse;
mod connect;
mod delete;
mod error;
pub mod flat;
mod graph;
mod index;
mod insert;
mod journal;
mod level;
mod links;
mod neighbor;
mod params;
mod pool;
mod progress;
mod scorer;
mod search;
mod select;
mod stats;
mod ways;

pub use build::lengths_differ;
pub use coarse::needs_fine_codes;
pub use error::Error;
pub use graph::Graph;
pub use index::Index;
pub use neighbor::Neighbor;
pub use params::{EF_CONSTRUCTION, EF_MAX, EF_SEARCH, M, M_MAX, Params, Preset};
pub use pool::Pool;
pub use progress::{Done, Progress, Step, break_if};
pub use scorer::WalkCodes;
pub use search::{
    Candidate, FilteredRoute, Matches, Scratch, ScratchPool, contenders, rerank, search,
    search_among, search_filtered, search_filtered_unless, search_from_all,
};
pub use stats::GraphStats;
