//! Every disk that a crash can leave: all subsets of what was unsynced when that is little, else none, all, each alone, all but
//! one, every prefix and pseudo-random ones; and files that grew filled with nothing, zeros or garbage.

use std::hash::{Hash, Hasher};

use proxime_storage::{Disk, Fill};
use xxhash_rust::xxh3::Xxh3;

/// Up to so many choices are tried in all combinations.
const EXHAUSTIVE_CHOICES_MAX: usize = 10;
const RANDOM_SUBSETS: usize = 60;

/// Every disk that a loss of power can leave.
pub(crate) fn power_losses(disk: &Disk) -> Vec<Disk> {
    let choices = disk.choices();
    let fills: &[Fill] = match choices {
        0 => &[Fill::Nothing],
        _ => &[Fill::Nothing, Fill::Zeros, Fill::Garbage],
    };
    let mut disks = Vec::new();
    for subset in subsets(choices, choices as u64) {
        for &fill in fills {
            disks.push(disk.crash(|i| subset[i], fill));
        }
    }
    disks
}

/// Of what programs see.
pub(crate) fn fingerprint(disk: &Disk) -> u64 {
    let mut hasher = Xxh3::new();
    disk.files().for_each(|file| file.hash(&mut hasher));
    hasher.finish()
}

fn subsets(choices: usize, seed: u64) -> Vec<Vec<bool>> {
    let bits = |mask: usize| (0..choices).map(|i| mask >> i & 1 == 1).collect();
    if choices <= EXHAUSTIVE_CHOICES_MAX {
        return (0..1 << choices).map(bits).collect();
    }
    let mut subsets = vec![vec![false; choices], vec![true; choices]];
    for i in 0..choices {
        subsets.push((0..choices).map(|j| i == j).collect());
        subsets.push((0..choices).map(|j| i != j).collect());
        subsets.push((0..choices).map(|j| j < i).collect());
    }
    let mut random = seed | 1;
    for _ in 0..RANDOM_SUBSETS {
        let mut subset = Vec::new();
        for _ in 0..choices {
            random = random
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            subset.push(random >> 63 == 1);
        }
        subsets.push(subset);
    }
    subsets
}
