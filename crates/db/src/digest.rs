//! One number for everything in a collection: what P4, the same bytes everywhere, is checked by.
//!
//! XXH3-128 over the configuration and, segment by segment, every section as it is stored, each preceded by its length.
//! Names, store ids, file ids and checksum seeds are left out.

use xxhash_rust::xxh3::Xxh3Default;

use crate::snapshot::View;

pub(crate) fn digest(view: &View) -> String {
    let mut hasher = Xxh3Default::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    add(&(view.config.dim as u64).to_le_bytes());
    add(view.config.metric.name().as_bytes());
    for part in &view.parts {
        part.segment.raw().into_iter().for_each(&mut add);
        if let Some(index) = part.segment.graph() {
            add(index.codes.as_bytes());
            add(&index.codec.to_bytes());
            add(&index.graph.to_bytes());
        }
    }
    format!("{:032x}", hasher.digest128())
}
