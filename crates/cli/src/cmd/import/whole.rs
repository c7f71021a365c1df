//! An array as one batch: all of its rows are stored, or none. The database reads them itself, straight from the file.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use proxime::{Batch, Collection, Database, Key, Stage, VectorSource};

use super::{check_config, new_config};
use crate::args::Import;
use crate::array::Array;
use crate::error::Error;
use crate::records;

/// Ids, metadata and the header of the vectors are read and checked before the database is opened.
pub(super) fn import(args: &Import, vectors: &Array) -> Result<(Database, usize), Error> {
    let (ids, metadata) = beside(args, vectors)?;
    let batch = match metadata {
        Some(metadata) => Batch::new(ids, vectors).metadata(metadata),
        None => Batch::new(ids, vectors),
    };
    let db = super::open(args)?;
    let progress = Progress::new(vectors.rows());
    let show = |stage, done, total| progress.show(stage, done, total);
    let stored = store(&db, args, vectors, batch.progress(&show));
    progress.bar.finish_and_clear();
    stored?;
    Ok((db, vectors.rows()))
}

/// The ids and the metadata that come with an array.
pub(super) fn beside(
    args: &Import,
    vectors: &Array,
) -> Result<(Vec<Key>, Option<Vec<proxime::Metadata>>), Error> {
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
    let metadata = args.metadata.as_deref();
    let metadata = metadata.map(|file| records::metadata(file, rows));
    Ok((ids, metadata.transpose()?))
}

/// Stores the batch in its collection. A new one is created with it, so a batch that fails leaves none behind.
fn store(
    db: &Database,
    args: &Import,
    vectors: &Array,
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

/// Puts the file that an error is about in front of it.
fn name_culprit(args: &Import, vectors: &Array, error: proxime::Error) -> Error {
    match (&args.metadata, error) {
        (Some(file), source @ proxime::Error::Metadata { .. }) => Error::Input {
            file: file.display().to_string(),
            source,
        },
        (_, error) => Error::from_vectors(vectors.name(), 0, error),
    }
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
