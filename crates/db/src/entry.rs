//! A collection in a snapshot, whose segments are read when it is first used.
//!
//! Most are used at once: then the view is there from the start. What is opened lazily keeps its files instead, and the rows of the
//! log that belong behind them.

use std::sync::{Arc, OnceLock};

use crate::database::hold;
use crate::segment::Segment;
use crate::snapshot::View;
use crate::sync::Mutex;
use crate::{CollectionConfig, Result, Verify};

/// A collection by id and name.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) config: CollectionConfig,
    view: OnceLock<Arc<View>>,
    /// What the view is made of; held while it is made.
    unread: Mutex<Unread>,
}

/// Segments that were not read yet.
#[derive(Clone, Debug, Default)]
struct Unread {
    /// With their lengths, oldest first.
    files: Vec<(Arc<proxime_storage::Segment>, u64)>,
    /// What the log has of the collection, in order.
    logged: Vec<Arc<Segment>>,
}

impl Entry {
    pub(crate) fn loaded(view: Arc<View>) -> Entry {
        Entry {
            id: view.id,
            name: view.name.clone(),
            config: view.config.clone(),
            view: OnceLock::from(view),
            unread: Mutex::default(),
        }
    }

    /// The collection as it is in these files, to be read when it is used.
    pub(crate) fn unread(
        id: u64,
        name: String,
        config: CollectionConfig,
        files: Vec<(Arc<proxime_storage::Segment>, u64)>,
    ) -> Entry {
        Entry {
            id,
            name,
            config,
            view: OnceLock::new(),
            unread: Mutex::new(Unread {
                files,
                logged: Vec::new(),
            }),
        }
    }

    /// Errors: damage; then the next call tries again.
    pub(crate) fn view(&self) -> Result<&Arc<View>> {
        if let Some(view) = self.view.get() {
            return Ok(view);
        }
        let mut unread = hold(&self.unread);
        if let Some(view) = self.view.get() {
            return Ok(view);
        }
        let view = self.read(&unread)?;
        *unread = Unread::default();
        Ok(self.view.get_or_init(|| Arc::new(view)))
    }

    /// The view, if it was used before.
    pub(crate) fn read_view(&self) -> Option<&Arc<View>> {
        self.view.get()
    }

    fn read(&self, unread: &Unread) -> Result<View> {
        let load = |(file, bytes): &(Arc<_>, u64)| {
            Segment::load(file, *bytes, self.id, &self.config, Verify::Lazy)
        };
        let segments: Result<_> = unread.files.iter().map(load).collect();
        let view = View::new(self.id, self.name.clone(), self.config.clone()).with_all(segments?);
        let rows = unread.logged.iter().cloned();
        rows.into_iter()
            .try_fold(view, |view, rows| view.with_logged(rows))
    }

    /// The same with a batch from the log.
    pub(crate) fn with_logged(&self, rows: Segment) -> Result<Entry> {
        if let Some(view) = self.view.get() {
            return Ok(Entry::loaded(Arc::new(view.with_logged(rows)?)));
        }
        let mut unread = hold(&self.unread).clone();
        unread.logged.push(Arc::new(rows));
        Ok(Entry {
            id: self.id,
            name: self.name.clone(),
            config: self.config.clone(),
            view: OnceLock::new(),
            unread: Mutex::new(unread),
        })
    }

    /// The same under another name.
    pub(crate) fn renamed(&self, name: &str) -> Entry {
        let view = self.view.get().map(|view| {
            let mut view = View::clone(view);
            view.name = name.to_owned();
            view
        });
        match view {
            Some(view) => Entry::loaded(Arc::new(view)),
            None => Entry {
                id: self.id,
                name: name.to_owned(),
                config: self.config.clone(),
                view: OnceLock::new(),
                unread: Mutex::new(hold(&self.unread).clone()),
            },
        }
    }

    /// Whether rows of it are in the log only.
    pub(crate) fn has_tail(&self) -> bool {
        match self.view.get() {
            Some(view) => !view.tail().is_empty(),
            None => !hold(&self.unread).logged.is_empty(),
        }
    }
}
