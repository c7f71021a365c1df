//! Logs whose checksums are right and whose content is not: an error or bounded work. Written from docs/FORMAT.md, not with the
//! crate's own code.

use std::sync::Arc;

use proxime_storage::{Access, Durability, Error, MemVfs, Store, Vfs};

use super::{COLLECTION, KIND, Session, payload};
use crate::sample;

const NAME: &str = "wal-0000000001.log";
const SALT: u64 = 0x1234_5678;

struct Forger {
    vfs: Arc<dyn Vfs>,
    store: Vec<u8>,
    bytes: Vec<u8>,
}

fn crc(pieces: &[&[u8]]) -> u32 {
    pieces
        .iter()
        .fold(0, |crc, piece| crc32c::crc32c_append(crc, piece))
}

#[derive(Clone, Copy)]
struct Head {
    len: u32,
    seq: u64,
    durable_seq: u64,
    kind: u8,
    reserved: u8,
}

impl Head {
    fn new(seq: u64, durable_seq: u64) -> Head {
        Head {
            len: 40,
            seq,
            durable_seq,
            kind: KIND,
            reserved: 0,
        }
    }
}

impl Forger {
    /// A store with an empty log, and a header of ours for it.
    fn new(first_seq: u64, durable_seq: u64) -> Forger {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        drop(Session::open(vfs.clone(), Durability::Always).unwrap());
        let own = sample::get(&*vfs, NAME);
        let store = own[32..48].to_vec();
        let mut bytes = own[..48].to_vec();
        for field in [1, first_seq, durable_seq, SALT] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend([0; 4]);
        let part = [
            &1u64.to_le_bytes()[..],
            &0xffff_fffcu32.to_le_bytes(),
            &[0; 8],
        ]
        .concat();
        let crc = crc(&[&store, &part, &bytes]);
        bytes.extend(crc.to_le_bytes());
        assert_eq!(bytes.len(), 88);
        Forger { vfs, store, bytes }
    }

    fn frame(&mut self, head: Head, payload: &[u8]) -> &mut Forger {
        let mut frame = head.len.to_le_bytes().to_vec();
        frame.extend([0; 4]);
        frame.extend(head.seq.to_le_bytes());
        frame.extend(head.durable_seq.to_le_bytes());
        frame.extend(COLLECTION.to_le_bytes());
        frame.extend([head.kind, 0, 0, head.reserved, 0, 0, 0, 0]);
        frame.extend(payload);
        frame.resize(frame.len().next_multiple_of(8), 0);
        let part = [
            &1u64.to_le_bytes()[..],
            &0xffff_fffbu32.to_le_bytes(),
            &SALT.to_le_bytes(),
        ];
        let offset = (self.bytes.len() as u64).to_le_bytes();
        let crc = crc(&[
            &self.store,
            &part.concat(),
            &offset,
            &frame[..4],
            &frame[8..],
        ]);
        frame[4..8].copy_from_slice(&crc.to_le_bytes());
        self.bytes.extend(frame);
        self
    }

    fn data(&mut self, seq: u64, durable_seq: u64) -> &mut Forger {
        let payload = payload(seq);
        let len = 40 + payload.len() as u32;
        self.frame(
            Head {
                len,
                ..Head::new(seq, durable_seq)
            },
            &payload,
        )
    }

    fn open(&self) -> Result<Session, Error> {
        sample::put(&*self.vfs, NAME, &self.bytes);
        Session::open(self.vfs.clone(), Durability::Always)
    }

