//! Which write each row of a segment comes from.
//!
//! The *version* of a record is the number of the write that stored it last, as the log counts them: greater than that of every earlier
//! write to the store, and 0 stands for a record that is not there. Rows lie in the order of writing, so those of one write follow
//! each other, and a segment keeps one entry for each write, not for each row.

use bytemuck::{Pod, Zeroable};

/// The versions of the rows of a segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Versions(Vec<Run>);

/// Rows up to `end` that have no run before have this version.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
struct Run {
    end: u64,
    version: u64,
}

/// Bytes of an entry.
pub(crate) const ENTRY_BYTES: u32 = size_of::<Run>() as u32;

impl Versions {
    /// So many rows of one write.
    pub(crate) fn one(rows: u32, version: u64) -> Versions {
        let end = u64::from(rows);
        Versions(
            (rows > 0)
                .then_some(Run { end, version })
                .into_iter()
                .collect(),
        )
    }

    /// Of rows in their order.
    pub(crate) fn collect(versions: impl Iterator<Item = u64>) -> Versions {
        let mut runs: Vec<Run> = Vec::new();
        for (end, version) in (1..).zip(versions) {
            match runs.last_mut() {
                Some(last) if last.version == version => last.end = end,
                _ => runs.push(Run { end, version }),
            }
        }
        Versions(runs)
    }

    /// `None` if these are not the versions of so many rows.
    pub(crate) fn from_bytes(bytes: &[u8], rows: u32) -> Option<Versions> {
        if !bytes.len().is_multiple_of(ENTRY_BYTES as usize) {
            return None;
        }
        let runs: Vec<Run> = bytemuck::pod_collect_to_vec(bytes);
        let ascending = runs.is_sorted_by(|a, b| a.end < b.end);
        let first = runs.first().is_none_or(|run| run.end > 0);
        let rows_of = runs.last().map_or(0, |run| run.end);
        (ascending && first && rows_of == u64::from(rows)).then_some(Versions(runs))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }

    /// Of a row that is there.
    pub(crate) fn of(&self, row: u32) -> u64 {
        let at = self.0.partition_point(|run| run.end <= u64::from(row));
        self.0.get(at).map_or(0, |run| run.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entry_for_each_write() {
        let versions = Versions::collect([3, 3, 5, 9, 9, 9].into_iter());
        assert_eq!(versions.0.len(), 3);
        let all: Vec<u64> = (0..7).map(|row| versions.of(row)).collect();
        assert_eq!(all, [3, 3, 5, 9, 9, 9, 0]);
        assert_eq!(Versions::one(2, 7), Versions::collect([7, 7].into_iter()));
        assert_eq!(Versions::one(0, 7), Versions::default());
    }

    #[test]
    fn bytes_are_not_believed() {
        let versions = Versions::collect([3, 3, 5].into_iter());
        let bytes = versions.as_bytes();
        assert_eq!(Versions::from_bytes(bytes, 3), Some(versions.clone()));
        assert_eq!(Versions::from_bytes(bytes, 2), None);
        assert_eq!(Versions::from_bytes(&bytes[1..], 3), None);
        let swapped = [&bytes[16..], &bytes[..16]].concat();
        assert_eq!(Versions::from_bytes(&swapped, 2), None);
        assert_eq!(Versions::from_bytes(&[0; 16], 0), None);
        assert_eq!(Versions::from_bytes(&[], 0), Some(Versions::default()));
    }
}
