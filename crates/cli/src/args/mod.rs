//! Text to validated options.
//!
//! What can be checked without opening a file is checked here, by clap, which exits with 2. Help shows examples and the exit
//! codes (`help.rs`); whoever adds a verb adds its example.

mod help;
mod search;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Parser, Subcommand, ValueEnum};
use proxime::{Dtype, Filter, FilterError, Metadata, Metric, Preset, SearchOptions};

use crate::format::Format;
use help::*;
pub(crate) use search::{Search, WhyNot};

/// An embedded vector database: durable collections, fast nearest-neighbour search.
#[derive(Debug, Parser)]
#[command(name = "proxime", version, arg_required_else_help = true, after_help = MAIN_HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Store the records of a file
    #[command(after_help = IMPORT_HELP)]
    Import(Import),
    /// Write the records of a collection to files
    #[command(after_help = EXPORT_HELP)]
    Export(Export),
    /// Find the nearest records of each query
    #[command(after_help = SEARCH_HELP)]
    Search(Search),
    /// Tell what keeps a record from being found
    #[command(after_help = WHY_NOT_HELP)]
    WhyNot(WhyNot),
    /// Show records by id
    #[command(after_help = GET_HELP)]
    Get(Get),
    /// Show records page by page, in the order of their ids or of a field
    #[command(after_help = SCROLL_HELP)]
    Scroll(Scroll),
    /// Show which values a field has, and how many records have each
    #[command(after_help = FACETS_HELP)]
    Facets(Facets),
    /// Give records that are there new vectors or new metadata
    #[command(after_help = UPDATE_HELP)]
    Update(Update),
    /// Delete records by id, or by their metadata
    #[command(after_help = DELETE_HELP)]
    Delete(Delete),
    /// Put all of a collection into one segment, without what was replaced or deleted
    #[command(after_help = COMPACT_HELP)]
    Compact(Compact),
    /// Count records
    #[command(after_help = COUNT_HELP)]
    Count(Count),
    /// Name the collections of a database
    #[command(after_help = LIST_HELP)]
    List(Target),
    /// Give a collection another name
    #[command(after_help = RENAME_HELP)]
    Rename(Rename),
    /// Let a name stand for a collection, which can be another one later
    #[command(after_help = ALIAS_HELP)]
    Alias(Alias),
    /// Remove a collection with all its records
    #[command(after_help = DROP_HELP)]
    Drop(Drop),
    /// Show what a database holds
    #[command(after_help = INFO_HELP)]
    Info(Target),
    /// Check every byte of a database; exit with 4 if something is wrong
    #[command(after_help = VERIFY_HELP)]
    Verify(Verify),
    /// Build damaged indexes again
    #[command(after_help = REPAIR_HELP)]
    Repair(Repair),
    /// Write what can be read of a damaged database to a new one
    #[command(after_help = SALVAGE_HELP)]
    Salvage(Copy),
    /// Copy a database, also while it is being written to
    #[command(after_help = BACKUP_HELP)]
    Backup(Copy),
    /// Copy a backup to a new place, checking it on the way
    #[command(after_help = RESTORE_HELP)]
    Restore(Copy),
    /// Measure recall and speed of the collection's own graph on queries of your own
    #[command(after_help = BENCH_HELP)]
    Bench(Bench),
    /// Find the narrowest beam that gives a recall on queries of your own
    #[command(after_help = TUNE_HELP)]
    Tune(Tune),
    /// Look at the processor, the memory and the disk, and test the kernels
    #[command(after_help = DOCTOR_HELP)]
    Doctor(Doctor),
    /// Print what a shell needs to complete commands
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    #[command(after_help = MAN_HELP)]
    Man {
        /// Where to; a directory that is there
        dir: PathBuf,
    },
}

