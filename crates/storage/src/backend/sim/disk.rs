//! What is on a simulated disk, what of it was synced, and what a crash can make of the rest.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::SimVfs;

/// What a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// What a file that became longer holds where the bytes themselves did not make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// It only became as long as the bytes that did.
    Nothing,
    /// Zeros.
    Zeros,
    /// What somebody else's file held.
    Garbage,
}

/// What is on a simulated disk, and what of it was synced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    pub(super) files: Vec<Arc<Inode>>,
    /// As programs see them.
    pub(super) names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    /// Since then.
    name_ops: Vec<NameOp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Inode {
    /// As programs see it.
    pub(super) now: Vec<u8>,
    synced: Vec<u8>,
    /// Since then.
    changes: Vec<(Change, State)>,
}

/// Of a change that is not known to be on the disk, or is but follows one that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unsynced,
    /// A sync of it failed.
    Lost,
    Synced,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// By file, not only by name: what becomes of one of them does not depend on the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NameOp {
    Add(String, usize),
    Rename(String, String, usize),
    Remove(String, usize),
}

impl NameOp {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameOp::Add(name, file) => drop(names.insert(name.clone(), *file)),
            NameOp::Rename(from, to, file) => {
                NameOp::Remove(from.clone(), *file).apply(names);
                names.insert(to.clone(), *file);
            }
            NameOp::Remove(name, file) => {
                if names.get(name) == Some(file) {
                    names.remove(name);
                }
            }
        }
    }
}

impl Change {
    /// In pieces, each of which makes it to the disk or does not, by itself.
    fn apply_pieces(&self, file: &mut Vec<u8>, mut keep: impl FnMut() -> bool) {
        let Change::Write { offset, bytes } = self else {
            if keep() {
                self.apply(file);
            }
            return;
        };
        let (mut offset, mut rest) = (*offset, bytes.as_slice());
        while !rest.is_empty() {
            let room = SECTOR_BYTES - offset % SECTOR_BYTES;
            let (piece, after) = rest.split_at(room.min(rest.len()));
            if keep() {
                write(file, offset, piece);
            }
            offset += piece.len();
            rest = after;
        }
    }

    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Change::Truncate(len) => file.resize(*len, 0),
            Change::Write { offset, bytes } => write(file, *offset, bytes),
        }
    }
}

fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    file.resize(file.len().max(end), 0);
    if let Some(place) = file.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}

impl Inode {
    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.changes.push((change, State::Unsynced));
    }

    pub(super) fn sync(&mut self, works: bool) {
        let settled = if works { State::Synced } else { State::Lost };
        for (_, state) in &mut self.changes {
            if *state == State::Unsynced {
                *state = settled;
            }
        }
        if self
            .changes
            .iter()
            .all(|(_, state)| *state == State::Synced)
        {
            self.synced.clone_from(&self.now);
            self.changes.clear();
        }
    }

    /// After a crash that keeps what `keep` says, asked for one piece after the other.
    fn after_crash(&self, keep: &mut impl FnMut() -> bool, fill: Fill) -> Inode {
        let mut bytes = self.synced.clone();
        let len = self.now.len().max(bytes.len());
        match fill {
            Fill::Nothing => {}
            Fill::Zeros => bytes.resize(len, 0),
            Fill::Garbage => bytes.resize(len, 0xa7),
        }
        for (change, state) in &self.changes {
            change.apply_pieces(&mut bytes, || *state == State::Synced || keep());
        }
        Inode {
            now: bytes.clone(),
            synced: bytes,
            changes: Vec::new(),
        }
    }
}

impl Disk {
    /// How many choices a crash has now, each with two outcomes.
    pub fn choices(&self) -> usize {
        let mut count = 0;
        self.crash(
            |_| {
                count += 1;
                true
            },
            Fill::Nothing,
        );
        count
    }

    /// What a crash leaves: of the choices, counted from 0, those that `keep` says. Nothing on it is unsynced.
    ///
    /// Choices come in the order of names and files, and always the same ones whatever is kept.
    pub fn crash(&self, mut keep: impl FnMut(usize) -> bool, fill: Fill) -> Disk {
        let mut asked = 0;
        let mut next = || {
            asked += 1;
            keep(asked - 1)
        };
        let mut names = self.synced_names.clone();
        for op in &self.name_ops {
            if next() {
                op.apply(&mut names);
            }
        }
        let files = self.files.iter().map(|file| match file.changes.is_empty() {
            true => Arc::clone(file),
            false => Arc::new(file.after_crash(&mut next, fill)),
        });
        Disk {
            files: files.collect(),
            synced_names: names.clone(),
            names,
            name_ops: Vec::new(),
        }
    }

    /// Files by name, as programs see them.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.names.iter().filter_map(|(name, &file)| {
            let inode = self.files.get(file)?;
            Some((name.as_str(), inode.now.as_slice()))
        })
    }

    /// A machine with this disk. What is unsynced still is: the end of a process, not of power.
    pub fn mount(self) -> SimVfs {
        SimVfs::with(self)
    }

    pub(super) fn file(&self, name: &str) -> io::Result<usize> {
        Ok(*self.names.get(name).ok_or(io::ErrorKind::NotFound)?)
    }

    pub(super) fn inode(&self, file: usize) -> io::Result<&Arc<Inode>> {
        Ok(self.files.get(file).ok_or(io::ErrorKind::NotFound)?)
    }

    pub(super) fn inode_mut(&mut self, file: usize) -> io::Result<&mut Inode> {
        let inode = self.files.get_mut(file).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::make_mut(inode))
    }

    pub(super) fn free(&self, name: &str) -> io::Result<()> {
        if self.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(())
    }

    pub(super) fn name_op(&mut self, op: NameOp) {
        op.apply(&mut self.names);
        self.name_ops.push(op);
    }

    pub(super) fn sync_names(&mut self) {
        self.synced_names.clone_from(&self.names);
        self.name_ops.clear();
    }
}
