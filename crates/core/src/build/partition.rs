//! Overlapping leaves: every row joins the clusters of its nearest few leaders.
//!
//! Leaders are rows drawn by hash. The distances of all rows to all leaders are blocked matrix products. Clusters are a good
//! deal larger than leaves, and divided the same way, each row joining one part: so a row is compared with twice the square
//! root of what leaves there are, not with a leader of each, and graphs are better for it. After PiPNN (arXiv 2602.21247),
//! recursive ball carving.

use rayon::prelude::*;

use proxime_simd::block::{Gathered, Panels, Products, multiply};
use proxime_simd::topk::take_least;
use proxime_simd::{Isa, Level, WithIsa};

use super::distances::{FARTHEST, Norms};
use super::view::View;
use super::{LEAF_MAX, LEAF_MEAN};
use crate::Error;
use crate::level::node_hash;
use crate::pool::Pool;
use crate::progress::{Step, Watch};

/// Leaders at most: their places are 16 bits.
const LEADERS_MAX: usize = 1 << 15;

/// Rows assigned in one task: their products with all leaders stay in L2.
const CHUNK_ROWS: usize = 96;

/// The rows of each leaf; a row is in up to `fan` of them. One leaf if `fan` is 1, otherwise each has at most [`LEAF_MAX`].
///
/// Errors: asked to stop.
pub(crate) fn partition(
    view: View<'_>,
    n: usize,
    fan: usize,
    seed: u64,
    watch: &Watch<'_>,
) -> Result<Vec<Vec<u32>>, Error> {
    let all: Vec<u32> = (0..n as u32).collect();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    if fan == 1 {
        return Ok(vec![all]);
    }
    let leaders = (fan as f64 * (n as f64 / LEAF_MEAN as f64).sqrt()) as usize;
    let clusters = carve(view, &all, leaders.min(LEADERS_MAX), fan, seed, watch)?;
    let divided = clusters
        .into_par_iter()
        .enumerate()
        .map(|(i, cluster)| divide(view, cluster, seed.wrapping_add(i as u64), watch))
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(divided.into_iter().flatten().collect())
}

/// A cluster as one leaf, or as several where it is too large for one.
fn divide(
    view: View<'_>,
    cluster: Vec<u32>,
    seed: u64,
    watch: &Watch<'_>,
) -> Result<Vec<Vec<u32>>, Error> {
    let size = cluster.len();
    match size {
        0 => return Ok(Vec::new()),
        1..=LEAF_MAX => return Ok(vec![cluster]),
        _ => {}
    }
    let leaders = size.div_ceil(LEAF_MEAN);
    let parts = carve(view, &cluster, leaders, 1, seed ^ size as u64, watch)?;
    if parts.iter().any(|part| part.len() == size) {
        // Rows that no leader tells apart: equal ones, mostly.
        return Ok(cluster.chunks(LEAF_MAX).map(<[u32]>::to_vec).collect());
    }
    let mut leaves = Vec::new();
    for part in parts {
        leaves.extend(divide(view, part, seed, watch)?);
    }
    Ok(leaves)
}

/// The rows nearest to each of some leaders; each row goes to its nearest `fan`.
fn carve(
    view: View<'_>,
    rows: &[u32],
    leaders: usize,
    fan: usize,
    seed: u64,
    watch: &Watch<'_>,
) -> Result<Vec<Vec<u32>>, Error> {
    let leading = draw(rows, leaders.max(2), seed);
    let fan = fan.min(leading.len());
    let mut panels = Panels::default();
    Level::detect().dispatch(PackLeaders {
        view,
        leading: &leading,
        panels: &mut panels,
    });
    let norms = Norms::of(view, &leading);
    let scratches = Pool::<(Gathered, Products)>::default();
    let assign = |rows: &[u32]| -> Result<Vec<u16>, Error> {
        watch.report(Step::Partition)?;
        let assign = |scratch: &mut (Gathered, Products)| {
            Level::detect().dispatch(Assign {
                view,
                rows,
                leading: &leading,
                panels: &panels,
                norms: &norms,
                fan,
                scratch,
            })
        };
        Ok(scratches.with(assign))
    };
    watch.multiplied(rows.len(), leading.len(), view.dim());
    let joined: Vec<Vec<u16>> = rows
        .par_chunks(CHUNK_ROWS)
        .map(assign)
        .collect::<Result<_, _>>()?;
    let mut clusters = vec![Vec::new(); leading.len()];
    for (&row, joined) in rows
        .iter()
        .zip(joined.iter().flat_map(|joined| joined.chunks_exact(fan)))
    {
        joined
            .iter()
            .for_each(|&leader| clusters[usize::from(leader)].push(row));
    }
    Ok(clusters)
}

/// Some of the rows, those that come first by hash.
fn draw(rows: &[u32], n: usize, seed: u64) -> Vec<u32> {
    let hashed = |&row: &u32| (node_hash(!seed, row), row);
    let mut drawn: Vec<_> = rows.iter().map(hashed).collect();
    if n < drawn.len() {
        drawn.select_nth_unstable(n);
        drawn.truncate(n);
    }
    drawn.sort_unstable();
    drawn.into_iter().map(|(_, row)| row).collect()
}

struct PackLeaders<'a> {
    view: View<'a>,
    leading: &'a [u32],
    panels: &'a mut Panels,
}

impl WithIsa for PackLeaders<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let mut gathered = Gathered::default();
        let leaders = self.view.queries(self.leading);
        self.panels
            .pack(isa, self.view.dim(), leaders, &mut gathered);
    }
}

/// The nearest `fan` leaders of each row, `[rows, fan]`.
struct Assign<'a> {
    view: View<'a>,
    rows: &'a [u32],
    leading: &'a [u32],
    panels: &'a Panels,
    norms: &'a Norms,
    fan: usize,
    scratch: &'a mut (Gathered, Products),
}

impl WithIsa for Assign<'_> {
    type Output = Vec<u16>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Vec<u16> {
        let Self {
            view,
            rows,
            leading,
            panels,
            norms,
            fan,
            scratch: (gathered, products),
        } = self;
        gathered.gather(isa, view.dim(), view.queries(rows));
        multiply(isa, gathered, panels, products);
        let stride = products.stride();
        let keys: &mut [u32] = bytemuck::cast_slice_mut(products.as_mut_slice());
        let mut joined = Vec::with_capacity(rows.len() * fan);
        for (&row, keys) in rows.iter().zip(keys.chunks_exact_mut(stride)) {
            let own = (view.norm(row), view.extra(row));
            let (lines, _) = keys.as_chunks_mut::<16>();
            for (line, first) in lines.iter_mut().zip((0..norms.padded()).step_by(16)) {
                norms.finish(own, first, bytemuck::cast_mut(line));
            }
            keys[leading.len()..].fill(FARTHEST);
            for _ in 0..fan {
                // As many leaders as `fan` there are, so a place is always found.
                let place = take_least(isa, keys).map_or(0, |(_, place)| place);
                joined.push(place as u16);
            }
        }
        joined
    }
}
