//! Whether sketches find the neighbours that codes find.
//!
//! Sketches hold the directions in which all rows differ. Where rows lie in tight clusters those are the directions from one to
//! another, and what tells the rows of one apart may be in none of them. So some leaves are looked at both ways.

use rayon::prelude::*;

use proxime_quant::Codes;
use proxime_simd::{Isa, Level, WithIsa};

use super::sketch::Sketches;
use super::view::View;

/// Leaves looked at, spread over all.
const LEAVES: usize = 16;

/// Rows of each whose neighbours are looked for.
const ROWS_PER_LEAF: usize = 8;

/// Nearest by codes ...
const NEAR: usize = 8;

/// ... that should be among so many nearest by sketches: ...
const AMONG: usize = 24;

/// ... so many of 100 at least. Images and sentence embeddings: 99; ten clusters of normally distributed rows of 256 components: 25.
const PERCENT_MIN: usize = 90;

/// Whether the nearest by codes in these leaves are those by sketches, for the most part. Runs on the current rayon pool.
///
/// Cost: the distances of about a hundred rows to a leaf each.
pub(crate) fn agree(codes: &Codes, sketches: &Sketches, leaves: &[Vec<u32>]) -> bool {
    let some = leaves.par_iter().step_by((leaves.len() / LEAVES).max(1));
    let compare = |rows: &Vec<u32>| {
        Level::detect().dispatch(Compare {
            codes,
            sketches,
            rows,
        })
    };
    let [found, of] = some
        .map(compare)
        .reduce(|| [0, 0], |a, b| [a[0] + b[0], a[1] + b[1]]);
    100 * found >= PERCENT_MIN * of
}

/// How many of the nearest by codes are near by sketches, of how many.
struct Compare<'a> {
    codes: &'a Codes,
    sketches: &'a Sketches,
    rows: &'a [u32],
}

impl WithIsa for Compare<'_> {
    type Output = [usize; 2];

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> [usize; 2] {
        let Self {
            codes,
            sketches,
            rows,
        } = self;
        let near = |view: View<'_>, row: u32, count: usize| {
            let distances = view.distances(isa, row, rows);
            let mut places: Vec<usize> = (0..rows.len()).collect();
            places.sort_unstable_by_key(|&place| (distances[place], place));
            places.truncate(count);
            places
        };
        let mut counts = [0, 0];
        for &row in rows.iter().step_by((rows.len() / ROWS_PER_LEAF).max(1)) {
            let among = near(View::Sketches(sketches), row, AMONG);
            let nearest = near(View::Codes(codes), row, NEAR);
            counts[0] += nearest.iter().filter(|place| among.contains(place)).count();
            counts[1] += nearest.len();
        }
        counts
    }
}
