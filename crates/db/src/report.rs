//! What a database says about itself.

use serde::Serialize;

use crate::{Dtype, Metric, Preset};

/// A collection in numbers.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// The collection's name.
    pub name: String,
    /// Components of each vector.
    pub dim: usize,
    /// As [`Metric`]'s `Display`.
    #[serde(serialize_with = "as_text")]
    pub metric: Metric,
    /// As [`Dtype`]'s `Display`.
    #[serde(serialize_with = "as_text")]
    pub dtype: Dtype,
    /// As [`Preset`]'s `Display`.
    #[serde(serialize_with = "as_text")]
    pub preset: Preset,
    /// Rows in the segments, replaced ones included.
    pub rows: usize,
    /// Records.
    pub live: usize,
    /// Segment files.
    pub segments: usize,
    /// Rows that are in the log and in no segment yet.
    pub tail_rows: usize,
    /// Sum of the segment files.
    pub bytes_on_disk: u64,
    /// Over the graphs of all segments.
    pub graph: GraphStats,
    /// Segments that are searched by exact scan because their graph is damaged.
    pub damaged_graphs: usize,
    /// Threads of the pool.
    pub threads: usize,
    /// Instruction set in use.
    pub isa: String,
}

/// Graphs in numbers.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct GraphStats {
    /// Segments that have a graph; small ones are scanned instead.
    pub graphs: usize,
    /// Rows in those segments.
    pub rows: usize,
    /// Levels of the tallest graph.
    pub levels: usize,
    /// Mean number of links per node on level 0.
    pub mean_degree: f64,
    /// Nodes that no search can reach. Always 0 unless something is wrong.
    pub unreachable: usize,
}

impl GraphStats {
    pub(crate) fn over(graphs: &[proxime_core::GraphStats]) -> GraphStats {
        let rows: usize = graphs.iter().map(|graph| graph.n).sum();
        // Folded from 0: the sum of no floats is -0, which a report would show.
        let links = graphs.iter().fold(0.0, |links, graph| {
            links + graph.mean_degree * graph.n as f64
        });
        GraphStats {
            graphs: graphs.len(),
            rows,
            levels: graphs.iter().map(|graph| graph.levels).max().unwrap_or(0),
            mean_degree: links / rows.max(1) as f64,
            unreachable: graphs.iter().map(|graph| graph.unreachable).sum(),
        }
    }
}

/// What [`Database::verify`](crate::Database::verify) found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// No problems.
    pub ok: bool,
    /// Number of the commit that was checked.
    pub manifest: u64,
    /// Of the store as a whole: one sentence each, naming the file.
    pub problems: Vec<String>,
    /// Each collection.
    pub collections: Vec<CollectionReport>,
}

/// What was found in one collection.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct CollectionReport {
    /// Its name.
    pub name: String,
    /// Segment files.
    pub segments: usize,
    /// Of these, segments that cannot be used at all; nothing below counts what is in them.
    pub unusable: usize,
    /// Rows in them, by the commit's account, replaced ones included.
    pub unusable_rows: usize,
    /// Rows in the others and in the log, replaced ones included.
    pub rows: usize,
    /// Records.
    pub live: usize,
    /// Nodes that no search can reach.
    pub unreachable: usize,
    /// One sentence each, naming the file.
    pub problems: Vec<String>,
    /// What only [`verify_deep`](crate::Database::verify_deep) looks at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deep: Option<DeepReport>,
}

/// What [`Database::verify_deep`](crate::Database::verify_deep) has computed again for a collection.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct DeepReport {
    /// Rows whose codes were compared with those of their vectors.
    pub codes: usize,
    /// Stored vectors that were searched for.
    pub queries: usize,
    /// Distances of what was found that were compared with ones in float64.
    pub distances: usize,
    /// The share of the ten nearest of each query that searching with the collection's parameters finds; `None` if there are
    /// no records. Told, not judged.
    pub recall: Option<f64>,
}

fn as_text<S: serde::Serializer>(
    value: &impl std::fmt::Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
