//! Reading records without searching: by id, by filter, page by page.

use proxime_core::Matches;

use crate::collection::choose;
use crate::record::ids::KeyRef;
use crate::snapshot::Part;
use crate::{Collection, Filter, Key, Record, Result};

impl Collection {
    /// The record with this id, if there is one.
    pub fn get(&self, id: &Key) -> Result<Option<Record>> {
        let found = self.get_many(std::slice::from_ref(id))?;
        Ok(found.into_iter().next().flatten())
    }

    /// The records with these ids, each in its place, all of one moment.
    pub fn get_many(&self, ids: &[Key]) -> Result<Vec<Option<Record>>> {
        let view = self.view()?;
        let one = |id: &Key| {
            let place = view.find(&id.to_bytes());
            place.map(|(part, row)| record(part, row)).transpose()
        };
        ids.iter().map(one).collect()
    }

    /// Which of these ids have a record.
    pub fn exist(&self, ids: &[Key]) -> Result<Vec<bool>> {
        let view = self.view()?;
        let there = ids.iter().map(|id| view.find(&id.to_bytes()).is_some());
        Ok(there.collect())
    }

    /// How many records the filter is true of.
    ///
    /// Errors: a filter that is wrong. Cost: what the filter looks at is read once, and kept for the next time.
    pub fn count(&self, filter: &Filter) -> Result<usize> {
        let chosen = choose(&*self.view()?, filter)?;
        Ok(chosen.iter().map(Matches::count).sum())
    }

    /// The next `limit` records in the order of their ids, behind `after`; from the first if there is none. Those that the
    /// filter is true of, if there is one. Fewer only at the end.
    ///
    /// The last id of a page is the cursor of the next. It stays good whatever is written in between: a record that is there
    /// all the time comes exactly once, one that is added or deleted meanwhile comes at most once.
    ///
    /// Errors: a filter that is wrong. Cost: a look at every id for each page; fewer, larger pages are faster.
    pub fn scroll(
        &self,
        after: Option<&Key>,
        limit: usize,
        filter: Option<&Filter>,
    ) -> Result<Vec<Record>> {
        let view = self.view()?;
        let chosen = filter.map(|filter| choose(&view, filter)).transpose()?;
        let mut places: Vec<(KeyRef<'_>, &Part, u32)> = Vec::new();
        for (number, part) in view.parts.iter().enumerate() {
            let chosen = chosen.as_ref().and_then(|chosen| chosen.get(number));
            let wanted = |row: &u32| match chosen {
                None => part.is_live(*row),
                Some(chosen) => chosen.contains(*row),
            };
            let rows = (0..part.segment.rows()).filter(wanted);
            let all = rows.map(|row| (part.segment.id(row), part, row));
            places.extend(all.filter(|(id, ..)| after.is_none_or(|after| *id > after.borrowed())));
        }
        if let Some(last) = limit.checked_sub(1).filter(|&last| last < places.len()) {
            places.select_nth_unstable_by(last, |a, b| a.0.cmp(&b.0));
        }
        places.truncate(limit);
        places.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let records = places.into_iter().map(|(_, part, row)| record(part, row));
        records.collect()
    }
}

pub(crate) fn record(part: &Part, row: u32) -> Result<Record> {
    Ok(Record {
        id: part.segment.id(row).to_key(),
        vector: part.segment.vector(row)?.into_owned(),
        metadata: part.segment.metadata(row)?,
        version: part.segment.versions.of(row),
    })
}
