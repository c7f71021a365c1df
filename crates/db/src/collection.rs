//! A collection: records of one dimension and metric, written in batches, found by nearness.

use std::sync::Arc;

use proxime_core::{EF_MAX, GraphStats as CoreStats, Matches};
use proxime_simd::Level;
use proxime_storage::column::ColumnBuilder;
use rayon::prelude::*;

use crate::batch::Batch;
use crate::commit::{Outcome, Writing};
use crate::database::Inner;
use crate::entry::Entry;
use crate::order::wanted_by;
use crate::pool::Workers;
use crate::record::ids::{Ids, Kept, keep_last};
use crate::record::payload;
use crate::record::versions::Versions;
use crate::search::{self, Chosen, Found, Place, Plan};
use crate::segment::{Index, LoggedRows};
use crate::snapshot::{Snapshot, View};
use crate::update::Absent;
use crate::writer::{Checked, check_vectors};
use crate::{
    CollectionConfig, Error, Filter, GraphStats, Input, Key, Metadata, Progress, Recall, Result,
    Results, Rows, Schema, SearchOptions, Stats, condition, digest, frame, merge,
};

/// A handle to a collection. Clones are the same collection.
#[derive(Clone, Debug)]
pub struct Collection {
    pub(crate) database: Arc<Inner>,
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) config: CollectionConfig,
}

/// One stored record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its id.
    pub id: Key,
    /// Its vector, as it was stored.
    pub vector: Vec<f32>,
    /// Its metadata; empty if it was stored without.
    pub metadata: Metadata,
    /// The number of the write that stored it last, as the log counts writes: greater than that of every earlier one.
    pub version: u64,
}

/// What to do with ids that are there already.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Existing {
    Refuse,
    Replace,
    /// In part: what a batch does not have stays.
    Change,
}

/// A share that can be found, and one wish at a time.
fn check_recall(options: &SearchOptions) -> Result<()> {
    let refused = |limit: &str| {
        Err(Error::Parameter {
            name: "recall",
            value: options.recall.unwrap_or_default().to_string(),
            limit: limit.into(),
        })
    };
    match options.recall {
        Some(recall) if !(recall > 0.0 && recall <= 1.0) => refused("above 0 and at most 1"),
        Some(_) if options.ef.is_some() => refused("given without ef, which it chooses"),
        _ => Ok(()),
    }
}