    fn refused(&self, says: &str) {
        let error = self.open().unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn the_forger_writes_what_the_crate_reads() {
    let mut forger = Forger::new(1, 0);
    forger.data(1, 0).data(2, 1);
    forger
        .frame(
            Head {
                kind: 0x80,
                ..Head::new(2, 2)
            },
            &[],
        )
        .data(3, 2);
    forger.frame(
        Head {
            kind: 0x81,
            ..Head::new(3, 3)
        },
        &[],
    );
    let session = forger.open().unwrap();
    assert!(session.report.clean);
    assert_eq!(session.rows, [1, 2, 3]);
}

#[test]
fn headers() {
    for (first_seq, durable_seq) in [
        (0, 0),
        (2, 1),
        (2, 0),
        (u64::MAX, u64::MAX),
        (1 << 62, 1 << 62),
        (1, u64::MAX),
    ] {
        Forger::new(first_seq, durable_seq).refused("it starts at frame");
    }
    Forger::new(1, 5).refused("up to frame 5 was durable");
}

#[test]
fn frames_that_no_writer_writes() {
    Forger::new(1, 0)
        .data(2, 0)
        .refused("frame 2 is where 1 belongs");
    Forger::new(1, 0)
        .data(1, 0)
        .data(1, 0)
        .refused("frame 1 is where 2 belongs");
    Forger::new(1, 0)
        .data(1, 0)
        .data(u64::MAX, 0)
        .refused("is where 2 belongs");
    Forger::new(1, 0)
        .data(1, 1)
        .refused("durable before it was written");
    Forger::new(1, 0)
        .data(1, u64::MAX)
        .refused("durable before it was written");
    let with = |edit: fn(&mut Head)| {
        let mut head = Head::new(1, 0);
        edit(&mut head);
        let mut forger = Forger::new(1, 0);
        forger.frame(head, &[]);
        forger
    };
    with(|head| head.reserved = 1).refused("reserved bytes are not zero");
    // Of the log's own kinds, which are not counted.
    with(|head| (head.kind, head.seq) = (0x82, 0)).refused("no known kind");
    with(|head| (head.kind, head.seq) = (0xff, 0)).refused("no known kind");
    with(|head| (head.kind, head.seq) = (0x80, 1)).refused("frame 1 is where 0 belongs");
    let close = Head {
        kind: 0x81,
        ..Head::new(1, 1)
    };
    Forger::new(1, 0)
        .data(1, 0)
        .frame(close, &[])
        .data(2, 1)
        .refused("after the end of the log");
    let mut forger = Forger::new(1, 0);
    forger.data(1, 0).frame(close, &[]);
    forger.bytes.push(0);
    forger.refused("after the end of the log");
}

/// A length that no file holds costs nothing: the frame is not whole.
#[test]
fn lengths_that_lie() {
    for len in [0, 1, 39, 41, 1000, 64 << 20, (64 << 20) + 1, u32::MAX] {
        let mut forger = Forger::new(1, 0);
        forger.data(1, 0).frame(
            Head {
                len,
                ..Head::new(2, 1)
            },
            &[],
        );
        match len {
            // The padding is there, and part of the frame.
            41 => assert!(forger.open().unwrap().report.torn.is_some()),
            _ => assert_eq!(forger.open().unwrap().rows, [1], "length {len}"),
        }
    }
}

/// Behind a frame that is not whole, one in every eight bytes that looks worth a checksum of megabytes.
#[test]
fn a_search_that_would_take_for_ever_is_refused() {
    let mut forger = Forger::new(1, 0);
    forger.bytes.extend([0xff; 40]);
    let lure = [
        // Lengths, seqs and watermarks overlap, so each value has to do for all.
        (1u64 << 20 | 1 << 52).to_le_bytes(),
        (1u64 << 20 | 1 << 52).to_le_bytes(),
    ];
    for _ in 0..200_000 {
        forger.bytes.extend(lure[0]);
    }
    // Those are no candidates: reserved bytes are not zero. They are passed over, in one pass.
    assert!(forger.open().is_ok());

    let mut forger = Forger::new(1, 0);
    forger.bytes.extend([0xff; 40]);
    // Heads of 40 bytes, each claiming a megabyte.
    for _ in 0..60_000 {
        let head = Head {
            len: 1 << 20,
            ..Head::new(3, 2)
        };
        let mut frame = head.len.to_le_bytes().to_vec();
        frame.extend([0; 4]);
        frame.extend(head.seq.to_le_bytes());
        frame.extend(head.durable_seq.to_le_bytes());
        frame.extend([0; 8]);
        frame.extend([KIND, 0, 0, 0, 0, 0, 0, 0]);
        forger.bytes.extend(frame);
    }
    forger.refused("far more frames");
}

/// A payload that holds a whole frame of this very log, made for another place, is a payload.
#[test]
fn frames_within_payloads() {
    let mut inner = Forger::new(1, 0);
    inner.data(1, 0).data(2, 1);
    let mut forger = Forger::new(1, 0);
    forger.bytes.extend([0xff; 48]);
    forger.bytes.extend(&inner.bytes[88..]);
    let session = forger.open().unwrap();
    assert_eq!(session.rows, [0; 0]);
    assert!(session.report.torn.is_some());
}

#[test]
fn numbers_at_the_end_of_counting() {
    let forger = Forger::new(1, 0);
    let last = format!("wal-{}.log", (1u64 << 62) - 1);
    sample::put(&*forger.vfs, &last, &forger.bytes);
    forger.refused("the file is missing");

    // A store that has had no log yet could start anywhere.
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    drop(Store::open(vfs.clone(), Access::Create).unwrap());
    sample::put(&*vfs, &format!("wal-{}.log", 1u64 << 61), &forger.bytes);
    let error = Session::open(vfs, Durability::Always).unwrap_err();
    assert!(error.to_string().contains("no store of ours"), "{error}");
}
