//! Reading the log again: which frames count, and whether what follows them is a torn end or damage.
//!
//! Nothing is changed here, and nothing is handed on before all of it is accepted. A log that stops at a frame that is not
//! whole was either being written at that moment, and nobody was told that the frame is there; or it was complete and bytes have
//! changed since. The two differ in one thing: what was complete and durable is vouched for by a later watermark, in a
//! frame behind, in the header of a later generation, or in the manifest. Then opening is refused.
//!
//! What no watermark vouches for, the last group before a crash, cannot be told from a torn end.
//!
//! Costs: the files in memory, and a search that takes checksums of at most four times their bytes. A log that demands more
//! is refused.

use super::frame::{ALIGN, Found, Head, KIND_CLOSE, KIND_OWN};
use super::generation::{self, HEADER_BYTES, Header};
use super::{Frame, Torn};
use crate::backend::{File, Vfs};
use crate::error::{Error, Result};
use crate::manifest::{Manifest, StoreId};
use crate::names::{LOG_NUMBER_MAX, Name};
use crate::store::Access;

/// Bytes that the search for watermarks takes checksums of, as a multiple of the file.
pub(super) const SEARCH_FACTOR: u64 = 4;

/// The log of a store, read and accepted.
#[derive(Debug)]
pub(crate) struct Scan {
    generations: Vec<Generation>,
    /// The first that is free.
    pub(crate) next_generation: u64,
    /// The last frame, here or in segments.
    pub(crate) last_seq: u64,
    pub(crate) clean: bool,
    pub(crate) torn: Option<Torn>,
}

impl Scan {
    /// Reads the generations among `names` that the manifest counts.
    ///
    /// Errors: damage; a newer format; the system's.
    pub(crate) fn read(
        vfs: &dyn Vfs,
        store: StoreId,
        manifest: &Manifest,
        names: &[Name],
        access: Access,
    ) -> Result<Scan> {
        let mut generations: Vec<Generation> = Vec::new();
        let mut next_seq = manifest.last_seq + 1;
        let mut durable_seq = manifest.durable_seq;
        let mut next_generation = manifest.wal_first_gen;
        for number in numbers(vfs, manifest, names)? {
            let generation = Generation::read(vfs, store, number, access)?;
            generation.follows(generations.last(), manifest.last_seq, next_seq)?;
            let first_seq = generation.header.first_seq;
            for older in &mut generations {
                older.void_from = older.void_from.min(first_seq);
            }
            next_seq = generation.next_seq;
            durable_seq = durable_seq.max(generation.durable_seq);
            next_generation = number + 1;
            generations.push(generation);
        }
        let mut scan = Scan {
            generations,
            next_generation: next_generation.max(1),
            last_seq: next_seq - 1,
            clean: true,
            torn: None,
        };
        if let Some(newest) = scan.generations.last() {
            newest.refuse_damage(durable_seq)?;
            scan.clean = newest.closed;
            scan.torn = newest.torn();
        }
        Ok(scan)
    }

    /// The frames that count, in order.
    pub(crate) fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        self.generations.iter().flat_map(Generation::frames)
    }
}

