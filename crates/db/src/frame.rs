//! What a batch is in the log.
//!
//! ```text
//! kind 1, rows:      rows u32, flags u32 (bit 0: with metadata), bytes of ids u64, bytes of metadata u64,
//!                    vectors f32 [rows, dim], ids, metadata: blob columns as in segments
//! kind 2, deletions: number of ids u64, ids: a blob column
//! kind 3, several:   for each: collection u64, kind u8 (1 or 2), 7 bytes zero, bytes u64, and so many bytes as above
//! kind 4, number:    nothing: its number is that of a write that is in segments
//! ```
//!
//! A frame holds what is to be done, not how it was asked for: ids that are stored, rows that no later row of the batch replaces.

use bytemuck::{Pod, Zeroable};
use proxime_storage::Frame;

use crate::record::ids::Ids;
use crate::record::versions::Versions;
use crate::segment::{LoggedRows, Segment};
use crate::writer::check_vectors;
use crate::{CollectionConfig, Input, Rows};

const ROWS: u8 = 1;
const DELETIONS: u8 = 2;
/// The only kind whose frame is of no collection: each of its parts is of one.
pub(crate) const JOINED: u8 = 3;
/// Nothing to be done: a large write has its number from here.
pub(crate) const NUMBER: u8 = 4;
const WITH_METADATA: u32 = 1;
const HEAD_BYTES: usize = size_of::<Head>();

/// Larger batches go straight to a segment.
pub(crate) const BYTES_MAX: usize = 16 << 20;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Head {
    rows: u32,
    flags: u32,
    id_bytes: u64,
    metadata_bytes: u64,
}

/// A frame's kind and payload, in pieces.
pub(crate) struct Encoded<'a> {
    pub(crate) kind: u8,
    head: Vec<u8>,
    body: [&'a [u8]; 3],
}

impl Encoded<'_> {
    pub(crate) fn pieces(&self) -> [&[u8]; 4] {
        let [vectors, ids, metadata] = self.body;
        [&self.head, vectors, ids, metadata]
    }
}

/// A batch has rows or deletions, not both.
pub(crate) fn encode(batch: &LoggedRows) -> Encoded<'_> {
    if let Some(deleted) = &batch.deleted {
        return Encoded {
            kind: DELETIONS,
            head: deleted.to_counted(),
            body: [&[]; 3],
        };
    }
    let metadata = batch.payload.as_deref().unwrap_or_default();
    let head = Head {
        rows: batch.ids.rows(),
        flags: u32::from(batch.payload.is_some()) * WITH_METADATA,
        id_bytes: batch.ids.as_bytes().len() as u64,
        metadata_bytes: metadata.len() as u64,
    };
    Encoded {
        kind: ROWS,
        head: bytemuck::bytes_of(&head).to_vec(),
        body: [
            bytemuck::cast_slice(&batch.vectors),
            batch.ids.as_bytes(),
            metadata,
        ],
    }
}

/// Several batches in one frame: all are there, or none.
#[derive(Debug, Default)]
pub(crate) struct Joined(Vec<u8>);

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct PartHead {
    collection: u64,
    kind: u8,
    zero: [u8; 7],
    bytes: u64,
}

