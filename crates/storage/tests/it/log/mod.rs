//! The log, one file per promise; here, a small upper layer and the oracle that knows what it may find.
//!
//! The upper layer's state is a list of numbers, one per frame; a checkpoint puts the list into a segment. The oracle is a list
//! of events: what was begun, acknowledged, refused and known to be durable, and when.

mod crash;
mod damage;
mod faults;
mod hostile;
mod levels;
mod lies;
#[cfg(shuttle)]
mod orders;
mod random;
mod threads;

use std::sync::Arc;

use proxime_storage::{
    Access, Collection, Durability, Error, Frame, Log, RecoveryReport, Result, SectionKind, SimVfs,
    Store, Ticket, Vfs,
};

use crate::sample;

pub(crate) const KIND: u8 = 3;
pub(crate) const COLLECTION: u64 = 1 << 40;
pub(crate) const BATCH: Durability = Durability::Batch { bytes_max: 700 };

/// Some within a sector, some across several.
pub(crate) fn payload(n: u64) -> Vec<u8> {
    let filler = [0, 30, 460, 5, 900][n as usize % 5];
    let mut bytes = n.to_le_bytes().to_vec();
    bytes.resize(8 + filler, n as u8);
    bytes
}

/// What `payload` was made of; panics unless the frame is exactly as it was appended.
fn number(frame: Frame<'_>) -> u64 {
    let n = u64::from_le_bytes(*frame.payload.first_chunk().unwrap());
    assert_eq!(frame.payload, payload(n), "frame {}", frame.seq);
    assert_eq!((frame.kind, frame.collection), (KIND, COLLECTION));
    n
}

/// An open store with its log, and everything that is in it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) store: Store,
    pub(crate) log: Log,
    pub(crate) rows: Vec<u64>,
    pub(crate) report: RecoveryReport,
}

impl Session {
    pub(crate) fn open(vfs: Arc<dyn Vfs>, durability: Durability) -> Result<Session> {
        let (mut store, segments) = Store::open(vfs, Access::Create)?;
        let mut rows: Vec<u64> = match segments.as_slice() {
            [] => Vec::new(),
            [segment] => bytemuck::pod_collect_to_vec(&segment.read(SectionKind::Ids)?.unwrap()),
            more => panic!("{} segments", more.len()),
        };
        let in_segments = rows.len() as u64;
        let (log, report) = store.recover(durability, |frame| -> Result<()> {
            rows.push(number(frame));
            assert_eq!(frame.seq, rows.len() as u64);
            Ok(())
        })?;
        assert_eq!(report.replayed, rows.len() as u64 - in_segments);
        assert_eq!(report.last_seq, rows.len() as u64);
        Ok(Session {
            store,
            log,
            rows,
            report,
        })
    }

    pub(crate) fn enqueue(&self, n: u64) -> Result<Ticket> {
        let bytes = payload(n);
        let (head, rest) = bytes.split_at(5);
        self.log.enqueue(KIND, COLLECTION, &[head, rest])
    }

    pub(crate) fn append(&mut self, n: u64) -> Result<()> {
        let seq = self.log.wait(self.enqueue(n)?)?;
        self.rows.push(n);
        assert_eq!(seq, self.rows.len() as u64);
        Ok(())
    }

    pub(crate) fn checkpoint(&mut self) -> Result<()> {
        let checkpoint = self.store.start_checkpoint()?;
        let rows = &self.rows[..checkpoint.last_seq() as usize];
        let sections = [(SectionKind::Ids, bytemuck::cast_slice(rows))];
        let segment = sample::write_segment(&self.store, 1, &sections)?;
        self.store.commit_checkpoint(checkpoint, |manifest| {
            if manifest.collections.is_empty() {
                let collection = Collection::new(1, "c", serde_json::Value::Null);
                manifest.collections.push(collection);
            }
            manifest.collections[0].segments = vec![segment];
        })
    }

    pub(crate) fn close(self) -> Result<()> {
        drop(self.log);
        self.store.close()
    }

    /// Asks by flushing: only after an error, or there would be nothing unsynced to lose.
    pub(crate) fn poisoned(&self) -> bool {
        matches!(self.log.flush(), Err(Error::Poisoned))
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Append,
    /// So many, queued before the first is waited for.
    Group(usize),
    Flush,
    Tick,
    Checkpoint,
    /// The process ends in good order, and the next begins.
    Reopen,
    /// The process is killed, and the next begins.
    Kill,
}

#[derive(Clone, Debug)]
enum Event {
    Begun(u64),
    Acked(u64),
    /// Told that it is not in the log.
    Refused(u64),
    /// So many of the rows are.
    Durable(usize),
    /// A new process has found these rows.
    Found(Vec<u64>),
}

/// What happened when, in operations of the disk.
#[derive(Debug, Default)]
pub(crate) struct Timeline(Vec<(usize, Event)>);

/// What may be found at one moment.
#[derive(Clone, Debug, Default, Hash, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// Acknowledged, then what may be there as well, in order.
    rows: Vec<u64>,
    pub(crate) acked: usize,
    pub(crate) durable: usize,
}

