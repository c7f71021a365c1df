//! Memory for large matrices: on huge pages, where the system offers them.
//!
//! Rows read at random are each on a page of their own. With pages of 4 KiB the CPU looks up nearly every one in memory; with
//! pages of 2 MiB it knows them all.

use memmap2::MmapMut;

use crate::raw::{LINE_BYTES, Line};

/// Matrices from this size on are worth a map of their own: eight huge pages.
const MAP_BYTES_MIN: usize = 16 << 20;

/// Lines, zero from the start.
pub(crate) enum Lines {
    Heap(Vec<Line>),
    Mapped(MmapMut),
}

impl Lines {
    pub(crate) fn zeroed(n: usize) -> Self {
        match n.checked_mul(LINE_BYTES) {
            Some(bytes) if bytes >= MAP_BYTES_MIN => match MmapMut::map_anon(bytes) {
                Ok(map) => {
                    advise_huge_pages(&map);
                    Self::Mapped(map)
                }
                // The heap has its own way to say that there is no memory.
                Err(_) => Self::Heap(bytemuck::zeroed_vec(n)),
            },
            _ => Self::Heap(bytemuck::zeroed_vec(n)),
        }
    }

    #[inline(always)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Heap(lines) => bytemuck::cast_slice(lines),
            Self::Mapped(map) => map,
        }
    }

    #[inline(always)]
    pub(crate) fn as_mut_bytes(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(lines) => bytemuck::cast_slice_mut(lines),
            Self::Mapped(map) => map,
        }
    }
}

/// A hint; where the system does not take it, pages are small and all else is the same.
#[cfg(target_os = "linux")]
fn advise_huge_pages(map: &MmapMut) {
    map.advise(memmap2::Advice::HugePage).ok();
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages(_map: &MmapMut) {}

impl Clone for Lines {
    fn clone(&self) -> Self {
        let mut lines = Self::zeroed(self.as_bytes().len() / LINE_BYTES);
        lines.as_mut_bytes().copy_from_slice(self.as_bytes());
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_and_not_they_are_zero_and_cloned() {
        for n in [0, 3, MAP_BYTES_MIN / LINE_BYTES] {
            let mut lines = Lines::zeroed(n);
            assert_eq!(
                matches!(lines, Lines::Mapped(_)),
                n >= MAP_BYTES_MIN / LINE_BYTES
            );
            assert!(lines.as_bytes().iter().all(|&byte| byte == 0));
            lines.as_mut_bytes().fill(7);
            let clone = lines.clone();
            lines.as_mut_bytes().fill(9);
            assert_eq!(clone.as_bytes(), vec![7; n * LINE_BYTES]);
        }
    }
}
