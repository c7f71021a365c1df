//! Choices with their defaults: how to open, what to create, how to search.

use crate::{Dtype, Durability, Filter, Key, Metric, Params, Schema};

/// How to open a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// Threads of the handle's own pool. `None`: the variable `PROXIME_THREADS`, else every core.
    pub threads: Option<usize>,
    /// Take no lock and change nothing. Sees the newest commit at the time of opening.
    pub read_only: bool,
    /// Create the store if nothing is there (never over something that is not a store).
    pub create: bool,
    /// When a write is acknowledged. Large batches are always on the disk then.
    pub durability: Durability,
    /// When what is in the files is checked.
    pub verify: Verify,
}

/// When the bytes of a store are compared with their checksums. Either way none is used before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// All of them when the store is opened.
    #[default]
    Full,
    /// The log, and what the files say of themselves, when the store is opened; ids when a collection is first used; graph and codes at
    /// its first search; each 4 KiB of vectors and metadata when they are first read. Damage is found when it is met: a call
    /// that needs damaged bytes fails, and does so each time, others do not.
    Lazy,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            threads: None,
            read_only: false,
            create: true,
            durability: Durability::Always,
            verify: Verify::Full,
        }
    }
}

/// What a collection holds. Fixed at creation.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectionConfig {
    /// Components of each vector, 1 to 65,536.
    pub dim: usize,
    /// What "near" means. Default: cosine.
    pub metric: Metric,
    /// What components are stored as. Default: float32.
    pub dtype: Dtype,
    /// How graphs are built and searched.
    pub params: Params,
    /// What metadata must be like. Default: it says nothing.
    pub schema: Schema,
}

impl CollectionConfig {
    /// Vectors of `dim` components, compared by cosine, default parameters.
    pub fn new(dim: usize) -> Self {
        CollectionConfig {
            dim,
            metric: Metric::Cosine,
            dtype: Dtype::F32,
            params: Params::default(),
            schema: Schema::default(),
        }
    }

    /// With another metric.
    #[must_use]
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// With components stored as another type.
    #[must_use]
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// With other graph parameters.
    #[must_use]
    pub fn params(mut self, params: Params) -> Self {
        self.params = params;
        self
    }

    /// With a schema.
    #[must_use]
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }
}

/// How to search.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchOptions {
    /// Hits per query, at most; fewer only if there are fewer to find. 0 gives none.
    pub k: usize,
    /// Beam width of the graph search: more finds more and takes longer. `None`: the
    /// collection's parameter, at least `2k`, and as much more as it takes until what the codes leave in doubt has been compared
    /// by vectors. At least `k` is used.
    pub ef: Option<usize>,
    /// The share of the `k` nearest to find, above 0 and up to 1, instead of `ef`. A narrow beam shows how hard a query is, and it gets as wide
    /// a one as queries as hard were measured to need, which were made of the segment's rows; where none was enough, every vector is looked
    /// at. All candidates are compared by their vectors. The first search that asks for it measures, at the cost of some 400 exact searches;
    /// see [`Collection::measure_recall`](crate::Collection::measure_recall) for what queries of your own get.
    pub recall: Option<f64>,
    /// Compare with every vector instead: the exact answer.
    pub exact: bool,
    /// Find only records that this is true of. `None`: all.
    pub filter: Option<Filter>,
    /// Find none of the records with these ids, such as those that somebody has seen. Ids without a record do no harm.
    pub without: Vec<Key>,
    /// Find nothing farther than this, in the metric's own units. `None`: at any distance.
    pub max_distance: Option<f32>,
}

impl Default for SearchOptions {
    fn default() -> Self {
        SearchOptions {
            k: 10,
            ef: None,
            recall: None,
            exact: false,
            filter: None,
            without: Vec::new(),
            max_distance: None,
        }
    }
}

impl SearchOptions {
    /// The `k` nearest, other options default.
    pub fn k(k: usize) -> Self {
        SearchOptions {
            k,
            ..SearchOptions::default()
        }
    }

    /// With a filter.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }
}
