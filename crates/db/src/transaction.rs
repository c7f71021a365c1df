//! Several writes as one.
//!
//! What a transaction is given is checked and copied at once; nothing is written, and nobody waits, before it is committed. Then its writes
//! are done in order, each seeing those before it, to a snapshot that nobody else sees. What comes out is one frame of the log, or, if it
//! is too large for that, segments that one manifest names: in both cases all of it is there, or none.

use std::collections::BTreeSet;
use std::sync::Arc;

use proxime_storage::column::ColumnBuilder;

use crate::collection::{Existing, check, keys_of, refuse_existing, there_by_id, there_where};
use crate::database::Inner;
use crate::frame::Joined;
use crate::record::ids::{Ids, Kept};
use crate::record::versions::Versions;
use crate::segment::{LoggedRows, Segment};
use crate::snapshot::View;
use crate::update::Keeps;
use crate::writer::{Checked, check_vectors};
use crate::{
    Batch, Collection, Database, Error, Filter, Input, Key, Progress, Result, Rows, Update,
    condition, merge,
};

/// Writes to one or several collections of a database that take place together, or not at all: when it is committed, in the order in
/// which they were given. Dropped without that, it has done nothing.
///
/// ```
/// use proxime::{Batch, CollectionConfig, Database, Key, Rows};
/// let db = Database::in_memory()?;
/// let [new, old] = ["new", "old"].map(|name| db.create_collection(name, CollectionConfig::new(2)));
/// let (new, old) = (new?, old?);
/// old.upsert(Batch::new(vec![Key::Int(7)], &Rows::new(&[1.0, 0.0], 2)?))?;
///
/// let mut moving = db.transaction();
/// moving.add(&new, Batch::new(vec![Key::Int(7)], &Rows::new(&[1.0, 0.0], 2)?))?;
/// moving.delete(&old, &[Key::Int(7)])?;
/// moving.commit()?;
/// assert_eq!((new.len()?, old.len()?), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Transaction {
    database: Arc<Inner>,
    writes: Vec<Write>,
}

/// What is to be done to a collection.
#[derive(Debug)]
struct Write {
    collection_id: u64,
    name: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Store(Copied, Existing),
    Update(Copied, Keeps),
    Delete(Vec<Vec<u8>>),
    DeleteIf(Vec<Key>, Vec<u64>),
    DeleteWhere(Filter),
}

/// A batch of which nothing is the caller's any more.
#[derive(Debug)]
struct Copied {
    kept: Kept,
    ids: Ids,
    payload: Option<ColumnBuilder>,
    if_versions: Option<Vec<u64>>,
    /// Of all rows of the batch, in their order; empty if there are none.
    vectors: Vec<f32>,
}

impl Copied {
    /// Errors: a bad vector, by its row.
    fn new(checked: Checked<'_>, collection: &Collection, without_vectors: bool) -> Result<Copied> {
        let config = collection.config();
        let rows = match without_vectors {
            true => 0,
            false => checked.vectors.rows(),
        };
        let mut vectors = vec![0.0; rows * config.dim];
        checked.vectors.read(0, &mut vectors)?;
        let rows = Rows::new(&vectors, config.dim)?;
        check_vectors(rows, config.metric, Input::Row, |row| row)?;
        Ok(Copied {
            kept: checked.kept,
            ids: checked.ids,
            payload: checked.payload,
            if_versions: checked.if_versions,
            vectors,
        })
    }

    fn checked<'a>(self, vectors: &'a Rows<'a, f32>) -> Checked<'a> {
        Checked {
            kept: self.kept,
            ids: self.ids,
            versions: Versions::default(),
            payload: self.payload,
            if_versions: self.if_versions,
            deleted: None,
            vectors,
            progress: None,
        }
    }
}

impl Database {
    /// Begins to gather writes that take place together.
    pub fn transaction(&self) -> Transaction {
        Transaction {
            database: Arc::clone(&self.0),
            writes: Vec::new(),
        }
    }
}

impl Transaction {
    /// As [`Collection::add`]. An id that is there already is an error of [`commit`](Transaction::commit).
    pub fn add(&mut self, collection: &Collection, batch: Batch<'_>) -> Result<()> {
        self.store(collection, batch, Existing::Refuse)
    }

    /// As [`Collection::upsert`].
    pub fn upsert(&mut self, collection: &Collection, batch: Batch<'_>) -> Result<()> {
        self.store(collection, batch, Existing::Replace)
    }

    fn store(
        &mut self,
        collection: &Collection,
        batch: Batch<'_>,
        existing: Existing,
    ) -> Result<()> {
        let checked = check(batch, collection.config(), existing)?;
        let copied = Copied::new(checked, collection, false)?;
        self.push(collection, What::Store(copied, existing))
    }

    /// As [`Collection::update`]. An id that is not there is an error of [`commit`](Transaction::commit).
    pub fn update(&mut self, collection: &Collection, update: Update<'_>) -> Result<()> {
        let absent = update.absent(collection.config());
        let (checked, keeps) = update.check(collection.config(), &absent)?;
        let copied = Copied::new(checked, collection, keeps.vectors)?;
        self.push(collection, What::Update(copied, keeps))
    }