impl Collection {
    pub(crate) fn new(database: Arc<Inner>, entry: &Entry) -> Collection {
        Collection {
            database,
            id: entry.id,
            name: entry.name.clone(),
            config: entry.config.clone(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was created with.
    pub fn config(&self) -> &CollectionConfig {
        &self.config
    }

    /// Number of records.
    pub fn len(&self) -> Result<usize> {
        Ok(self.view()?.live())
    }

    /// No records.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Stores records with new ids: all of them, durably, or none.
    ///
    /// Errors: an id given twice or stored already; a bad vector or bad metadata, by row; interrupted. Nothing is stored then.
    pub fn add(&self, batch: Batch<'_>) -> Result<()> {
        self.store(batch, Existing::Refuse)
    }

    /// Stores records, replacing those with the same ids: all of them, durably, or none. Of rows with the same id the last
    /// wins. An empty batch does nothing.
    ///
    /// Errors: a bad vector or bad metadata, by row; interrupted. Nothing is stored then.
    pub fn upsert(&self, batch: Batch<'_>) -> Result<()> {
        self.store(batch, Existing::Replace)
    }

    fn store(&self, batch: Batch<'_>, existing: Existing) -> Result<()> {
        self.database.check_writable()?;
        let checked = check(batch, &self.config, existing)?;
        let progress = checked.progress;
        self.database.write_to(
            self.id,
            &self.name,
            progress,
            |writing, snapshot, view, workers| {
                if existing == Existing::Refuse {
                    refuse_existing(view, &checked.ids, &checked.kept)?;
                }
                condition::check_batch(view, &checked)?;
                self.make_durable(writing, snapshot, view, workers, checked)
            },
        )
    }

    /// In the log, or in a segment.
    pub(crate) fn make_durable(
        &self,
        writing: &mut Writing,
        snapshot: &Snapshot,
        view: &View,
        workers: &Workers,
        checked: Checked<'_>,
    ) -> Result<Outcome> {
        if checked.ids.rows() == 0 {
            Ok(Outcome::Nothing)
        } else if checked.is_small() {
            writing.log_batch(view, checked.into_rows(&self.config)?)
        } else {
            writing.write_batch(snapshot, view, workers, checked)
        }
    }

    /// Deletes the records with these ids, those that there are: all of them, durably, or none. Returns how many there were. An
    /// id may be given twice.
    ///
    /// Errors: none but those that every write has.
    pub fn delete(&self, ids: &[Key]) -> Result<usize> {
        let ids = keys_of(ids);
        self.delete_found(|view| there_by_id(view, &ids))
    }

    /// The same, only if each record has the version that is given for its id, 0 standing for one that is not there. Returns how many
    /// there were.
    ///
    /// Errors: [`Error::Version`], and nothing is deleted; those that every write has.
    pub fn delete_if(&self, ids: &[Key], versions: &[u64]) -> Result<usize> {
        condition::check_count(versions, ids.len())?;
        let keys = keys_of(ids);
        self.delete_found(|view| {
            condition::check_ids(view, ids, versions)?;
            there_by_id(view, &keys)
        })
    }

    /// Deletes the records that the filter is true of: all of them, durably, or none. Returns how many there were.
    ///
    /// Errors: a filter that is wrong; those that every write has.
    pub fn delete_where(&self, filter: &Filter) -> Result<usize> {
        self.delete_found(|view| there_where(view, filter))
    }

    /// `find` gives ids of records that are there.
    fn delete_found(&self, find: impl FnOnce(&View) -> Result<Ids>) -> Result<usize> {
        let mut deleted = 0;
        self.database.write_to(
            self.id,
            &self.name,
            None,
            |writing, snapshot, view, workers| {
                let there = find(view)?;
                deleted = there.rows() as usize;
                if deleted == 0 {
                    Ok(Outcome::Nothing)
                } else if there.as_bytes().len() <= frame::BYTES_MAX {
                    writing.log_batch(view, LoggedRows::deletions(there))
                } else {
                    let none = Absent {
                        rows: 0,
                        dim: self.config.dim,
                    };
                    writing.write_batch(snapshot, view, workers, Checked::deletions(there, &none))
                }
            },
        )?;
        Ok(deleted)
    }

    /// Whether a write would be held back now, until the background has caught up: it can take as long as putting all segments together.
    pub fn is_held_back(&self) -> bool {
        self.database.holds_back(self.id)
    }

    /// Returns when a write would not be held back. Every write waits by itself; this is for who wants to be able to stop the waiting for one
    /// that takes no `progress`.
    ///
    /// Errors: interrupted.
    pub fn wait(&self, progress: Progress<'_>) -> Result<()> {
        self.database.wait_for_background(self.id, Some(progress))
    }

    /// Puts everything into one segment: what is replaced or deleted takes no room then, and what is in memory only has a graph.
    /// Searches and writes go on meanwhile. `progress` can stop it, and then nothing has changed.
    ///
    /// Errors: those that every write has; interrupted. Cost: as for storing everything once more, and until it is done its room.
    pub fn compact(&self, progress: Option<Progress<'_>>) -> Result<()> {
        self.database.compact(self.id, &self.name, progress)
    }

    /// The nearest records of each query: always `min(k, len)` of them, or with a filter as many as it is true of. Only
    /// `max_distance` makes them fewer.
    ///
    /// Errors: queries of another dimension, not finite, or zero under cosine; `ef` out of range; a filter that is wrong.
    pub fn search(&self, queries: Rows<'_, f32>, options: &SearchOptions) -> Result<Results> {
        let view = self.view()?;
        let found = self.search_in(&view, queries, options)?;
        Ok(Results::new(view, found))
    }

    /// The nearest records of each query, of those that its own filter is true of, if there is one, and that of the options. Otherwise as
    /// [`Collection::search`].
    ///
    /// Errors: as there; not as many filters as queries. Cost: each filter is evaluated for itself; queries with the same one cost less
    /// in one `search`.
    pub fn search_each(
        &self,
        queries: Rows<'_, f32>,
        filters: &[Option<Filter>],
        options: &SearchOptions,
    ) -> Result<Results> {
        if filters.len() != queries.n() {
            return Err(Error::Parameter {
                name: "filters",
                value: format!("{} of them", filters.len()),
                limit: format!("one for each of {} queries", queries.n()),
            });
        }
        let view = self.view()?;
        self.plan(queries, options)?;
        let one = |(query, filter): (usize, &Option<Filter>)| -> Result<Vec<Place>> {
            let both = options.filter.iter().chain(filter).cloned();
            let options = SearchOptions {
                filter: both.reduce(|a, b| a & b),
                ..options.clone()
            };
            let found = self.search_in(&view, queries.slice(query..query + 1), &options)?;
            Ok(found.into_iter().flatten().collect())
        };
        let workers = self.database.pool.workers()?;
        let all = filters.par_iter().enumerate().map(one);
        let found = workers.threads.install(|| all.collect::<Vec<Result<_>>>());
        Ok(Results::new(
            view,
            found.into_iter().collect::<Result<_>>()?,
        ))
    }

    /// The same in one snapshot.
    pub(crate) fn search_in(
        &self,
        view: &View,
        queries: Rows<'_, f32>,
        options: &SearchOptions,
    ) -> Result<Vec<Vec<Place>>> {
        let plan = self.plan(queries, options)?;
        let chosen = choose_by(view, options)?;
        self.run(view, queries, plan, options.recall, chosen.as_deref())
    }

    /// What the options ask for, of these queries.
    ///
    /// Errors: those of [`Collection::search`], but for the filter's.
    pub(crate) fn plan(&self, queries: Rows<'_, f32>, options: &SearchOptions) -> Result<Plan> {
        if queries.dim() != self.config.dim {
            return Err(Error::Dimension {
                input: Input::Query,
                expected: self.config.dim,
                got: queries.dim(),
            });
        }
        check_vectors(queries, self.config.metric, Input::Query, |row| row)?;
        let default = (self.config.params.ef_search()).max(options.k.saturating_mul(2));
        let ef = options.ef.unwrap_or(default.min(EF_MAX));
        if !(1..=EF_MAX).contains(&ef) {
            return Err(Error::Parameter {
                name: "ef",
                value: ef.to_string(),
                limit: format!("between 1 and {EF_MAX}"),
            });
        }
        check_recall(options)?;
        let max_distance = options.max_distance.unwrap_or(f32::INFINITY);
        if max_distance.is_nan() {
            return Err(Error::Parameter {
                name: "max_distance",
                value: max_distance.to_string(),
                limit: "a number".to_owned(),
            });
        }
        Ok(Plan {
            exact: options.exact,
            widens: options.ef.is_none(),
            max_distance,
            ..Plan::beam(options.k, ef)
        })
    }

    /// The nearest of each query, of the chosen rows of each part if any were: as many as the plan says where there are so many.
    pub(crate) fn run(
        &self,
        view: &View,
        queries: Rows<'_, f32>,
        plan: Plan,
        recall: Option<f64>,
        chosen: Option<&[Chosen]>,
    ) -> Result<Vec<Vec<Place>>> {
        let found = self.find(view, queries, plan, recall, chosen)?;
        Ok(found.places)
    }

    /// The same, with what was done if the plan says so.
    pub(crate) fn find(
        &self,
        view: &View,
        queries: Rows<'_, f32>,
        plan: Plan,
        recall: Option<f64>,
        chosen: Option<&[Chosen]>,
    ) -> Result<Found> {
        let available = match chosen {
            None => view.live(),
            Some(chosen) => chosen.iter().map(Matches::count).sum(),
        };
        let plan = plan.with_k(plan.k.min(available));
        if plan.k == 0 {
            return Ok(Found {
                places: queries.iter().map(|_| Vec::new()).collect(),
                ..Found::default()
            });
        }
        let workers = self.database.pool.workers()?;
        search::search(view, &workers, queries, plan, recall, chosen)
    }

    /// What share of the true nearest these queries get from a search with these options: each is answered twice, the second
    /// time by looking at every vector.
    ///
    /// Errors: as [`Collection::search`].
    pub fn measure_recall(
        &self,
        queries: Rows<'_, f32>,
        options: &SearchOptions,
    ) -> Result<Recall> {
        let found = self.search(queries, options)?;
        let exact = self.search(
            queries,
            &SearchOptions {
                exact: true,
                ..options.clone()
            },
        )?;
        Ok(Recall::of(&found, &exact))
    }

    /// The collection in numbers. Cost: a walk over the graphs.
    pub fn stats(&self) -> Result<Stats> {
        let view = self.view()?;
        let segments = || view.parts.iter().map(|part| &part.segment);
        let graphs: Vec<CoreStats> = segments()
            .filter_map(|s| s.graph())
            .map(|index| index.graph.stats())
            .collect();
        Ok(Stats {
            name: self.name.clone(),
            dim: self.config.dim,
            metric: self.config.metric,
            dtype: self.config.dtype,
            preset: self.config.params.preset(),
            rows: view.rows(),
            live: view.live(),
            segments: view.sealed_and_tail().0.len(),
            tail_rows: view.tail_rows(),
            bytes_on_disk: segments()
                .filter_map(|s| s.file.as_ref())
                .map(|file| file.bytes)
                .sum(),
            graph: GraphStats::over(&graphs),
            damaged_graphs: segments()
                .filter(|segment| matches!(segment.search_index(), Index::Damaged(_)))
                .count(),
            threads: self.database.pool.threads(),
            isa: Level::detect().name().to_owned(),
        })
    }

    /// 32 hex digits over everything stored and built: ids, metadata, vectors, codes, graphs, in segment order. The same
    /// segments give the same digest with any number of threads, on any CPU, in any store. What the background makes of many batches depends on
    /// when it does; after [`compact`](Collection::compact) the records and their order decide.
    pub fn digest(&self) -> Result<String> {
        digest::digest(&*self.view()?)
    }

    pub(crate) fn view(&self) -> Result<Arc<View>> {
        let snapshot = self.database.snapshot()?;
        let view = snapshot.by_id(self.id)?.cloned();
        view.ok_or_else(|| snapshot.not_found(&self.name))
    }
}

/// The rows that a filter is true of, part by part.
pub(crate) fn choose(view: &View, filter: &Filter) -> Result<Vec<Chosen>> {
    filter.check()?;
    let parts = view.parts.iter();
    parts.map(|part| Chosen::by(filter, part)).collect()
}

/// The rows that a search with these options may find, part by part; `None` if that is all that count.
pub(crate) fn choose_by(view: &View, options: &SearchOptions) -> Result<Option<Vec<Chosen>>> {
    if options.filter.is_none() && options.without.is_empty() {
        return Ok(None);
    }
    let wanted = wanted_by(view, options)?;
    Ok(Some(wanted.into_iter().map(Chosen::new).collect()))
}

/// The ids as bytes, each once.
pub(crate) fn keys_of(ids: &[Key]) -> Vec<Vec<u8>> {
    let (kept, _) = keep_last(ids);
    let keys = kept.iter().filter_map(|row| ids.get(row));
    keys.map(Key::to_bytes).collect()
}

/// Those of the ids that have a record.
pub(crate) fn there_by_id(view: &View, ids: &[Vec<u8>]) -> Result<Ids> {
    let there = ids.iter().map(Vec::as_slice);
    let there = there.filter(|id| view.find(id).is_some());
    Ids::collect(there).map_err(merge::damaged)
}

/// The ids of the records that the filter is true of.
pub(crate) fn there_where(view: &View, filter: &Filter) -> Result<Ids> {
    let chosen = choose(view, filter)?;
    let parts = view.parts.iter().zip(&chosen);
    let there = parts.flat_map(|(part, chosen)| {
        let ids = &part.segment.ids;
        chosen.iter().map(|row| ids.bytes(row))
    });
    Ids::collect(there).map_err(merge::damaged)
}

/// Everything about a batch that can be known before its vectors are read.
pub(crate) fn check<'a>(
    batch: Batch<'a>,
    config: &CollectionConfig,
    existing: Existing,
) -> Result<Checked<'a>> {
    let Batch {
        ids: keys,
        vectors,
        metadata,
        if_versions,
        progress,
    } = batch;
    let rows = vectors.rows();
    if vectors.dim() != config.dim {
        return Err(Error::Dimension {
            input: Input::Row,
            expected: config.dim,
            got: vectors.dim(),
        });
    }
    if keys.len() != rows {
        return Err(Error::IdCount {
            rows,
            ids: keys.len(),
        });
    }
    if rows > Batch::ROWS_MAX {
        return Err(Error::TooManyRows {
            rows,
            limit: Batch::ROWS_MAX,
        });
    }
    if let Some(metadata) = metadata
        .as_ref()
        .map(Vec::len)
        .filter(|&metadata| metadata != rows)
    {
        return Err(Error::MetadataCount { rows, metadata });
    }
    if let Some(if_versions) = &if_versions {
        condition::check_count(if_versions, rows)?;
    }
    check_lengths(&keys)?;
    let (kept, repeated) = keep_last(&keys);
    if let (Some(again), Existing::Refuse) = (repeated, existing) {
        let id = keys.get(again.row).cloned().unwrap_or(Key::Int(0));
        return Err(Error::DuplicateId {
            id,
            first_row: again.first_row,
            row: again.row,
        });
    }
    let payload = match metadata {
        Some(metadata) => Some(encode_all(&config.schema, &metadata, &kept)?),
        None if existing == Existing::Change || rows == 0 => None,
        // All rows are alike: the first is as wrong as any.
        None => config
            .schema
            .ready()?
            .check(0, &Metadata::new())
            .map(|()| None)?,
    };
    let ids = Ids::of(&keys, &kept).map_err(|e| Error::Damaged {
        file: "ids".into(),
        what: e.to_string(),
    })?;
    Ok(Checked {
        kept,
        ids,
        versions: Versions::default(),
        payload,
        if_versions,
        deleted: None,
        vectors,
        progress,
    })
}

impl CollectionConfig {
    /// Whether a record could be stored: what an upsert of it alone would say, before it is put into a batch.
    ///
    /// Errors: as for [`Collection::upsert`]; its row is 0.
    pub fn check(&self, id: &Key, vector: &[f32], metadata: &Metadata) -> Result<()> {
        let got = vector.len();
        if got != self.dim {
            return Err(Error::Dimension {
                input: Input::Row,
                expected: self.dim,
                got,
            });
        }
        check_lengths(std::slice::from_ref(id))?;
        encode_all(&self.schema, std::slice::from_ref(metadata), &Kept::All(1))?;
        let row = Rows::new(vector, self.dim)?;
        check_vectors(row, self.metric, Input::Row, |row| row)
    }
}

fn check_lengths(keys: &[Key]) -> Result<()> {
    let limit = Key::BYTES_MAX;
    let bytes = |key: &Key| match key {
        Key::Int(_) | Key::Uuid(_) => 0,
        Key::Text(id) => id.len(),
        Key::Bytes(id) => id.len(),
    };
    let lengths = keys.iter().map(bytes).enumerate();
    let too_long = lengths.into_iter().find(|(_, bytes)| *bytes > limit);
    too_long.map_or(Ok(()), |(row, bytes)| {
        Err(Error::IdTooLong { row, bytes, limit })
    })
}

/// Every row's metadata is checked, against the schema, too; that of the rows that are kept is encoded.
fn encode_all(schema: &Schema, metadata: &[Metadata], kept: &Kept) -> Result<ColumnBuilder> {
    let schema = schema.ready()?;
    let mut builder = ColumnBuilder::default();
    let mut next = kept.iter().peekable();
    for (row, metadata) in metadata.iter().enumerate() {
        schema.check(row, metadata)?;
        let at_row = |e: crate::ValueError| Error::Metadata {
            row,
            path: e.path,
            problem: e.problem,
        };
        if next.next_if_eq(&row).is_some() {
            builder
                .push(|out| payload::encode(metadata, out))
                .map_err(at_row)?;
        } else {
            payload::encode(metadata, &mut Vec::new()).map_err(at_row)?;
        }
    }
    Ok(builder)
}

/// Errors: an id that has a record.
pub(crate) fn refuse_existing(view: &View, ids: &Ids, kept: &Kept) -> Result<()> {
    let found = (0..ids.rows()).find(|&row| view.find(ids.bytes(row)).is_some());
    found.map_or(Ok(()), |row| {
        Err(Error::IdExists {
            id: ids.get(row).to_key(),
            row: kept.row(row as usize),
        })
    })
}
