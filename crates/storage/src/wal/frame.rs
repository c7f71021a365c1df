//! The bytes of a frame: one batch, whole or not at all.
//!
//! ```text
//! 0   len u32          of head and payload, without padding: at least 40
//! 4   crc u32          CRC-32C of everything else, padding included
//! 8   seq u64          counts data frames
//! 16  durable_seq u64  what was known to be on the disk when this was written
//! 24  collection u64
//! 32  kind u8, flags u8 and 6 more bytes, zero
//! 40  payload, zero padded to a multiple of 8
//! ```
//!
//! The checksum starts with where the frame belongs: store, generation, the generation's salt, offset. So a frame of another
//! file, of an earlier life of this one, or from another place in it is no frame here.
//!
//! Frames are *pushed* when their order is decided and *stamped* when their place is.

use bytemuck::{Pod, Zeroable};

use crate::checksum::{self, Seed};
use crate::manifest::StoreId;

/// Largest frame. What is larger goes straight to a segment.
pub(crate) const FRAME_BYTES_MAX: u64 = 64 << 20;
/// Kinds from here on are the log's own; those below belong to the layer above.
pub(super) const KIND_OWN: u8 = 0x80;
/// Carries the watermark forward when nothing is written. Not counted.
pub(super) const KIND_MARK: u8 = 0x80;
/// The log was closed in good order: nothing follows. Not counted.
pub(super) const KIND_CLOSE: u8 = 0x81;
/// Every frame starts at a multiple of this.
pub(super) const ALIGN: usize = 8;
pub(super) const HEAD_BYTES: usize = size_of::<Head>();

const PART_FRAME: u32 = 0xffff_fffb;

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Head {
    len: u32,
    crc: u32,
    pub(super) seq: u64,
    pub(super) durable_seq: u64,
    pub(super) collection: u64,
    pub(super) kind: u8,
    flags: u8,
    zero: [u8; 6],
}

const _: () = assert!(HEAD_BYTES == 40 && HEAD_BYTES.is_multiple_of(ALIGN));

impl Head {
    pub(super) fn of(bytes: &[u8]) -> Option<Head> {
        bytes.get(..HEAD_BYTES).map(bytemuck::pod_read_unaligned)
    }

    /// Bytes in the file; `None` if no frame can have this length.
    pub(super) fn total(&self) -> Option<usize> {
        let len = usize::try_from(self.len).ok()?;
        let possible = len >= HEAD_BYTES && u64::from(self.len) <= FRAME_BYTES_MAX;
        possible.then(|| len.next_multiple_of(ALIGN))
    }

    /// What the log may hold that its writer never writes: a reason to refuse it, whatever the checksum says.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let own = self.kind >= KIND_OWN;
        let durable_max = if own {
            self.seq
        } else {
            self.seq.wrapping_sub(1)
        };
        if self.flags != 0 || self.zero != [0; 6] {
            Some("reserved bytes are not zero")
        } else if self.durable_seq > durable_max {
            Some("it claims to be durable before it was written")
        } else if own && (!matches!(self.kind, KIND_MARK | KIND_CLOSE) || self.len != 40) {
            Some("it is of no known kind")
        } else {
            None
        }
    }
}

/// Where the frames of one generation belong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    crc: u32,
}

impl Place {
    pub(super) fn new(store: StoreId, generation: u64, salt: u64) -> Place {
        Place {
            crc: Seed::new(store, generation, PART_FRAME).start(salt),
        }
    }

    /// `frame` is whole, at least a head.
    fn crc(self, offset: u64, frame: &[u8]) -> u32 {
        let crc = checksum::extend(self.crc, &offset.to_le_bytes());
        let (len, rest) = frame.split_at_checked(4).unwrap_or_default();
        checksum::extend(
            checksum::extend(crc, len),
            rest.get(4..).unwrap_or_default(),
        )
    }

    /// The frame at `offset` of a generation, if its bytes are what was written there.
    pub(super) fn frame(self, generation: &[u8], offset: usize) -> Option<Found<'_>> {
        let bytes = generation.get(offset..)?;
        let found = Found::accepted(bytes)?;
        (self.crc(offset as u64, found.bytes) == found.head.crc).then_some(found)
    }

    /// Gives the frames in `bytes`, all pushed, their place from `offset` on.
    pub(super) fn stamp(self, mut bytes: &mut [u8], mut offset: u64, durable_seq: u64) {
        while let Some(head) = Head::of(bytes) {
            let total = head.total().unwrap_or(bytes.len());
            let Some((frame, rest)) = bytes.split_at_mut_checked(total) else {
                return;
            };
            write_head(
                frame,
                &Head {
                    durable_seq,
                    ..head
                },
            );
            let crc = self.crc(offset, frame);
            write_head(
                frame,
                &Head {
                    durable_seq,
                    crc,
                    ..head
                },
            );
            offset += total as u64;
            bytes = rest;
        }
    }
}

fn write_head(frame: &mut [u8], head: &Head) {
    if let Some(place) = frame.get_mut(..HEAD_BYTES) {
        place.copy_from_slice(bytemuck::bytes_of(head));
    }
}

