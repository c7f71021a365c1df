//! Right checksums under wrong bytes, written from `docs/FORMAT.md` and not from the code that checks them.
//!
//! What is so wrong that nobody can say where its checksums are is left as it is.

use proxime_storage::StoreId;
use xxhash_rust::xxh3::Xxh3Default;

const BLOCK: usize = 4096;
const PREAMBLE: usize = 32;

/// The first 32 bytes of a file of that kind.
fn preamble(kind: u8) -> Vec<u8> {
    let mut bytes = b"\x89PX_\r\n\x1a\n".to_vec();
    bytes[3] = kind;
    bytes.extend([0, 0, 1, 0, 1, 0, 0, 0]);
    bytes.resize(PREAMBLE, 0);
    bytes
}

pub(crate) fn format(store: StoreId) -> Vec<u8> {
    let mut bytes = preamble(b'F');
    bytes.extend(store.0);
    bytes.resize(60, 0);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// The envelope around any JSON.
pub(crate) fn manifest(store: StoreId, number: u64, json: &[u8]) -> Vec<u8> {
    let mut bytes = preamble(b'M');
    bytes.extend(store.0);
    bytes.extend(number.to_le_bytes());
    bytes.extend((json.len() as u64).to_le_bytes());
    let mut hasher = Xxh3Default::new();
    hasher.update(&bytes);
    hasher.update(json);
    bytes.extend(hasher.digest128().to_le_bytes());
    bytes.extend(json);
    bytes
}

fn crc(store: StoreId, file: u64, part: u32, number: u64, bytes: &[u8]) -> u32 {
    let mut crc = crc32c::crc32c(&store.0);
    for piece in [
        &file.to_le_bytes()[..],
        &part.to_le_bytes(),
        &number.to_le_bytes(),
        bytes,
    ] {
        crc = crc32c::crc32c_append(crc, piece);
    }
    crc
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = at
        .checked_add(value.len())
        .and_then(|end| bytes.get_mut(at..end))
    {
        place.copy_from_slice(value);
    }
}

fn u64_at(bytes: &[u8], at: usize) -> usize {
    let number = bytes.get(at..).and_then(|rest| rest.first_chunk());
    number.map_or(0, |&number| u64::from_le_bytes(number)) as usize
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let number = bytes.get(at..).and_then(|rest| rest.first_chunk());
    number.map_or(0, |&number| u32::from_le_bytes(number))
}

/// A segment's checksums as its own section table says, and its root digest.
pub(crate) fn segment(store: StoreId, file: u64, bytes: &mut [u8]) -> u128 {
    let page = bytes.len().min(BLOCK);
    put(bytes, 32, &store.0);
    put(bytes, 48, &file.to_le_bytes());
    let header = crc(
        store,
        file,
        0xffff_ffff,
        0,
        &bytes[..page.saturating_sub(4)],
    );
    put(bytes, 4092, &header.to_le_bytes());
    let entries = (u32_at(bytes, 74) & 0xffff).min(32) as usize;
    for entry in (0..entries).map(|i| 128 + 48 * i) {
        let kind = u32_at(bytes, entry);
        let [offset, len, crcs] = [24, 32, 40].map(|at| u64_at(bytes, entry + at));
        for block in 0..len.div_ceil(BLOCK).min(bytes.len() / BLOCK) {
            let start = offset.wrapping_add(block * BLOCK);
            let Some(content) = start
                .checked_add(BLOCK)
                .and_then(|end| bytes.get(start..end))
            else {
                break;
            };
            let block_crc = crc(store, file, kind, block as u64, content);
            put(
                bytes,
                crcs.wrapping_add(4 * block),
                &block_crc.to_le_bytes(),
            );
        }
    }
    let footer = bytes.len().saturating_sub(64);
    let tables = u64_at(bytes, footer + 16).min(footer);
    let tables_crc = crc(store, file, 0xffff_fffe, 0, &bytes[tables..footer]);
    let mut hasher = Xxh3Default::new();
    hasher.update(&bytes[..page]);
    hasher.update(&bytes[tables..footer]);
    let digest = hasher.digest128();
    put(bytes, footer + 24, &digest.to_le_bytes());
    put(bytes, footer + 40, &tables_crc.to_le_bytes());
    let end = bytes.len().saturating_sub(4).max(footer);
    let footer_crc = crc(store, file, 0xffff_fffd, 0, &bytes[footer..end]);
    put(bytes, end, &footer_crc.to_le_bytes());
    digest
}

/// A generation of the log: its header, and frames one after the other as long as their lengths make sense.
pub(crate) fn log(store: StoreId, generation: u64, bytes: &mut [u8]) {
    put(bytes, 32, &store.0);
    put(bytes, 48, &generation.to_le_bytes());
    let header = crc(
        store,
        generation,
        0xffff_fffc,
        0,
        &bytes[..bytes.len().min(84)],
    );
    put(bytes, 84, &header.to_le_bytes());
    let salt = u64_at(bytes, 72) as u64;
    let mut at = 88;
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= 40) {
        let total = (u32_at(rest, 0).max(40) as usize).next_multiple_of(8);
        let Some(frame) = rest.get(..total) else {
            return;
        };
        // Salt in the place of the block number, then the offset, then all but the checksum.
        let start = crc(
            store,
            generation,
            0xffff_fffb,
            salt,
            &(at as u64).to_le_bytes(),
        );
        let start = crc32c::crc32c_append(start, &frame[..4]);
        let frame_crc = crc32c::crc32c_append(start, &frame[8..]);
        put(bytes, at + 4, &frame_crc.to_le_bytes());
        at += total;
    }
}