impl Timeline {
    fn note(&mut self, vfs: &SimVfs, event: Event) {
        self.0.push((vfs.op_count(), event));
    }

    /// After `ops` operations.
    pub(crate) fn at(&self, ops: usize) -> Allowed {
        let mut allowed = Allowed::default();
        for (when, event) in &self.0 {
            if *when <= ops {
                allowed.follow(event);
            }
        }
        allowed
    }
}

impl Allowed {
    fn follow(&mut self, event: &Event) {
        match event {
            Event::Begun(n) => self.rows.push(*n),
            Event::Acked(n) => {
                assert_eq!(self.rows[self.acked], *n);
                self.acked += 1;
            }
            Event::Refused(n) => self.rows.retain(|row| row != n),
            Event::Durable(rows) => self.durable = *rows,
            Event::Found(rows) => {
                *self = Allowed {
                    rows: rows.clone(),
                    acked: rows.len(),
                    durable: rows.len(),
                }
            }
        }
    }

    /// `rows_min` are there, and what is there is as it was.
    pub(crate) fn check(&self, found: &[u64], rows_min: usize, when: &str) {
        assert!(
            self.rows.starts_with(found) && found.len() >= rows_min,
            "{when}: found {found:?}; {rows_min} promised of {self:?}"
        );
    }

    /// Promised after a loss of power.
    pub(crate) fn promised(&self, durability: Durability) -> usize {
        match durability {
            Durability::Always => self.acked,
            _ => self.durable,
        }
    }
}

/// Does the steps as far as the disk lets it; a process that cannot go on is followed by another, once per step.
pub(crate) struct Script {
    /// What the log sees of the disk.
    vfs: Arc<dyn Vfs>,
    disk: SimVfs,
    durability: Durability,
    session: Option<Session>,
    /// Something has failed in it.
    suspect: bool,
    next: u64,
    pub(crate) timeline: Timeline,
}

impl Script {
    pub(crate) fn run(
        vfs: Arc<dyn Vfs>,
        disk: &SimVfs,
        durability: Durability,
        steps: &[Step],
    ) -> Script {
        let mut script = Script {
            vfs,
            disk: disk.clone(),
            durability,
            session: None,
            suspect: false,
            next: 1,
            timeline: Timeline::default(),
        };
        for step in steps {
            script.reopen_if_needed();
            if script.session.is_some() {
                script.step(*step);
                script.note_durable();
            }
        }
        script
    }

    fn note(&mut self, event: Event) {
        self.timeline.note(&self.disk, event);
    }

    fn reopen_if_needed(&mut self) {
        let suspect = std::mem::take(&mut self.suspect);
        if suspect && self.session.as_ref().is_some_and(Session::poisoned) {
            self.session = None;
        }
        if self.session.is_some() {
            return;
        }
        // An error here is followed by another try at the next step.
        if let Ok(session) = Session::open(self.vfs.clone(), self.durability) {
            let allowed = self.timeline.at(usize::MAX);
            allowed.check(&session.rows, allowed.acked, "a new process");
            self.note(Event::Found(session.rows.clone()));
            self.session = Some(session);
        }
    }

    fn note_durable(&mut self) {
        let Some(session) = &self.session else { return };
        let durable = session.log.durable_seq() as usize;
        if self.durability == Durability::Always && !self.suspect {
            assert_eq!(durable, session.rows.len());
        }
        self.note(Event::Durable(durable));
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Append => self.group(1),
            Step::Group(frames) => self.group(frames),
            Step::Flush => self.suspect = self.session().log.flush().is_err(),
            Step::Tick => self.suspect = self.session().log.tick().is_err(),
            Step::Checkpoint => self.suspect = self.session().checkpoint().is_err(),
            Step::Reopen => {
                let session = self.session.take();
                let acked = self.timeline.at(usize::MAX).acked;
                if session.is_some_and(|session| session.close().is_ok()) {
                    self.note(Event::Durable(acked));
                }
                self.reopen_if_needed();
            }
            Step::Kill => {
                self.session = None;
                self.reopen_if_needed();
            }
        }
    }

    fn session(&mut self) -> &mut Session {
        self.session.as_mut().unwrap()
    }

    fn group(&mut self, frames: usize) {
        let numbers: Vec<u64> = (self.next..).take(frames).collect();
        self.next += frames as u64;
        let mut tickets = Vec::new();
        for &n in &numbers {
            self.note(Event::Begun(n));
            tickets.push(self.session().enqueue(n));
        }
        for (n, ticket) in numbers.into_iter().zip(tickets) {
            let session = self.session();
            match ticket.and_then(|ticket| session.log.wait(ticket)) {
                Ok(seq) => {
                    session.rows.push(n);
                    assert_eq!(seq, session.rows.len() as u64);
                    self.note(Event::Acked(n));
                }
                Err(_) => {
                    self.suspect = true;
                    // Poisoned: nobody knows.
                    if !self.session().poisoned() {
                        self.note(Event::Refused(n));
                    }
                }
            }
        }
    }
}
