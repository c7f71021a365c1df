//! Checksums and where they get their seeds.
//!
//! CRC-32C guards blocks, XXH3-128 guards whole structures. Neither is cryptographic: they detect accidents. Every CRC starts
//! with *where* the bytes belong (store, file, section, block), so a block that is intact but in the wrong place fails too.

use crate::error::{Error, Result};
use crate::manifest::StoreId;

/// Bytes under one CRC.
pub(crate) const BLOCK_BYTES: usize = 4096;

/// Where a block belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed {
    crc: u32,
}

impl Seed {
    /// For the blocks of one part of one file.
    pub(crate) fn new(store: StoreId, file_id: u64, part: u32) -> Seed {
        let crc = crc32c::crc32c(&store.0);
        let crc = crc32c::crc32c_append(crc, &file_id.to_le_bytes());
        Seed {
            crc: crc32c::crc32c_append(crc, &part.to_le_bytes()),
        }
    }

    /// The start of block `number`'s CRC; continue with [`extend`].
    pub(crate) fn start(self, number: u64) -> u32 {
        crc32c::crc32c_append(self.crc, &number.to_le_bytes())
    }

    /// The CRC of one whole block.
    pub(crate) fn of(self, number: u64, bytes: &[u8]) -> u32 {
        extend(self.start(number), bytes)
    }
}

/// Goes on with a CRC.
pub(crate) fn extend(crc: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc, bytes)
}

/// XXH3-128 of several pieces as if they were one.
pub(crate) fn digest(pieces: &[&[u8]]) -> u128 {
    let mut hasher = xxhash_rust::xxh3::Xxh3Default::new();
    for piece in pieces {
        hasher.update(piece);
    }
    hasher.digest128()
}

/// Checksum code picks instructions by CPU, and has been wrong on some: better to refuse than to call good files bad.
///
/// Errors: [`Error::Checksum`].
pub(crate) fn self_test() -> Result<()> {
    let block: Vec<u8> = (0..=u8::MAX).cycle().take(BLOCK_BYTES).collect();
    if crc32c::crc32c(b"123456789") != 0xe306_9283 || crc32c::crc32c(&block) != 0x9c71_fe32 {
        return Err(Error::Checksum {
            algorithm: "CRC-32C",
        });
    }
    if digest(&[]) != 0x99aa_06d3_0147_98d8_6001_c324_468d_497f {
        return Err(Error::Checksum {
            algorithm: "XXH3-128",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        self_test().unwrap();
    }

    #[test]
    fn place_matters() {
        let (a, b) = (StoreId([1; 16]), StoreId([2; 16]));
        let all = [
            Seed::new(a, 1, 1).of(0, b"x"),
            Seed::new(b, 1, 1).of(0, b"x"),
            Seed::new(a, 2, 1).of(0, b"x"),
            Seed::new(a, 1, 2).of(0, b"x"),
            Seed::new(a, 1, 1).of(1, b"x"),
        ];
        let distinct: std::collections::BTreeSet<u32> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn equals_the_crc_of_place_and_bytes_together() {
        let store = StoreId([9; 16]);
        let mut whole = store.0.to_vec();
        whole.extend(7u64.to_le_bytes());
        whole.extend(3u32.to_le_bytes());
        whole.extend(5u64.to_le_bytes());
        whole.extend(b"block");
        assert_eq!(
            Seed::new(store, 7, 3).of(5, b"block"),
            crc32c::crc32c(&whole)
        );
    }
}
