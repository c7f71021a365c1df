//! Parameters of a graph: validated once, each default a named constant with its reason.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Links per node above level 0. 16 is what hnswlib, Faiss and Qdrant default to.
pub const M: usize = 16;
/// Beam width while inserting into a graph. hnswlib's and Faiss's recall at 100 is what users compare with.
pub const EF_CONSTRUCTION: usize = 100;
/// Beam width while searching, at least: recall@10 above 0.95 on image and text embeddings.
pub const EF_SEARCH: usize = 64;

/// The largest `m`: beyond it a list no longer fits a few cache lines and nothing is gained.
pub const M_MAX: usize = 128;
/// The largest beam width: results and scratch stay bounded.
pub const EF_MAX: usize = 1_000_000;

/// How much a bulk build spends on a graph: the leaves that a row is in. Each costs about as much time as the other.
///
/// Measured on sentence embeddings of 768 dimensions as distances a query for a recall@10 of 0.95 and 0.99, against Faiss's HNSW
/// with M 16: `Default` needs 2 % more and as many as efConstruction 100; `High` needs 7 % fewer and 6 % more than 200, on
/// harder data (TF-IDF reduced by SVD) up to 45 % more; `Fast` about a tenth more than `Default`.
///
/// ```
/// use proxime_core::Preset;
/// assert_eq!("high".parse(), Ok(Preset::High));
/// assert_eq!(Preset::default().to_string(), "default");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preset {
    /// Built fastest.
    Fast,
    /// The balance.
    #[default]
    Default,
    /// Searched fastest.
    High,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Default, Self::High];

    fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Default => "default",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|preset| preset.name() == name);
        found.ok_or_else(|| Error::UnknownPreset { name: name.into() })
    }
}

/// Parameters of one graph.
///
/// ```
/// use proxime_core::Params;
/// let params = Params::default().with_m(24)?.with_ef_construction(200)?;
/// assert_eq!(params.m0(), 48);
/// # Ok::<(), proxime_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    m: usize,
    preset: Preset,
    ef_construction: usize,
    ef_search: usize,
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            m: M,
            preset: Preset::Default,
            ef_construction: EF_CONSTRUCTION,
            ef_search: EF_SEARCH,
            seed: 0,
        }
    }
}

impl Params {
    /// Links per node above level 0, 2 to [`M_MAX`].
    pub fn with_m(self, m: usize) -> Result<Self, Error> {
        Ok(Self {
            m: within("m", m, 2, M_MAX)?,
            ..self
        })
    }

    /// What a bulk build ([`Graph::build`](crate::Graph::build)) spends.
    pub fn with_preset(self, preset: Preset) -> Self {
        Self { preset, ..self }
    }

    /// Beam width while inserting ([`Graph::insert`](crate::Graph::insert)), 1 to [`EF_MAX`]; a bulk build has no beam.
    pub fn with_ef_construction(self, ef: usize) -> Result<Self, Error> {
        Ok(Self {
            ef_construction: within("ef_construction", ef, 1, EF_MAX)?,
            ..self
        })
    }

    /// Beam width while searching when the caller names none, 1 to [`EF_MAX`].
    pub fn with_ef_search(self, ef: usize) -> Result<Self, Error> {
        Ok(Self {
            ef_search: within("ef_search", ef, 1, EF_MAX)?,
            ..self
        })
    }

    /// Seed of the level draw, the leaders of a bulk build and the order of insertion.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Links per node above level 0.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Links per node on level 0: twice `m`.
    pub fn m0(&self) -> usize {
        2 * self.m
    }

    /// What a bulk build spends.
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// Beam width while inserting.
    pub fn ef_construction(&self) -> usize {
        self.ef_construction
    }

    /// Beam width while searching when the caller names none.
    pub fn ef_search(&self) -> usize {
        self.ef_search
    }

    /// Seed of the level draw, the leaders of a bulk build and the order of insertion.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

/// The value, if it is within its limits.
pub(crate) fn within(
    name: &'static str,
    value: usize,
    min: usize,
    max: usize,
) -> Result<usize, Error> {
    match (min..=max).contains(&value) {
        true => Ok(value),
        false => Err(Error::Parameter {
            name,
            value,
            min,
            max,
        }),
    }
}
