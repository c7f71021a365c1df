//! Text to validated options.
//!
//! What can be checked without opening a file is checked here, by clap, which exits with 2. Help shows examples and the exit
//! codes; whoever adds a verb adds its example.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};
use proxime::{Filter, FilterError, Metadata, Metric, Preset};

/// An embedded vector database: durable collections, fast nearest-neighbour search.
#[derive(Debug, Parser)]
#[command(name = "proxime", version, arg_required_else_help = true, after_help = MAIN_HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Store the rows of a .npy file
    #[command(after_help = IMPORT_HELP)]
    Import(Import),
    /// Find the nearest records of each query
    #[command(after_help = SEARCH_HELP)]
    Search(Search),
    /// Delete records by id, or by their metadata
    #[command(after_help = DELETE_HELP)]
    Delete(Delete),
    /// Put all of a collection into one segment, without what was replaced or deleted
    #[command(after_help = COMPACT_HELP)]
    Compact(Compact),
    /// Count records
    #[command(after_help = COUNT_HELP)]
    Count(Count),
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
    Salvage(Salvage),
    /// Copy a database, also while it is being written to
    #[command(after_help = BACKUP_HELP)]
    Backup(Copy),
    /// Copy a backup to a new place, checking it on the way
    #[command(after_help = RESTORE_HELP)]
    Restore(Copy),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The database, a directory; created if missing
    pub(crate) db: PathBuf,
    /// Vectors, one per row: float16, float32, float64 or integers
    pub(crate) file: PathBuf,
    /// Where to store them; created if missing
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// How a new collection compares vectors [default: cosine]
    #[arg(long, value_parser = metric())]
    pub(crate) metric: Option<Metric>,
    /// How much to spend on the graphs of a new collection [default: default]
    #[arg(long, value_parser = preset())]
    pub(crate) preset: Option<Preset>,
    /// One id per row: text, one per line (integers if all are), or integers in .npy. Default: row numbers from 0.
    /// A stored record with the same id is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) ids: Option<PathBuf>,
    /// One JSON object per row, one per line
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) metadata: Option<PathBuf>,
    /// Threads to use [default: $PROXIME_THREADS, or all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Search {
    /// The database
    pub(crate) db: PathBuf,
    /// Queries in .npy, one per row or a single vector; - reads stdin
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) query: PathBuf,
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
    /// Find nothing farther than this
    #[arg(long, value_name = "DISTANCE", allow_negative_numbers = true)]
    pub(crate) max_distance: Option<f32>,
    /// Where to search
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
    /// One JSON object per query, one per line
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
pub(crate) struct Delete {
    /// The database
    pub(crate) db: PathBuf,
    /// Ids: integers if all of them are
    #[arg(value_name = "ID", required_unless_present_any = ["ids", "filter"])]
    pub(crate) id: Vec<String>,
    /// Ids from a file: text, one per line, or integers in .npy
    #[arg(long, value_name = "FILE", conflicts_with = "id")]
    pub(crate) ids: Option<PathBuf>,
    /// Records whose metadata this is true of, instead; see search --help
    #[arg(long = "where", value_name = "FILTER", value_parser = filter, conflicts_with_all = ["id", "ids"])]
    pub(crate) filter: Option<Filter>,
    /// Where to delete them
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) collection: String,
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
pub(crate) struct Salvage {
    #[command(flatten)]
    pub(crate) copy: Copy,
    /// Report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Copy {
    /// What to copy; it is only read
    pub(crate) source: PathBuf,
    /// Where to; a directory that is empty or new
    pub(crate) dest: PathBuf,
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

fn preset() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(["fast", "default", "high"]).try_map(|name| name.parse::<Preset>())
}

fn filter(text: &str) -> Result<Filter, FilterError> {
    Filter::parse(text, &Metadata::new())
}

