//! What can still be read of a store that does not open.
//!
//! Opening refuses a store as a whole; here every piece stands for itself, and is taken if its own checksum holds. A segment's
//! blocks and their checksums lie where the length of the file says, so neither footer nor manifest is needed; what the sections
//! are is in the header page, or, if that is damaged, follows from the checksums, which are different for each kind of section.
//! Frames of the log count wherever they are whole.
//!
//! Nothing is written, locked or removed. Whether what is found is complete nobody can say: each thing that is missing and known
//! to be missing is in [`Remains::problems`].

use std::collections::BTreeMap;

use bytemuck::Zeroable;

use crate::backend::{File, Vfs};
use crate::error::{Error, Result};
use crate::format;
use crate::manifest::{self, Manifest, StoreId};
use crate::names::Name;
use crate::segment::Remnant;
use crate::store::{Access, list};
use crate::wal;

/// Everything of a store that its checksums vouch for.
#[derive(Debug)]
pub struct Remains {
    /// The newest manifest that can be read.
    pub manifest: Option<Manifest>,
    /// There is no newer manifest than that, so what it does not name is garbage.
    pub newest: bool,
    /// Those that belong to the manifest, in its order; without the newest manifest all that are there, in the order in which
    /// they were begun.
    pub segments: Vec<Remnant>,
    /// Frames that are not in segments, in order. Where numbers are missing, frames are lost.
    pub frames: Vec<LoggedFrame>,
    /// What could not be read.
    pub problems: Vec<Error>,
}

/// A frame of the log, as [`Frame`](crate::Frame).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedFrame {
    /// Counts the frames of a store, from 1.
    pub seq: u64,
    /// The upper layer's.
    pub kind: u8,
    /// The upper layer's.
    pub collection: u64,
    /// The upper layer's.
    pub payload: Vec<u8>,
}

impl Remains {
    /// Looks at every block of every segment.
    ///
    /// Errors: there is nothing that says which store this is; the directory cannot be listed.
    pub fn read(vfs: &dyn Vfs) -> Result<Remains> {
        crate::checksum::self_test()?;
        let names = list(vfs)?;
        let mut problems = Vec::new();
        let store = store_id(vfs, &names, &mut problems)?;
        let (manifest, newest) = newest_manifest(vfs, store, &names, &mut problems);
        let mut remains = Remains {
            segments: Vec::new(),
            frames: frames(vfs, store, manifest.as_ref(), &names, &mut problems),
            manifest,
            newest,
            problems,
        };
        for file_id in remains.file_ids(&names) {
            match Remnant::read(vfs, store, file_id) {
                Ok((segment, problem)) => {
                    remains.segments.push(segment);
                    remains.problems.extend(problem);
                }
                Err(e) => remains.problems.push(e),
            }
        }
        Ok(remains)
    }

    fn file_ids(&self, names: &[Name]) -> Vec<u64> {
        if let (Some(manifest), true) = (&self.manifest, self.newest) {
            return manifest.segments().map(|pinned| pinned.file_id).collect();
        }
        let mut ids: Vec<u64> = names
            .iter()
            .filter_map(|name| match name {
                Name::Segment(id) => Some(*id),
                _ => None,
            })
            .collect();
        ids.sort_unstable();
        ids
    }
}

/// From FORMAT, or from the first manifest or segment that knows.
fn store_id(vfs: &dyn Vfs, names: &[Name], problems: &mut Vec<Error>) -> Result<StoreId> {
    match format::read(vfs, Access::Read) {
        Ok(Some(store)) => return Ok(store),
        Ok(None) => problems.push(missing(vfs, Name::Format)),
        Err(e) => problems.push(e),
    }
    let told = names.iter().find_map(|name| match name {
        Name::Manifest(number) => {
            let store = store_in(vfs, *name)?;
            manifest::read(vfs, store, *number, Access::Read).ok()??;
            Some(store)
        }
        Name::Segment(id) => {
            let store = store_in(vfs, *name)?;
            Remnant::has_header(vfs, store, *id).then_some(store)
        }
        _ => None,
    });
    told.ok_or_else(|| Error::NotAStore {
        path: vfs.path().to_owned(),
        reason: "there is no file that says which store it belongs to",
    })
}

/// The store id that a file claims: it is at the same place in manifests and segments.
fn store_in(vfs: &dyn Vfs, name: Name) -> Option<StoreId> {
    let file = File::open(vfs, &name.to_string()).ok()??;
    let mut start = <[u8; 48]>::zeroed();
    file.read_exact(&mut start, 0).ok()?;
    Some(StoreId(*start.last_chunk()?))
}

/// The newest that can be read, and whether there is no newer one.
fn newest_manifest(
    vfs: &dyn Vfs,
    store: StoreId,
    names: &[Name],
    problems: &mut Vec<Error>,
) -> (Option<Manifest>, bool) {
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| match name {
            Name::Manifest(number) => Some(*number),
            _ => None,
        })
        .collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    for (age, number) in numbers.into_iter().enumerate() {
        match manifest::read(vfs, store, number, Access::Read) {
            Ok(Some(manifest)) => return (Some(manifest), age == 0),
            Ok(None) => problems.push(missing(vfs, Name::Manifest(number))),
            Err(e) => problems.push(e),
        }
    }
    if !names.iter().any(|name| matches!(name, Name::Manifest(_))) {
        problems.push(missing(vfs, Name::Manifest(1)));
    }
    (None, false)
}

/// Of two frames with the same number the one in the later generation counts.
fn frames(
    vfs: &dyn Vfs,
    store: StoreId,
    manifest: Option<&Manifest>,
    names: &[Name],
    problems: &mut Vec<Error>,
) -> Vec<LoggedFrame> {
    let first = manifest.map_or(0, |manifest| manifest.wal_first_gen);
    let in_segments = manifest.map_or(0, |manifest| manifest.last_seq);
    let mut generations: Vec<u64> = names
        .iter()
        .filter_map(|name| match name {
            Name::Log(number) if *number >= first => Some(*number),
            _ => None,
        })
        .collect();
    generations.sort_unstable();
    let mut frames: BTreeMap<u64, LoggedFrame> = BTreeMap::new();
    for number in generations {
        match wal::intact_frames(vfs, store, number) {
            Ok(found) => {
                // From its first seq on, a generation replaces what older ones hold.
                frames.split_off(&found.first_seq);
                frames.extend(found.frames.into_iter().map(|frame| (frame.seq, frame)));
                problems.extend(found.problem);
            }
            Err(e) => problems.push(e),
        }
    }
    let newer = frames.split_off(&(in_segments + 1));
    newer.into_values().collect()
}

fn missing(vfs: &dyn Vfs, name: Name) -> Error {
    Error::Corrupt {
        file: vfs.path().join(name.to_string()),
        offset: 0,
        what: "the file is missing".into(),
    }
}