impl Joined {
    pub(crate) fn push(&mut self, collection: u64, batch: &LoggedRows) {
        let batch = encode(batch);
        let head = PartHead {
            collection,
            kind: batch.kind,
            zero: [0; 7],
            bytes: batch.pieces().iter().map(|piece| piece.len() as u64).sum(),
        };
        self.0.extend_from_slice(bytemuck::bytes_of(&head));
        for piece in batch.pieces() {
            self.0.extend_from_slice(piece);
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The batches of a frame, as frames with its number.
///
/// Errors: in words, what is wrong with a frame that [`Joined`] did not write.
pub(crate) fn parts(frame: Frame<'_>) -> Result<Vec<Frame<'_>>, String> {
    match frame.kind {
        JOINED => {}
        NUMBER => return Ok(Vec::new()),
        _ => return Ok(vec![frame]),
    }
    let (mut parts, mut rest) = (Vec::new(), frame.payload);
    while !rest.is_empty() {
        let cut_off = || "it is cut off".to_owned();
        let (head, bytes) = rest
            .split_at_checked(size_of::<PartHead>())
            .ok_or_else(cut_off)?;
        let head: PartHead = bytemuck::pod_read_unaligned(head);
        let len = usize::try_from(head.bytes).map_err(|e| e.to_string())?;
        let (payload, behind) = bytes.split_at_checked(len).ok_or_else(cut_off)?;
        if matches!(head.kind, JOINED | NUMBER) || head.zero != [0; 7] {
            return Err("one of its parts is not as it should be".to_owned());
        }
        parts.push(Frame {
            seq: frame.seq,
            kind: head.kind,
            collection: head.collection,
            payload,
        });
        rest = behind;
    }
    Ok(parts)
}

/// The batch as a segment in memory.
///
/// Errors: in words, what is wrong with a frame that [`encode`] did not write.
pub(crate) fn decode(frame: Frame<'_>, config: &CollectionConfig) -> Result<Segment, String> {
    let logged = match frame.kind {
        ROWS => decode_rows(frame.payload, config)?,
        DELETIONS => {
            let ids = Ids::counted(frame.payload).map_err(|e| e.to_string())?;
            LoggedRows::deletions(ids)
        }
        kind => return Err(format!("it is of kind {kind}, which is not known here")),
    };
    let versions = Versions::one(logged.ids.rows(), frame.seq);
    Segment::in_memory(logged, versions, config.dim).map_err(|e| e.to_string())
}

fn decode_rows<'a>(payload: &'a [u8], config: &CollectionConfig) -> Result<LoggedRows, String> {
    let cut_off = || "it is cut off".to_owned();
    let (head, rest) = payload.split_at_checked(HEAD_BYTES).ok_or_else(cut_off)?;
    let head: Head = bytemuck::pod_read_unaligned(head);
    let split = |bytes_in: &'a [u8], bytes: u64| -> Result<(&'a [u8], &'a [u8]), String> {
        let bytes = usize::try_from(bytes).map_err(|e| e.to_string())?;
        bytes_in.split_at_checked(bytes).ok_or_else(cut_off)
    };
    let (vectors, rest) = split(rest, u64::from(head.rows) * config.dim as u64 * 4)?;
    let (ids, rest) = split(rest, head.id_bytes)?;
    let (metadata, rest) = split(rest, head.metadata_bytes)?;
    let mut vectors: Vec<f32> = bytemuck::pod_collect_to_vec(vectors);
    let none = |at| format!("component {at} is no {}", config.dtype);
    config.dtype.round(&mut vectors).map_err(none)?;
    if !rest.is_empty() || head.flags & !WITH_METADATA != 0 {
        return Err("its parts are not as long as it says".to_owned());
    }
    let rows = Rows::new(&vectors, config.dim).map_err(|e| e.to_string())?;
    check_vectors(rows, config.metric, Input::Row, |row| row).map_err(|e| e.to_string())?;
    Ok(LoggedRows {
        ids: Ids::new(ids.to_vec(), head.rows).map_err(|e| e.to_string())?,
        vectors,
        payload: (head.flags == WITH_METADATA).then(|| metadata.to_vec()),
        deleted: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ids::Kept;
    use crate::{Key, Metric};

    fn ids(keys: &[Key]) -> Ids {
        Ids::of(keys, &Kept::All(keys.len() as u32)).unwrap()
    }

    fn config() -> CollectionConfig {
        CollectionConfig::new(2).metric(Metric::L2)
    }

    fn sample() -> (u8, Vec<u8>) {
        let logged = LoggedRows {
            ids: ids(&[Key::Int(3), "x".into()]),
            vectors: vec![1.0, 2.0, 3.0, 4.0],
            payload: Some([0u64, 0, 0].iter().flat_map(|n| n.to_le_bytes()).collect()),
            deleted: None,
        };
        let encoded = encode(&logged);
        (encoded.kind, encoded.pieces().concat())
    }

    fn decoded(kind: u8, payload: &[u8]) -> Result<Segment, String> {
        let frame = Frame {
            seq: 1,
            kind,
            collection: 1,
            payload,
        };
        decode(frame, &config())
    }

    #[test]
    fn what_is_logged_comes_back() {
        let (kind, payload) = sample();
        let segment = decoded(kind, &payload).unwrap();
        assert_eq!(segment.rows(), 2);
        assert_eq!(*segment.vector(1).unwrap(), [3.0, 4.0]);
        assert_eq!(segment.id(1).to_key(), "x".into());
        assert!(segment.has_payload() && segment.deleted.is_none());

        let logged = LoggedRows::deletions(ids(&[Key::Int(7), "y".into()]));
        let encoded = encode(&logged);
        let segment = decoded(encoded.kind, &encoded.pieces().concat()).unwrap();
        assert_eq!((segment.rows(), segment.deleted_ids()), (0, 2));
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_an_error_or_another_batch() {
        let (kind, payload) = sample();
        for len in 0..payload.len() {
            assert!(decoded(kind, &payload[..len]).is_err(), "{len}");
        }
        for bit in 0..payload.len() * 8 {
            let mut other = payload.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            if let Ok(segment) = decoded(kind, &other) {
                assert_eq!(segment.rows(), 2, "{bit}");
            }
        }
        assert!(decoded(9, &payload).is_err());
        assert!(decoded(DELETIONS, &[0xff; 8]).is_err());
    }

    #[test]
    fn vectors_are_not_believed() {
        let (kind, mut payload) = sample();
        payload[HEAD_BYTES..HEAD_BYTES + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(decoded(kind, &payload).unwrap_err().contains("row 0"));
    }
}