/// The generations to read, ascending: all of them, from the manifest's first on, without a gap.
fn numbers(vfs: &dyn Vfs, manifest: &Manifest, names: &[Name]) -> Result<Vec<u64>> {
    let first = manifest.wal_first_gen;
    let log = |name: &Name| match name {
        Name::Log(number) if *number >= first => Some(*number),
        _ => None,
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(log).collect();
    numbers.sort_unstable();
    let mut expected = match numbers.first() {
        Some(&number) if first == 0 => number,
        _ => first,
    };
    let damaged = |number, what: &str| {
        Err(Error::Corrupt {
            file: vfs.path().join(Name::Log(number).to_string()),
            offset: 0,
            what: what.to_owned(),
        })
    };
    for &number in &numbers {
        if number != expected {
            return damaged(expected, "the file is missing");
        }
        expected += 1;
    }
    if numbers.is_empty() && first > 0 {
        return damaged(first, "the file is missing");
    }
    if expected >= LOG_NUMBER_MAX {
        return damaged(expected - 1, "no store of ours gets to this number");
    }
    Ok(numbers)
}

/// One file, as far as its frames hold.
#[derive(Debug)]
struct Generation {
    file: File,
    header: Header,
    bytes: Vec<u8>,
    /// Behind the last frame that holds.
    end: usize,
    next_seq: u64,
    /// The highest watermark in it.
    durable_seq: u64,
    closed: bool,
    /// Frames from here on are replaced by a later generation.
    void_from: u64,
}

impl Generation {
    fn read(vfs: &dyn Vfs, store: StoreId, number: u64, access: Access) -> Result<Generation> {
        let (file, header, bytes) = generation::read(vfs, store, number, access)?;
        let mut generation = Generation {
            file,
            header,
            bytes,
            end: HEADER_BYTES,
            next_seq: header.first_seq,
            durable_seq: header.durable_seq,
            closed: false,
            void_from: u64::MAX,
        };
        generation.walk()?;
        Ok(generation)
    }

    /// Goes as far as frames hold.
    ///
    /// Errors: frames that hold, but that no writer of ours writes there.
    fn walk(&mut self) -> Result<()> {
        let place = self.header.place();
        while let Some(found) = place.frame(&self.bytes, self.end) {
            let (head, total) = (found.head, found.total());
            if let Some(problem) = self.problem(&head) {
                return Err(self.corrupt(problem));
            }
            self.next_seq = head.seq + 1;
            self.durable_seq = self.durable_seq.max(head.durable_seq);
            self.closed = head.kind == KIND_CLOSE;
            self.end += total;
        }
        if self.closed && self.end != self.bytes.len() {
            return Err(self.corrupt("there are bytes after the end of the log".into()));
        }
        Ok(())
    }

    fn problem(&self, head: &Head) -> Option<String> {
        let own = u64::from(head.kind >= KIND_OWN);
        let expected = self.next_seq - own;
        if self.closed {
            Some("there is a frame after the end of the log".into())
        } else if head.seq != expected {
            Some(format!("frame {} is where {expected} belongs", head.seq))
        } else {
            let problem = head.problem()?;
            Some(format!("frame {}: {problem}", head.seq))
        }
    }

    fn corrupt(&self, what: String) -> Error {
        self.file.corrupt(self.end as u64, what)
    }

    /// Errors: frames are missing between this one and what is older.
    fn follows(&self, older: Option<&Generation>, in_segments: u64, next_seq: u64) -> Result<()> {
        let first_seq = self.header.first_seq;
        match older {
            // Whoever started this generation had seen the older ones end just before it.
            Some(older) if first_seq > next_seq => Err(older.corrupt(format!(
                "frame {next_seq} is not whole, and a later log starts at frame {first_seq}"
            ))),
            Some(_) if first_seq > in_segments => Ok(()),
            None if first_seq == next_seq => Ok(()),
            _ => Err(self.file.corrupt(
                56,
                format!("it starts at frame {first_seq} where {next_seq} belongs"),
            )),
        }
    }

    /// What the newest generation must not lack: frames that were durable.
    fn refuse_damage(&self, durable_seq: u64) -> Result<()> {
        let next_seq = self.next_seq;
        if durable_seq >= next_seq {
            return Err(self.corrupt(format!(
                "frame {next_seq} is not whole, and everything up to frame {durable_seq} was durable"
            )));
        }
        match self.search()? {
            None => Ok(()),
            Some((offset, head)) => Err(self.corrupt(format!(
                "frame {next_seq} is not whole; frame {} at byte {offset} says that everything up to frame {} was durable",
                head.seq, head.durable_seq
            ))),
        }
    }

    /// A frame behind the end that vouches for what is missing.
    fn search(&self) -> Result<Option<(usize, Head)>> {
        let place = self.header.place();
        let mut budget = (self.bytes.len() as u64).saturating_mul(SEARCH_FACTOR);
        for offset in (self.end + ALIGN..self.bytes.len()).step_by(ALIGN) {
            let Some(total) = self.vouches(offset) else {
                continue;
            };
            budget = budget.checked_sub(total).ok_or_else(|| {
                self.corrupt("what follows looks like far more frames than it has room for".into())
            })?;
            if let Some(found) = place.frame(&self.bytes, offset) {
                return Ok(Some((offset, found.head)));
            }
        }
        Ok(None)
    }

    /// Bytes of the frame at `offset`, if there is one that vouches for what is missing, should its checksum hold.
    fn vouches(&self, offset: usize) -> Option<u64> {
        let rest = self.bytes.get(offset..)?;
        let head = Head::of(rest)?;
        let total = head.total().filter(|total| *total <= rest.len())?;
        let frames_max = (self.bytes.len() / ALIGN) as u64;
        let near = head.seq.checked_sub(self.next_seq)? <= frames_max;
        (near && head.durable_seq >= self.next_seq && head.problem().is_none())
            .then_some(total as u64)
    }

    fn torn(&self) -> Option<Torn> {
        let bytes = self.bytes.len() - self.end;
        (bytes > 0).then(|| Torn {
            file: self.file.path().to_owned(),
            offset: self.end as u64,
            bytes: bytes as u64,
        })
    }

    fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        let mut at = HEADER_BYTES;
        let accepted = std::iter::from_fn(move || {
            let found = Found::accepted(self.bytes.get(at..self.end)?)?;
            at += found.total();
            Some(found)
        });
        accepted
            .filter(|found| found.head.kind < KIND_OWN && found.head.seq < self.void_from)
            .map(|found| Frame {
                seq: found.head.seq,
                kind: found.head.kind,
                collection: found.head.collection,
                payload: found.payload(),
            })
    }
}
