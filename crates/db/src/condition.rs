//! Writes that take place only if nobody else has written in between.
//!
//! Whoever wants to change what it has read gives the version that it has read, and 0 for a record that must not be there. Versions are
//! compared under the writer's lock, before anything is written: one that differs ends the write, and nothing is changed.

use crate::snapshot::View;
use crate::writer::Checked;
use crate::{Error, Key, Result};

/// Errors: not one version for each of so many rows.
pub(crate) fn check_count(if_versions: &[u64], rows: usize) -> Result<()> {
    match if_versions.len() == rows {
        true => Ok(()),
        false => Err(Error::Parameter {
            name: "if_versions",
            value: format!("{} versions", if_versions.len()),
            limit: format!("one for each of {rows} ids"),
        }),
    }
}

/// Errors: a row of the batch is to replace another version than the one that is there.
pub(crate) fn check_batch(view: &View, checked: &Checked<'_>) -> Result<()> {
    let Some(if_versions) = &checked.if_versions else {
        return Ok(());
    };
    (0..checked.ids.rows()).try_for_each(|i| {
        let row = checked.kept.row(i as usize);
        let expected = if_versions.get(row).copied().unwrap_or(0);
        let id = || checked.ids.get(i).to_key();
        check(view, checked.ids.bytes(i), expected, row, id)
    })
}

/// The same of ids alone.
pub(crate) fn check_ids(view: &View, ids: &[Key], if_versions: &[u64]) -> Result<()> {
    let mut rows = ids.iter().zip(if_versions).enumerate();
    rows.try_for_each(|(row, (id, expected))| {
        check(view, &id.to_bytes(), *expected, row, || id.clone())
    })
}

fn check(
    view: &View,
    id: &[u8],
    expected: u64,
    row: usize,
    key: impl FnOnce() -> Key,
) -> Result<()> {
    let place = view.find(id);
    let found = place.map_or(0, |(part, row)| part.segment.versions.of(row));
    match found == expected {
        true => Ok(()),
        false => Err(Error::Version {
            id: key(),
            row,
            expected,
            found,
        }),
    }
}