    /// As [`Collection::delete`].
    pub fn delete(&mut self, collection: &Collection, ids: &[Key]) -> Result<()> {
        self.push(collection, What::Delete(keys_of(ids)))
    }

    /// As [`Collection::delete_if`]. A record that has another version is an error of [`commit`](Transaction::commit); one that was written in
    /// this transaction has.
    pub fn delete_if(
        &mut self,
        collection: &Collection,
        ids: &[Key],
        versions: &[u64],
    ) -> Result<()> {
        condition::check_count(versions, ids.len())?;
        let what = What::DeleteIf(ids.to_vec(), versions.to_vec());
        self.push(collection, what)
    }

    /// As [`Collection::delete_where`]: the records that it is true of when it is committed, those of this transaction included.
    pub fn delete_where(&mut self, collection: &Collection, filter: &Filter) -> Result<()> {
        filter.check()?;
        self.push(collection, What::DeleteWhere(filter.clone()))
    }

    fn push(&mut self, collection: &Collection, what: What) -> Result<()> {
        if !Arc::ptr_eq(&self.database, &collection.database) {
            return Err(Error::Parameter {
                name: "collection",
                value: format!("{:?}", collection.name()),
                limit: "one of the database that the transaction is of".to_owned(),
            });
        }
        self.writes.push(Write {
            collection_id: collection.id,
            name: collection.name().to_owned(),
            what,
        });
        Ok(())
    }

    /// Whether [`commit`](Transaction::commit) would be held back now, as [`Collection::is_held_back`].
    pub fn is_held_back(&self) -> bool {
        self.collections().any(|id| self.database.holds_back(id))
    }

    /// Returns when it would not be, as [`Collection::wait`].
    ///
    /// Errors: interrupted.
    pub fn wait(&self, progress: Progress<'_>) -> Result<()> {
        self.wait_with(Some(progress))
    }

    fn wait_with(&self, progress: Option<Progress<'_>>) -> Result<()> {
        let mut collections = self.collections();
        collections.try_for_each(|id| self.database.wait_for_background(id, progress))
    }

    fn collections(&self) -> impl Iterator<Item = u64> {
        self.writes.iter().map(|write| write.collection_id)
    }

    /// Does it all, durably, and lets readers see it all at once.
    ///
    /// Errors: those of each write, a collection that was dropped among them; then nothing is done.
    /// Cost: one sync for all. What is larger than 16 MiB in all goes to segments, and was in memory until then.
    pub fn commit(self) -> Result<()> {
        let mut changed = BTreeSet::new();
        self.wait_with(None)?;
        self.database.write(|writing, snapshot| {
            let workers = self.database.pool.workers()?;
            let mut joined = Joined::default();
            let seq = writing.next_seq();
            let mut next = snapshot.clone();
            for write in self.writes {
                let view = next.by_id(write.collection_id)?;
                let view = view.ok_or_else(|| snapshot.not_found(&write.name))?;
                let Some(rows) = write.what.rows(view)? else {
                    continue;
                };
                changed.insert(view.id);
                joined.push(view.id, &rows);
                let versions = Versions::one(rows.ids.rows(), seq);
                let rows = Segment::in_memory(rows, versions, view.config.dim);
                let rows = rows.map_err(merge::damaged)?;
                next = next.with(view.with_logged(rows)?);
            }
            writing.log_joined(next, &joined, &changed, &workers)
        })?;
        for id in changed {
            self.database.wake_background(id);
        }
        Ok(())
    }
}

impl What {
    /// What it adds to a collection, and takes away; `None` if that is nothing.
    fn rows(self, view: &View) -> Result<Option<LoggedRows>> {
        let rows = match self {
            What::Delete(ids) => LoggedRows::deletions(there_by_id(view, &ids)?),
            What::DeleteIf(ids, versions) => {
                condition::check_ids(view, &ids, &versions)?;
                LoggedRows::deletions(there_by_id(view, &keys_of(&ids))?)
            }
            What::DeleteWhere(filter) => LoggedRows::deletions(there_where(view, &filter)?),
            What::Store(mut copied, existing) => {
                let vectors = std::mem::take(&mut copied.vectors);
                let vectors = Rows::new(&vectors, view.config.dim)?;
                let checked = copied.checked(&vectors);
                if existing == Existing::Refuse {
                    refuse_existing(view, &checked.ids, &checked.kept)?;
                }
                condition::check_batch(view, &checked)?;
                checked.into_rows(&view.config)?
            }
            What::Update(mut copied, keeps) => {
                let vectors = std::mem::take(&mut copied.vectors);
                let vectors = Rows::new(&vectors, view.config.dim)?;
                let checked = copied.checked(&vectors);
                condition::check_batch(view, &checked)?;
                let stored = Keeps::stored(view, &checked)?;
                keeps.complete(checked, &stored)?.into_rows(&view.config)?
            }
        };
        let nothing = rows.ids.rows() == 0 && rows.deleted.as_ref().is_none_or(|d| d.rows() == 0);
        Ok((!nothing).then_some(rows))
    }
}