/// What ids written as text are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum IdType {
    /// Integers if all of them are, else texts
    #[default]
    Auto,
    /// Texts, whatever they look like
    Text,
    /// UUIDs, with or without hyphens
    Uuid,
    /// Bytes, as hexadecimal digits behind 0x
    Bytes,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The database, a directory; created if missing
    pub(crate) db: PathBuf,
    /// Records, or vectors only, one per row; - reads stdin
    pub(crate) file: PathBuf,
    /// What the file holds [default: by its name's ending]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(crate) format: Option<Format>,
    /// Where to store them; created if missing
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// How a new collection compares vectors [default: cosine]
    #[arg(long, value_parser = metric())]
    pub(crate) metric: Option<Metric>,
    /// What a new collection stores components as [default: f32]
    #[arg(long, value_parser = dtype())]
    pub(crate) dtype: Option<Dtype>,
    /// How much to spend on the graphs of a new collection [default: default]
    #[arg(long, value_parser = preset())]
    pub(crate) preset: Option<Preset>,
    /// One id per row: text, one per line (integers if all are), or integers in .npy. Default: row numbers from 0.
    /// A stored record with the same id is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) ids: Option<PathBuf>,
    /// What ids written as text are
    #[arg(long, value_name = "TYPE", value_enum, default_value_t)]
    pub(crate) id_type: IdType,
    /// One JSON object per row, one per line
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) metadata: Option<PathBuf>,
    /// Which array of a .npz or .hdf5 [default: the only one; in .hdf5 train]
    #[arg(long, value_name = "NAME")]
    pub(crate) array: Option<String>,
    /// Where ids are in files with columns or fields [default: id, if there is one, else row numbers]
    #[arg(long, value_name = "NAME")]
    pub(crate) id_column: Option<String>,
    /// Where vectors are in files with columns or fields: a list, or (not in JSON Lines) v0..v767 for so many columns [default: vector]
    #[arg(long, value_name = "NAMES")]
    pub(crate) vector_columns: Option<String>,
    /// Columns of a CSV that are texts, even if they look like numbers
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pub(crate) text_columns: Vec<String>,
    /// Set rows that cannot be stored aside, with the reason, instead of stopping at the first
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) rejects: Option<PathBuf>,
    /// Store so many rows at once [default: an array whole; of other files, 256 MiB of vectors]
    #[arg(long, value_name = "N")]
    pub(crate) batch_rows: Option<NonZeroUsize>,
    /// Go on with an import that was interrupted: pass over batches that are stored. Say the rest as before
    #[arg(long)]
    pub(crate) resume: bool,
    /// Threads to use [default: $PROXIME_THREADS, or all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// The database
    pub(crate) db: PathBuf,
    /// Where to: .jsonl, .parquet or .arrow for records, .npy for their vectors only; - writes JSON Lines to stdout
    pub(crate) file: PathBuf,
    /// With .npy: ids here, one per line; texts must have no line breaks
    #[arg(long, value_name = "FILE")]
    pub(crate) ids: Option<PathBuf>,
    /// With .npy: metadata here, one JSON object per line
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) metadata: Option<PathBuf>,
    /// Only records whose metadata this is true of; see search --help
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    pub(crate) filter: Option<Filter>,
    /// What to export
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Count {
    /// The database
    pub(crate) db: PathBuf,
    /// Count only records whose metadata this is true of; see search --help
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    pub(crate) filter: Option<Filter>,
    /// Where to count
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "proxime get [OPTIONS] <DB> <ID>...\n       proxime get [OPTIONS] <DB> --ids <FILE>"
)]
#[command(group(ArgGroup::new("which").required(true).args(["words", "file"])))]
pub(crate) struct Get {
    /// The database
    pub(crate) db: PathBuf,
    #[command(flatten)]
    pub(crate) ids: Ids,
    /// Where to look
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// One JSON object per record, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Scroll {
    /// The database
    pub(crate) db: PathBuf,
    /// So many of them
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) limit: NonZeroUsize,
    /// Behind the record with this id
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<String>,
    /// What ids written as text are
    #[arg(long, value_name = "TYPE", value_enum, default_value_t)]
    pub(crate) id_type: IdType,
    /// In the order of this field; records without it are last
    #[arg(long, value_name = "FIELD")]
    pub(crate) order_by: Option<String>,
    /// Largest first
    #[arg(long, requires = "order_by")]
    pub(crate) descending: bool,
    /// Only records whose metadata this is true of; see search --help
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    pub(crate) filter: Option<Filter>,
    /// Where to look
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// One JSON object per record, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Facets {
    /// The database
    pub(crate) db: PathBuf,
    /// The field; outer.inner is a field of an object
    pub(crate) field: String,
    /// Count only records whose metadata this is true of; see search --help
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    pub(crate) filter: Option<Filter>,
    /// Where to count
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// One JSON object per value, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "proxime update [OPTIONS] <DB> <ID>...\n       proxime update [OPTIONS] <DB> --ids <FILE>"
)]
#[command(group(ArgGroup::new("which").required(true).args(["words", "file"])))]
pub(crate) struct Update {
    /// The database
    pub(crate) db: PathBuf,
    #[command(flatten)]
    pub(crate) ids: Ids,
    /// New vectors in .npy, or in another array that import reads, one per id
    #[arg(long, value_name = "FILE.npy", required_unless_present = "metadata")]
    pub(crate) vectors: Option<PathBuf>,
    /// Which array of a .npz or .hdf5 [default: the only one; in .hdf5 train]
    #[arg(long, value_name = "NAME", requires = "vectors")]
    pub(crate) array: Option<String>,
    /// New metadata in place of all that is there: one JSON object per id, one per line
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) metadata: Option<PathBuf>,
    /// Where they are
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Ids, from the command line or from a file.
#[derive(Debug, clap::Args)]
pub(crate) struct Ids {
    /// Ids; see --id-type
    #[arg(value_name = "ID")]
    pub(crate) words: Vec<String>,
    /// Ids from a file: text, one per line, or integers in .npy
    #[arg(id = "file", long = "ids", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// What ids written as text are
    #[arg(long, value_name = "TYPE", value_enum, default_value_t)]
    pub(crate) id_type: IdType,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rename {
    /// The database
    pub(crate) db: PathBuf,
    /// The collection
    pub(crate) name: String,
    /// Its new name
    pub(crate) new_name: String,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Alias {
    /// The database
    pub(crate) db: PathBuf,
    /// The other name
    pub(crate) alias: String,
    /// The collection that it is to stand for
    #[arg(required_unless_present = "drop")]
    pub(crate) name: Option<String>,
    /// Take it away instead; the collection stays
    #[arg(long, conflicts_with = "name")]
    pub(crate) drop: bool,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Drop {
    /// The database
    pub(crate) db: PathBuf,
    /// The collection
    pub(crate) name: String,
    /// Do it: without this, what would be lost is told, and nothing changed
    #[arg(long)]
    pub(crate) yes: bool,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "proxime delete [OPTIONS] <DB> <ID>...\n       proxime delete [OPTIONS] <DB> --ids <FILE>\n       proxime delete [OPTIONS] <DB> --where <FILTER>"
)]
#[command(group(ArgGroup::new("which").required(true).args(["words", "file", "filter"])))]
pub(crate) struct Delete {
    /// The database
    pub(crate) db: PathBuf,
    #[command(flatten)]
    pub(crate) ids: Ids,
    /// Records whose metadata this is true of, instead; see search --help
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    pub(crate) filter: Option<Filter>,
    /// Where to delete them
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is measured, and on what.
#[derive(Debug, clap::Args)]
pub(crate) struct Measured {
    /// The database
    pub(crate) db: PathBuf,
    /// Queries in .npy, or in another array that import reads
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) query: PathBuf,
    /// Which array of a .npz or .hdf5 [default: the only one; in .hdf5 test]
    #[arg(long, value_name = "NAME")]
    pub(crate) array: Option<String>,
    /// Use so many of them: each is answered exactly once, too
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) queries: NonZeroUsize,
    /// How many records to find for each query
    #[arg(short, value_name = "K", default_value = "10")]
    pub(crate) k: NonZeroUsize,
    /// Find only records whose metadata this is true of; see search --help
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    pub(crate) filter: Option<Filter>,
    /// Where to search
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// One JSON object per setting for bench, one in all for tune
    #[arg(long)]
    pub(crate) json: bool,
}

impl Measured {
    pub(crate) fn options(&self) -> SearchOptions {
        SearchOptions {
            filter: self.filter.clone(),
            ..SearchOptions::k(self.k.get())
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) measured: Measured,
    /// Beam widths [default: k times 1, 2, 4, 8, 16, 32]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    pub(crate) ef: Vec<NonZeroUsize>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Tune {
    #[command(flatten)]
    pub(crate) measured: Measured,
    /// Share of the nearest to find, above 0 and up to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = share)]
    pub(crate) recall: f64,
    /// Longest time that 99 % of single queries may take, in microseconds
    #[arg(long, value_name = "US")]
    pub(crate) p99_us: Option<f64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// Where databases are to be: its disk is tried, with a file that is gone afterwards
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Compact {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Only this one [default: every collection]
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Also compute codes, distances and recall again
    #[arg(long)]
    pub(crate) deep: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Repair {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Write segments whose codes or graph are damaged anew, from their vectors
    #[arg(long, required = true)]
    pub(crate) rebuild_index: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Copy {
    /// What to copy; it is only read
    pub(crate) source: PathBuf,
    /// Where to; a directory that is empty or new
    pub(crate) dest: PathBuf,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    /// The database
    pub(crate) db: PathBuf,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

fn metric() -> impl TypedValueParser<Value = Metric> {
    PossibleValuesParser::new(["cosine", "l2", "dot"]).try_map(|name| name.parse::<Metric>())
}

fn dtype() -> impl TypedValueParser<Value = Dtype> {
    PossibleValuesParser::new(["f32", "f16", "int8"]).try_map(|name| name.parse::<Dtype>())
}

fn preset() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(["fast", "default", "high"]).try_map(|name| name.parse::<Preset>())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().map_err(|_| "not a number".to_owned())?;
    match share > 0.0 && share <= 1.0 {
        true => Ok(share),
        false => Err("above 0 and at most 1 is possible".to_owned()),
    }
}

fn filter(text: &str) -> Result<Filter, FilterError> {
    Filter::parse(text, &Metadata::new())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        super::Args::command().debug_assert();
    }
}
