//! Records in batches, each one commit: memory does not grow with the file, and what was stored before an interruption stays.
//!
//! A record that cannot be stored ends the import, or with a reject file is set aside. To resume is to begin again and pass over
//! every batch all of whose ids are there: batches begin at the same records each time, and are stored whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use indicatif::{HumanCount, ProgressBar};
use proxime::{Batch, Collection, CollectionConfig, Database, Key, Metadata, Rows};
use serde::Serialize;

use super::{Counts, check_config, new_config};
use crate::args::Import;
use crate::error::Error;
use crate::rows::{Entry, Record, Source};

/// Components in a batch unless a number of rows is asked for: 256 MiB.
const BATCH_COMPONENTS: usize = 1 << 26;

/// A record that was not stored.
#[derive(Serialize)]
struct Reject<'a> {
    row: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    reason: &'a str,
    input: &'a str,
}

/// Good records that are stored together.
#[derive(Default)]
struct Pending {
    ids: Vec<Key>,
    vectors: Vec<f32>,
    metadata: Vec<Metadata>,
}

struct Importer<'a> {
    args: &'a Import,
    name: &'a Path,
    db: &'a Database,
    /// Known from the first good record on.
    config: Option<CollectionConfig>,
    /// Once it is there.
    collection: Option<Collection>,
    rejects: Option<BufWriter<File>>,
    pending: Pending,
    counts: Counts,
    bar: &'a ProgressBar,
}

pub(super) fn import(
    args: &Import,
    db: &Database,
    name: &Path,
    mut source: Box<dyn Source>,
    bar: &ProgressBar,
) -> Result<Counts, Error> {
    let collection = match db.collection(&args.collection) {
        Ok(collection) => {
            check_config(args, collection.config())?;
            Some(collection)
        }
        Err(proxime::Error::CollectionNotFound { .. }) => None,
        Err(other) => return Err(other.into()),
    };
    let rejects = args.rejects.as_deref().map(create).transpose()?;
    let mut importer = Importer {
        args,
        name,
        db,
        config: collection.as_ref().map(|found| found.config().clone()),
        collection,
        rejects,
        pending: Pending::default(),
        counts: Counts::default(),
        bar,
    };
    let read_error = |source| Error::Read {
        file: name.to_owned(),
        source,
    };
    while let Some(entry) = source.next().map_err(read_error)? {
        importer.take(entry)?;
    }
    importer.store()?;
    importer.finish()
}

fn create(file: &Path) -> Result<BufWriter<File>, Error> {
    let created = File::create(file).map_err(|e| Error::open(file, e))?;
    Ok(BufWriter::new(created))
}

impl Importer<'_> {
    fn take(&mut self, entry: Entry) -> Result<(), Error> {
        self.counts.rows += 1;
        let Entry {
            row,
            line,
            input,
            record,
        } = entry;
        let reason = match record.and_then(|record| self.check(row, record)) {
            Ok(()) => return self.store_if_full(),
            Err(reason) => reason,
        };
        let Some(rejects) = &mut self.rejects else {
            return Err(Error::Row {
                file: self.name.to_owned(),
                place: line.map_or(format!("row {row}"), |line| format!("line {line}")),
                reason,
            });
        };
        self.counts.rejected += 1;
        let reject = Reject {
            row,
            line,
            reason: &reason,
            input: &input,
        };
        let written = serde_json::to_writer(&mut *rejects, &reject)
            .map_err(std::io::Error::from)
            .and_then(|()| rejects.write_all(b"\n"));
        written.map_err(|e| self.cannot_write(e))
    }

    /// Puts a record that can be stored to the others.
    fn check(&mut self, row: usize, record: Record) -> Result<(), String> {
        let dim = record.vector.len();
        let id = record.id.unwrap_or(Key::Int(row as i64));
        let fresh = match &self.config {
            Some(_) => None,
            None if dim == 0 => return Err("a vector without components".to_owned()),
            None => Some(new_config(self.args, dim)),
        };
        let config = fresh.as_ref().or(self.config.as_ref());
        if let Some(Err(e)) = config.map(|c| c.check(&id, &record.vector, &record.metadata)) {
            return Err(reason(e));
        }
        if fresh.is_some() {
            self.config = fresh;
        }
        self.pending.ids.push(id);
        self.pending.vectors.extend(record.vector);
        self.pending.metadata.push(record.metadata);
        Ok(())
    }

    fn store_if_full(&mut self) -> Result<(), Error> {
        let full = match self.args.batch_rows {
            Some(rows) => self.pending.ids.len() >= rows.get(),
            None => self.pending.vectors.len() >= BATCH_COMPONENTS,
        };
        if full { self.store() } else { Ok(()) }
    }

    fn store(&mut self) -> Result<(), Error> {
        let Pending {
            ids,
            vectors,
            metadata,
        } = std::mem::take(&mut self.pending);
        let Some(config) = self.config.clone().filter(|_| !ids.is_empty()) else {
            return Ok(());
        };
        let rows = ids.len();
        if self.args.resume
            && let Some(collection) = &self.collection
            && collection.exist(&ids)?.into_iter().all(|there| there)
        {
            self.counts.passed_over += rows;
            return Ok(());
        }
        let vectors = Rows::new(&vectors, config.dim).map_err(proxime::Error::from)?;
        let batch = Batch::new(ids, &vectors).metadata(metadata);
        match &self.collection {
            Some(collection) => collection.upsert(batch)?,
            None => {
                let name = &self.args.collection;
                self.collection = Some(self.db.create_collection_with(name, config, batch)?);
            }
        }
        self.counts.stored += rows;
        let stored = HumanCount(self.counts.stored as u64);
        self.bar.set_message(format!("{stored} rows stored"));
        Ok(())
    }

    fn finish(mut self) -> Result<Counts, Error> {
        if let Some(Err(e)) = self.rejects.as_mut().map(Write::flush) {
            return Err(self.cannot_write(e));
        }
        Ok(self.counts)
    }

    fn cannot_write(&self, source: std::io::Error) -> Error {
        Error::Write {
            file: self.args.rejects.clone().unwrap_or_default(),
            source,
        }
    }
}

/// What the database says of a record, without the row, which it cannot know.
fn reason(error: proxime::Error) -> String {
    use proxime::Error as E;
    match error {
        E::NotFinite { column, value, .. } => format!("component {column} is {value}"),
        E::ZeroVector { .. } => "the zero vector has no direction, which cosine needs".to_owned(),
        E::Dimension { expected, got, .. } => format!("{got} components instead of {expected}"),
        E::Metadata { path, problem, .. } => format!("metadata{path}: {problem}"),
        E::IdTooLong { bytes, limit, .. } => {
            format!("the id has {bytes} bytes; at most {limit} are possible")
        }
        other => other.to_string(),
    }
}
