//! One number for everything in a collection: what P4, the same bytes everywhere, is checked by.
//!
//! XXH3-128 over the configuration and, segment by segment, every section as it is stored and the rows in it that do not count,
//! each preceded by its length; then the records that are in the log only, and what they delete. Names, store ids, file ids and
//! checksum seeds are left out.

use xxhash_rust::xxh3::Xxh3Default;

use crate::Result;
use crate::filter::Payloads;
use crate::merge::deleted_ids;
use crate::snapshot::View;

/// Errors: damage.
pub(crate) fn digest(view: &View) -> Result<String> {
    let mut hasher = Xxh3Default::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    add(&(view.config.dim as u64).to_le_bytes());
    add(view.config.metric.name().as_bytes());
    let (sealed, tail) = view.sealed_and_tail();
    for part in sealed {
        part.segment.raw()?.into_iter().for_each(&mut add);
        let hidden: Vec<u32> = part.hidden.iter().collect();
        add(bytemuck::cast_slice(&hidden));
        if let Some(index) = part.segment.graph() {
            add(part.segment.codes());
            add(&index.codec.to_bytes());
            add(&index.graph.to_bytes());
        }
    }
    // How the tail is put together depends on what it has been through.
    for part in tail {
        for row in part.live_rows() {
            add(part.segment.ids.bytes(row));
            add(bytemuck::cast_slice(&part.segment.vector_in_order(row)?));
            add(part.segment.metadata_bytes(row)?);
        }
    }
    deleted_ids(tail).into_iter().for_each(add);
    Ok(format!("{:032x}", hasher.digest128()))
}