/// A frame whose checksum holds.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) head: Head,
    bytes: &'a [u8],
}

impl<'a> Found<'a> {
    /// The frame that `bytes` start with, which [`Place::frame`] has found before.
    pub(super) fn accepted(bytes: &'a [u8]) -> Option<Found<'a>> {
        let head = Head::of(bytes)?;
        let bytes = bytes.get(..head.total()?)?;
        Some(Found { head, bytes })
    }

    pub(super) fn payload(&self) -> &'a [u8] {
        usize::try_from(self.head.len)
            .ok()
            .and_then(|len| self.bytes.get(HEAD_BYTES..len))
            .unwrap_or_default()
    }

    pub(super) fn total(&self) -> usize {
        self.bytes.len()
    }
}

/// Bytes that a frame with this payload takes; `None` if there can be no such frame.
pub(super) fn total(payload_bytes: usize) -> Option<usize> {
    let len = payload_bytes.checked_add(HEAD_BYTES)?;
    (len as u64 <= FRAME_BYTES_MAX).then(|| len.next_multiple_of(ALIGN))
}

/// Adds a frame that is not stamped yet. The caller has asked [`total`] whether it can be.
pub(super) fn push(queue: &mut Vec<u8>, seq: u64, kind: u8, collection: u64, pieces: &[&[u8]]) {
    let payload: usize = pieces.iter().map(|piece| piece.len()).sum();
    let head = Head {
        len: u32::try_from(HEAD_BYTES + payload).unwrap_or(u32::MAX),
        seq,
        kind,
        collection,
        ..Head::zeroed()
    };
    let end = (queue.len() + HEAD_BYTES + payload).next_multiple_of(ALIGN);
    queue.reserve(end - queue.len());
    queue.extend(bytemuck::bytes_of(&head));
    for piece in pieces {
        queue.extend_from_slice(piece);
    }
    queue.resize(end, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId([3; 16]);

    fn place() -> Place {
        Place::new(STORE, 5, 77)
    }

    /// Two frames, the second at its own offset.
    fn two() -> (Vec<u8>, usize) {
        let mut bytes = Vec::new();
        push(&mut bytes, 1, 7, 9, &[b"abc", b"", b"de"]);
        let second = bytes.len();
        push(&mut bytes, 2, 8, 10, &[]);
        place().stamp(&mut bytes, 0, 0);
        (bytes, second)
    }

    #[test]
    fn round_trip() {
        let (bytes, second) = two();
        assert_eq!((second, bytes.len()), (48, 88));
        let found = place().frame(&bytes, 0).unwrap();
        assert_eq!(found.payload(), b"abcde");
        assert_eq!(
            (found.head.seq, found.head.kind, found.head.collection),
            (1, 7, 9)
        );
        assert_eq!(found.total(), second);
        let found = place().frame(&bytes, second).unwrap();
        assert_eq!((found.payload(), found.head.seq), (&b""[..], 2));
        assert!(place().frame(&bytes, bytes.len()).is_none());
    }

    #[test]
    fn any_other_bit_or_place_is_no_frame() {
        let (bytes, second) = two();
        for bit in 0..second * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(place().frame(&other, 0).is_none(), "bit {bit}");
        }
        for other in [
            Place::new(StoreId([4; 16]), 5, 77),
            Place::new(STORE, 6, 77),
            Place::new(STORE, 5, 78),
        ] {
            assert!(other.frame(&bytes, 0).is_none());
        }
        let moved = [&[0; 8], &bytes[..]].concat();
        assert!(place().frame(&moved, 8).is_none());
    }

    #[test]
    fn what_no_writer_writes_is_a_problem() {
        let head = Head {
            len: 40,
            seq: 5,
            durable_seq: 4,
            ..Head::zeroed()
        };
        assert_eq!(head.problem(), None);
        assert_eq!(
            Head {
                kind: KIND_MARK,
                durable_seq: 5,
                ..head
            }
            .problem(),
            None
        );
        let broken = [
            Head {
                durable_seq: 5,
                ..head
            },
            Head {
                kind: KIND_CLOSE,
                durable_seq: 6,
                ..head
            },
            Head { kind: 0x82, ..head },
            Head {
                kind: KIND_MARK,
                len: 41,
                ..head
            },
            Head { flags: 1, ..head },
            Head {
                zero: [0, 0, 0, 0, 0, 1],
                ..head
            },
        ];
        for head in broken {
            assert!(head.problem().is_some(), "{head:?}");
        }
    }

    #[test]
    fn impossible_lengths() {
        for len in [0, 39, FRAME_BYTES_MAX as u32 + 1, u32::MAX] {
            assert_eq!(
                Head {
                    len,
                    ..Head::zeroed()
                }
                .total(),
                None
            );
        }
        assert_eq!(total(usize::MAX), None);
        assert_eq!(total(FRAME_BYTES_MAX as usize - 40), Some(64 << 20));
        assert_eq!(total(FRAME_BYTES_MAX as usize - 39), None);
    }
}
