//! Other names of collections: what is asked for by one can be replaced from one moment to the next.

use std::collections::BTreeMap;

use crate::snapshot::Snapshot;
use crate::{Database, Error, Result, config};

impl Database {
    /// Lets `alias` stand for a collection, durably: [`collection`](Database::collection) takes it for its name from then on. If it
    /// stood for another one it moves, from one moment to the next: so a collection that was built anew takes the place of an older one.
    /// Handles that were opened by it stay with the collection that it stood for then.
    ///
    /// Errors: no collection of that name, or an alias; the new alias is the name of a collection, or impossible.
    ///
    /// ```
    /// use proxime::{CollectionConfig, Database};
    /// let db = Database::in_memory()?;
    /// for name in ["docs-1", "docs-2"] {
    ///     db.create_collection(name, CollectionConfig::new(2))?;
    ///     db.set_alias("docs", name)?;
    /// }
    /// assert_eq!(db.collection("docs")?.name(), "docs-2");
    /// assert_eq!(db.aliases()?, [("docs".to_owned(), "docs-2".to_owned())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_alias(&self, alias: &str, name: &str) -> Result<()> {
        config::check_name(alias)?;
        self.change_aliases(|snapshot, aliases| {
            let id = snapshot.named(name)?.id;
            if snapshot.by_name(alias).is_some() {
                return Err(Error::CollectionExists {
                    name: alias.to_owned(),
                });
            }
            aliases.insert(alias.to_owned(), id);
            Ok(())
        })
    }

    /// Takes an alias away, durably. What it stood for stays.
    ///
    /// Errors: no such alias.
    pub fn drop_alias(&self, alias: &str) -> Result<()> {
        self.change_aliases(|_, aliases| match aliases.remove(alias) {
            Some(_) => Ok(()),
            None => Err(Error::AliasNotFound {
                name: alias.to_owned(),
            }),
        })
    }

    /// The aliases, in their order, each with the name of the collection that it stands for.
    pub fn aliases(&self) -> Result<Vec<(String, String)>> {
        let snapshot = self.0.snapshot()?;
        let aliases = snapshot.aliases.keys().filter_map(|alias| {
            let entry = snapshot.by_any_name(alias)?;
            Some((alias.clone(), entry.name.clone()))
        });
        Ok(aliases.collect())
    }

    fn change_aliases(
        &self,
        change: impl FnOnce(&Snapshot, &mut BTreeMap<String, u64>) -> Result<()>,
    ) -> Result<()> {
        self.0.write(|writing, snapshot| {
            let mut aliases = BTreeMap::clone(&snapshot.aliases);
            change(snapshot, &mut aliases)?;
            // As for a new name.
            writing.flush()?;
            let next = snapshot.with_aliases(aliases.clone());
            writing
                .store
                .commit(|manifest| manifest.aliases = aliases)?;
            Ok(next)
        })
    }
}
