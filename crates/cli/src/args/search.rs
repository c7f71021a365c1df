//! What searches can be asked.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ArgGroup;
use proxime::{Filter, Fusion, SearchOptions};

use super::{IdType, filter};

#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["query", "id", "like", "text"])))]
#[command(group(ArgGroup::new("queries").args(["query", "id"])))]
pub(crate) struct Search {
    /// The database
    pub(crate) db: PathBuf,
    /// Queries in .npy, one per row or a single vector, or in another array that import reads; - reads stdin
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) query: Option<PathBuf>,
    /// Which array of a .npz or .hdf5 [default: the only one; in .hdf5 test]
    #[arg(long, value_name = "NAME", requires = "query", conflicts_with_all = ["id", "like"])]
    pub(crate) array: Option<String>,
    /// A stored record as a query, without itself; may be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) id: Vec<String>,
    /// A stored record that what is found is to be like; repeated, one query of them all
    #[arg(long, value_name = "ID", conflicts_with_all = ["query", "id", "text"])]
    pub(crate) like: Vec<String>,
    /// A stored record that it is to be unlike; may be repeated
    #[arg(long, value_name = "ID", requires = "like")]
    pub(crate) unlike: Vec<String>,
    /// What ids written as text are
    #[arg(long, value_name = "TYPE", value_enum, default_value_t)]
    pub(crate) id_type: IdType,
    /// Words to search for, alone or together with each query
    #[arg(long, value_name = "WORDS")]
    pub(crate) text: Option<String>,
    /// Where the metadata has the text
    #[arg(
        long,
        value_name = "NAME,NAME",
        value_delimiter = ',',
        default_value = "text"
    )]
    pub(crate) fields: Vec<String>,
    /// How nearness and words are put together: rrf, by ranks; dbsf, by the distribution of scores; or two weights, as in 0.7,0.3
    #[arg(long, value_name = "HOW", default_value = "rrf", value_parser = fusion)]
    pub(crate) fusion: Fusion,
    /// How many records to find for each query
    #[arg(short, value_name = "K", default_value_t = 10)]
    pub(crate) k: usize,
    /// Beam width: more finds more and takes longer [default: the collection's]
    #[arg(long, value_name = "N", conflicts_with = "exact")]
    pub(crate) ef: Option<NonZeroUsize>,
    /// Share of the nearest to find, above 0 and up to 1: chooses the beam width, after measuring what it takes
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["ef", "exact"])]
    pub(crate) recall: Option<f64>,
    /// Compare with every vector
    #[arg(long)]
    pub(crate) exact: bool,
    /// Find only records whose metadata this is true of, such as "lang = 'en' AND year >= 2020"
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    pub(crate) filter: Option<Filter>,
    /// A filter for each query, one per line and none where it is empty; with --where, both
    #[arg(long, value_name = "FILE", requires = "query", conflicts_with_all = ["text", "id", "like", "group_by", "relevance", "explain"])]
    pub(crate) where_each: Option<PathBuf>,
    /// Find nothing farther than this
    #[arg(long, value_name = "DISTANCE", allow_negative_numbers = true)]
    pub(crate) max_distance: Option<f32>,
    /// Find k groups instead: of each value of this field the nearest records
    #[arg(long, value_name = "FIELD", requires = "queries", conflicts_with_all = ["text", "like", "relevance", "explain"])]
    pub(crate) group_by: Option<String>,
    /// Records of each group at most
    #[arg(long, value_name = "N", default_value = "1", requires = "group_by")]
    pub(crate) group_size: NonZeroUsize,
    /// Find records that differ: how much nearness counts beside that, 0 to 1
    #[arg(long, value_name = "SHARE", requires = "queries", conflicts_with_all = ["text", "like", "explain"])]
    pub(crate) relevance: Option<f32>,
    /// Tell how the answers were found, for each 1,024 queries at most
    #[arg(long, requires = "query", conflicts_with_all = ["text", "id", "like"])]
    pub(crate) explain: bool,
    /// Where to search
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// One JSON object per query, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

impl Search {
    pub(crate) fn options(&self) -> SearchOptions {
        SearchOptions {
            ef: self.ef.map(NonZeroUsize::get),
            recall: self.recall,
            exact: self.exact,
            filter: self.filter.clone(),
            max_distance: self.max_distance,
            ..SearchOptions::k(self.k)
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct WhyNot {
    /// The database
    pub(crate) db: PathBuf,
    /// The record
    pub(crate) id: String,
    /// What ids written as text are
    #[arg(long, value_name = "TYPE", value_enum, default_value_t)]
    pub(crate) id_type: IdType,
    /// The query in .npy, or in another array that import reads
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) query: PathBuf,
    /// Which array of a .npz or .hdf5 [default: the only one; in .hdf5 test]
    #[arg(long, value_name = "NAME")]
    pub(crate) array: Option<String>,
    /// Which row of it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) row: usize,
    /// How many records would be found
    #[arg(short, value_name = "K", default_value_t = 10)]
    pub(crate) k: usize,
    /// Beam width [default: the collection's]
    #[arg(long, value_name = "N")]
    pub(crate) ef: Option<NonZeroUsize>,
    /// The filter; see search --help
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    pub(crate) filter: Option<Filter>,
    /// How far would be too far
    #[arg(long, value_name = "DISTANCE", allow_negative_numbers = true)]
    pub(crate) max_distance: Option<f32>,
    /// Where to search
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// Tell as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl WhyNot {
    pub(crate) fn options(&self) -> SearchOptions {
        SearchOptions {
            ef: self.ef.map(NonZeroUsize::get),
            filter: self.filter.clone(),
            max_distance: self.max_distance,
            ..SearchOptions::k(self.k)
        }
    }
}

fn fusion(text: &str) -> Result<Fusion, String> {
    let wrong = || "rrf, dbsf, or two numbers with a comma between them are possible".to_owned();
    let weight = |text: &str| text.trim().parse().map_err(|_| wrong());
    match text {
        "rrf" => Ok(Fusion::Rrf),
        "dbsf" => Ok(Fusion::Dbsf),
        _ => {
            let (vector, text) = text.split_once(',').ok_or_else(wrong)?;
            let (vector, text) = (weight(vector)?, weight(text)?);
            Ok(Fusion::Weights { vector, text })
        }
    }
}
