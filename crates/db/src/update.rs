//! Records that are there, with another vector or other metadata.
//!
//! An update is an upsert whose other half is read from what is stored, under the writer's lock: between the reading and the writing
//! nobody else writes.

use crate::collection::{Existing, check};
use crate::merge::Run;
use crate::record::ids::Kept;
use crate::snapshot::View;
use crate::writer::Checked;
use crate::{
    Batch, Collection, CollectionConfig, Error, Key, Metadata, Progress, Result, VectorSource,
    condition,
};

/// New vectors or new metadata, or both, for records that are there.
///
/// ```
/// use proxime::{Batch, CollectionConfig, Database, Key, Metadata, Rows, Update};
/// let db = Database::in_memory()?;
/// let docs = db.create_collection("docs", CollectionConfig::new(2))?;
/// docs.upsert(Batch::new(vec![Key::Int(7)], &Rows::new(&[1.0, 0.0], 2)?))?;
/// docs.update(Update::new(vec![Key::Int(7)]).metadata(vec![Metadata::from([("read".into(), true.into())])]))?;
/// let record = docs.get(&Key::Int(7))?.unwrap();
/// assert_eq!((record.vector, record.metadata.len()), (vec![1.0, 0.0], 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Update<'a> {
    ids: Vec<Key>,
    vectors: Option<&'a dyn VectorSource>,
    metadata: Option<Vec<Metadata>>,
    if_versions: Option<Vec<u64>>,
    progress: Option<Progress<'a>>,
}

impl<'a> Update<'a> {
    /// Of the records with these ids. Of an id that is given twice the last row counts.
    pub fn new(ids: Vec<Key>) -> Self {
        Update {
            ids,
            vectors: None,
            metadata: None,
            if_versions: None,
            progress: None,
        }
    }

    /// With these vectors, one a row, in place of those that are there.
    #[must_use]
    pub fn vectors(mut self, vectors: &'a dyn VectorSource) -> Self {
        self.vectors = Some(vectors);
        self
    }

    /// With this metadata, one object a row, in place of all that is there: fields are not merged.
    #[must_use]
    pub fn metadata(mut self, metadata: Vec<Metadata>) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Only if each record has the version that is given for its row: otherwise [`Error::Version`], and nothing is changed.
    /// [`Record::version`](crate::Record::version) says which it has.
    #[must_use]
    pub fn if_versions(mut self, versions: Vec<u64>) -> Self {
        self.if_versions = Some(versions);
        self
    }

    /// With a callback that watches, and may stop, the write.
    #[must_use]
    pub fn progress(mut self, progress: Progress<'a>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Stands for the vectors of an update that has none.
    pub(crate) fn absent(&self, config: &CollectionConfig) -> Absent {
        Absent {
            rows: self.ids.len(),
            dim: config.dim,
        }
    }

    /// Everything that can be known before the records are looked up.
    pub(crate) fn check<'b>(
        self,
        config: &CollectionConfig,
        absent: &'b Absent,
    ) -> Result<(Checked<'b>, Keeps)>
    where
        'a: 'b,
    {
        let keeps = Keeps {
            vectors: self.vectors.is_none(),
            metadata: self.metadata.is_none(),
        };
        if keeps.vectors && keeps.metadata {
            return Err(Error::Parameter {
                name: "update",
                value: "neither vectors nor metadata".to_owned(),
                limit: "given at least one of them".to_owned(),
            });
        }
        let batch = Batch {
            ids: self.ids,
            vectors: self.vectors.unwrap_or(absent),
            metadata: self.metadata,
            if_versions: self.if_versions,
            progress: self.progress,
        };
        Ok((check(batch, config, Existing::Change)?, keeps))
    }
}

/// What an update leaves as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeps {
    pub(crate) vectors: bool,
    pub(crate) metadata: bool,
}

impl Keeps {
    /// The records that are updated, in the order of the rows.
    ///
    /// Errors: one of them is not there.
    pub(crate) fn stored<'v>(view: &'v View, checked: &Checked<'_>) -> Result<Run<'v>> {
        let ids = &checked.ids;
        let place = |row| {
            view.place(ids.bytes(row)).ok_or_else(|| Error::IdNotFound {
                id: ids.get(row).to_key(),
                row: checked.kept.row(row as usize),
            })
        };
        let places: Result<_> = (0..ids.rows()).map(place).collect();
        Ok(Run::of(&view.parts, view.config.dim, places?))
    }

    /// The batch with what is kept of the records that are there.
    ///
    /// Errors: damage.
    pub(crate) fn complete<'b>(
        self,
        checked: Checked<'b>,
        stored: &'b Run<'b>,
    ) -> Result<Checked<'b>> {
        let mut checked = checked;
        if self.metadata {
            checked.payload = stored.payload()?;
        }
        if self.vectors {
            checked.kept = Kept::All(checked.ids.rows());
            checked.vectors = stored;
        }
        Ok(checked)
    }
}

/// So many vectors that are not there.
pub(crate) struct Absent {
    pub(crate) rows: usize,
    pub(crate) dim: usize,
}

impl VectorSource for Absent {
    fn rows(&self) -> usize {
        self.rows
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn read(&self, first_row: usize, out: &mut [f32]) -> Result<()> {
        match out.is_empty() {
            true => Ok(()),
            false => Err(Error::Source {
                row: first_row,
                source: "there are no vectors".into(),
            }),
        }
    }
}

impl Collection {
    /// Gives records that are there new vectors or new metadata, or both, and leaves the rest of them as it is: all of them, durably,
    /// or none.
    ///
    /// Errors: [`Error::IdNotFound`] if one of them is not there; as for [`upsert`](Collection::upsert). Nothing is changed then.
    /// Cost: as for an upsert; of what is not given, the rows are read.
    pub fn update(&self, update: Update<'_>) -> Result<()> {
        self.database.check_writable()?;
        let absent = update.absent(&self.config);
        let (checked, keeps) = update.check(&self.config, &absent)?;
        let progress = checked.progress;
        self.database.write_to(
            self.id,
            &self.name,
            progress,
            |writing, snapshot, view, workers| {
                condition::check_batch(view, &checked)?;
                let stored = Keeps::stored(view, &checked)?;
                let checked = keeps.complete(checked, &stored)?;
                self.make_durable(writing, snapshot, view, workers, checked)
            },
        )
    }
}
