//! `import`: rows of a .npy file into a collection.
//!
//! Ids, metadata and the header of the vectors are read and checked before the database is opened; the vectors themselves
//! are streamed by the database, and one bad row stores none.

use std::io::Write;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use proxime::{
    Batch, Collection, CollectionConfig, Database, Key, OpenOptions, Stage, VectorSource,
};
use serde::Serialize;

use crate::args::Import;
use crate::error::{Error, Exit};
use crate::npy::Npy;
use crate::print::{self, Clean};
use crate::records;

#[derive(Serialize)]
struct Report<'a> {
    collection: &'a str,
    /// Rows read from the file.
    rows: usize,
    /// Records in the collection now.
    records: usize,
    seconds: f64,
}

pub(crate) fn run(args: &Import, out: &mut impl Write) -> Result<Exit, Error> {
    let started = Instant::now();
    let vectors = Npy::open(&args.file)?;
    let batch = read_batch(args, &vectors)?;
    let options = OpenOptions {
        threads: args.threads.map(NonZeroUsize::get),
        ..OpenOptions::default()
    };
    let db = Database::open_with(&args.db, &options)?;
    let progress = Progress::new(vectors.rows());
    let show = |stage, done, total| progress.show(stage, done, total);
    let stored = store(&db, args, &vectors, batch.progress(&show));
    progress.bar.finish_and_clear();
    let collection = stored?;

    let report = Report {
        collection: &args.collection,
        rows: vectors.rows(),
        records: collection.len()?,
        seconds: started.elapsed().as_secs_f64(),
    };
    write_report(&report, args.json, out)?;
    Ok(Exit::Ok)
}

/// The vectors with their ids and metadata, which are read here.
fn read_batch<'a>(args: &Import, vectors: &'a Npy) -> Result<Batch<'a>, Error> {
    let rows = vectors.rows();
    if rows > Batch::ROWS_MAX {
        let limit = Batch::ROWS_MAX;
        let error = proxime::Error::TooManyRows { rows, limit };
        return Err(name_culprit(args, vectors, error));
    }
    let ids = match &args.ids {
        Some(file) => records::ids(file, args.id_type, Some(rows))?,
        None => (0..rows as i64).map(Key::Int).collect(),
    };
    let batch = Batch::new(ids, vectors);
    Ok(match &args.metadata {
        Some(file) => batch.metadata(records::metadata(file, rows)?),
        None => batch,
    })
}

/// Stores the batch in its collection. A new one is created with it, so a batch that fails leaves none behind.
fn store(
    db: &Database,
    args: &Import,
    vectors: &Npy,
    batch: Batch<'_>,
) -> Result<Collection, Error> {
    let name = &args.collection;
    let stored = match db.collection(name) {
        Ok(found) => {
            check_config(args, found.config())?;
            found.upsert(batch).map(|()| found)
        }
        Err(proxime::Error::CollectionNotFound { .. }) => {
            db.create_collection_with(name, new_config(args, vectors.dim()), batch)
        }
        Err(other) => Err(other),
    };
    stored.map_err(|e| name_culprit(args, vectors, e))
}

fn new_config(args: &Import, dim: usize) -> CollectionConfig {
    let mut config = CollectionConfig::new(dim);
    if let Some(metric) = args.metric {
        config.metric = metric;
    }
    if let Some(preset) = args.preset {
        config.params = config.params.with_preset(preset);
    }
    config
}

/// Whether a collection is what was asked for, where something was.
fn check_config(args: &Import, config: &CollectionConfig) -> Result<(), Error> {
    let collection = args.collection.clone();
    let stored = config.params.preset();
    match (args.metric, args.preset) {
        (Some(asked), _) if asked != config.metric => Err(Error::Metric {
            collection,
            stored: config.metric,
            asked,
        }),
        (_, Some(asked)) if asked != stored => Err(Error::Preset {
            collection,
            stored,
            asked,
        }),
        _ => Ok(()),
    }
}

/// Puts the file that an error is about in front of it.
fn name_culprit(args: &Import, vectors: &Npy, error: proxime::Error) -> Error {
    match (&args.metadata, error) {
        (Some(file), source @ proxime::Error::Metadata { .. }) => Error::Input {
            file: file.display().to_string(),
            source,
        },
        (_, error) => Error::from_vectors(vectors.name(), 0, error),
    }
}

fn write_report(report: &Report<'_>, json: bool, out: &mut impl Write) -> std::io::Result<()> {
    if json {
        return print::json(out, report);
    }
    writeln!(
        out,
        "{} into {} in {:.2} s; it holds {}",
        print::count(report.rows, "row"),
        Clean(report.collection),
        report.seconds,
        print::count(report.records, "record"),
    )
}

/// A bar on stderr, hidden when that is not a terminal. Each stage counts its rows anew.
struct Progress {
    bar: ProgressBar,
    stage: Mutex<Option<Stage>>,
}

impl Progress {
    fn new(rows: usize) -> Progress {
        let rows_per_s = |state: &ProgressState, w: &mut dyn std::fmt::Write| {
            // A failed write to a progress bar is nobody's problem.
            let _ = write!(w, "{} rows/s", HumanCount(state.per_sec() as u64));
        };
        let style = ProgressStyle::with_template(
            "{msg:6} [{bar:32}] {human_pos}/{human_len}  {rows_per_s}  {eta} left",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rows_per_s", rows_per_s)
        .progress_chars("=> ");
        Progress {
            bar: ProgressBar::new(rows as u64).with_style(style),
            stage: Mutex::new(None),
        }
    }

    fn show(&self, stage: Stage, done: usize, total: usize) -> ControlFlow<()> {
        let mut shown = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.replace(stage) != Some(stage) {
            self.bar.set_message(stage.to_string());
            self.bar.set_length(total as u64);
            self.bar.reset();
        }
        self.bar.set_position(done as u64);
        ControlFlow::Continue(())
    }
}
