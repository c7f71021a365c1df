//! A generation of the log as far as its checksums hold: each frame by itself.
//!
//! Unlike in recovery, a frame that is not whole does not end the log: whole ones behind it are looked for at every multiple
//! of 8, with checksums of at most four times the bytes of the file.

use super::frame::{ALIGN, KIND_OWN};
use super::generation::{self, HEADER_BYTES};
use super::recovery::SEARCH_FACTOR;
use crate::backend::Vfs;
use crate::error::{Error, Result};
use crate::manifest::StoreId;
use crate::salvage::LoggedFrame;
use crate::store::Access;

/// What is left of a generation.
pub(crate) struct Intact {
    pub(crate) first_seq: u64,
    /// In the order of the file.
    pub(crate) frames: Vec<LoggedFrame>,
    /// Where something is that is no frame.
    pub(crate) problem: Option<Error>,
}

/// Errors: the system's; a header that is damaged, without which no frame can be checked.
pub(crate) fn intact_frames(vfs: &dyn Vfs, store: StoreId, number: u64) -> Result<Intact> {
    let (file, header, bytes) = generation::read(vfs, store, number, Access::Read)?;
    let place = header.place();
    let mut intact = Intact {
        first_seq: header.first_seq,
        frames: Vec::new(),
        problem: None,
    };
    let mut budget = (bytes.len() as u64).saturating_mul(SEARCH_FACTOR);
    let mut at = HEADER_BYTES;
    while at < bytes.len() {
        let Some(found) = place.frame(&bytes, at) else {
            let what = "there is no whole frame here";
            intact
                .problem
                .get_or_insert_with(|| file.corrupt(at as u64, what));
            let tried = super::frame::Found::accepted(bytes.get(at..).unwrap_or_default());
            let cost = tried.map_or(0, |found| found.total() as u64);
            let Some(rest) = budget.checked_sub(cost) else {
                break;
            };
            budget = rest;
            at += ALIGN;
            continue;
        };
        if found.head.kind < KIND_OWN && found.head.problem().is_none() {
            intact.frames.push(LoggedFrame {
                seq: found.head.seq,
                kind: found.head.kind,
                collection: found.head.collection,
                payload: found.payload().to_vec(),
            });
        }
        at += found.total();
    }
    Ok(intact)
}