const MAIN_HELP: &str = "\
Examples:
  proxime import docs.db docs.npy --ids ids.txt --metadata meta.jsonl
  proxime search docs.db --query q.npy -k 10 --json
  proxime count docs.db --where 'year >= 2020'
  proxime info docs.db
  proxime verify docs.db
  proxime repair docs.db --rebuild-index
  proxime backup docs.db /backups/docs-monday

Exit codes:
  0  done
  1  failed for a reason not below, such as a full disk
  2  the arguments make no sense
  3  no such file, database or collection
  4  the database is damaged
  5  another process is writing to the database
  6  refused: bad input, or not a database; nothing was changed
  130  interrupted; no row was stored";

const IMPORT_HELP: &str = "\
Examples:
  proxime import docs.db docs.npy
  proxime import docs.db docs.npy --ids ids.txt --metadata meta.jsonl
  proxime import docs.db images.npy --collection images --metric l2 --json
  proxime import docs.db docs.npy --preset high

All rows are stored, or none. --json prints {collection, rows, records, seconds}.";

const SEARCH_HELP: &str = "\
Examples:
  proxime search docs.db --query q.npy
  proxime search docs.db --query - -k 3 --json < q.npy
  proxime search docs.db --query q.npy --exact --collection images
  proxime search docs.db --query q.npy --where \"lang IN ('en', 'de') AND NOT tags CONTAINS 'draft'\"
  proxime search docs.db --query q.npy --where 'year >= 2020' --max-distance 0.3

Smaller distances are nearer: 1 - cos for cosine, squared for l2, the negated
product for dot. --json prints {query, ids, distances, metadata} for each query.

Filters: = != < <= > >=, IN (...), CONTAINS, IS NULL, IS MISSING, AND, OR, NOT, parentheses;
texts in single quotes, TRUE, FALSE; outer.inner is a field of an object.";

const COUNT_HELP: &str = "\
Examples:
  proxime count docs.db
  proxime count docs.db --where \"lang = 'en' AND year >= 2020\" --json

--json prints {collection, count}.";

const DELETE_HELP: &str = "\
Examples:
  proxime delete docs.db a7 b12
  proxime delete docs.db --ids gone.txt --collection images
  proxime delete docs.db --where 'year < 2000'

Ids that are not there are passed over. --json prints {collection, deleted, records}.";

const COMPACT_HELP: &str = "\
Examples:
  proxime compact docs.db

Needs the room of what it puts together until it is done. --json prints
{bytes_before, bytes_after}.";

const INFO_HELP: &str = "\
Examples:
  proxime info docs.db
  proxime info docs.db --json";

const VERIFY_HELP: &str = "\
Examples:
  proxime verify docs.db
  proxime verify docs.db --deep
  proxime verify docs.db --json || echo 'restore the backup'

Changes nothing. --deep encodes every vector again and searches for 200 of them in
each collection, by graph and exactly; the recall is told, not judged. --json
prints {ok, manifest, problems, collections}.";

const REPAIR_HELP: &str = "\
Examples:
  proxime repair docs.db --rebuild-index

Replaces each segment that is searched by looking at every vector because its index is
damaged; ids, vectors and metadata stay as they are. All of them, or none. --json prints
{rebuilt: [{collection, file, rows, problem}]}.";

const SALVAGE_HELP: &str = "\
Examples:
  proxime salvage docs.db rescued.db
  proxime salvage docs.db rescued.db --json > lost.json

For a database that does not open. Every record whose blocks hold comes over, in a new
database with new indexes; docs.db is not changed. Exit code 0 if nothing is known to be
missing, else 4. --json prints {complete, manifest, problems, collections: [{name, records,
lost: [{file, first_row, last_row, ids}], without_metadata: [...]}]}.";

const BACKUP_HELP: &str = "\
Examples:
  proxime backup docs.db /backups/docs-monday

The copy is the database as it was when the command began, with everything that was
durable then, and is opened like any other. Damage is not copied: it is an error.";

const RESTORE_HELP: &str = "\
Examples:
  proxime restore /backups/docs-monday docs.db";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        super::Args::command().debug_assert();
    }
}
