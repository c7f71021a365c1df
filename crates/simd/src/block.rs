//! Products of many `int8` rows with many: what a blocked matrix product does 10 times cheaper than one pair at a time.
//!
//! The right-hand rows are packed once into panels of 16 rows, four codes of each beside each other, so that a register
//! holds four codes of 16 rows and one multiply-add serves them all. The left-hand rows are read as they are. A block of
//! left rows times panels stays in registers for the whole length of a row: no partial sum is ever stored.
//!
//! Exact, with the contract of [`dots_i8`](crate::Isa::dots_i8): the order of additions is of no consequence.

use crate::codes::I8Query;
use crate::isa::Isa;

/// Rows in a panel.
pub const PANEL_ROWS: usize = 16;

/// Codes of one row that stand together: what a 32-bit lane adds up.
const GROUP: usize = 4;

/// Four codes of each row of a panel.
pub(crate) type PanelLine = [i8; PANEL_ROWS * GROUP];

/// How a tier multiplies four codes of one row with those of a panel.
pub trait I8Tiles: Copy {
    /// Sums for the rows of a panel, in the tier's own order.
    type Tile: Copy;

    /// No product added yet.
    fn tile_zero(self) -> Self::Tile;
    /// `tile` and the products of `left` with each row's four codes.
    fn tile_add(self, tile: Self::Tile, left: [i8; GROUP], line: &PanelLine) -> Self::Tile;
    /// One sum per row of the panel, less what `tile_add` added too much for a left row of this sum.
    fn tile_sums(self, tile: Self::Tile, left_sum: i32) -> [i32; PANEL_ROWS];
    /// [`multiply`] with as many left rows and panels at once as the tier has registers for.
    fn multiply(self, left: &[I8Query<'_>], right: &Panels, out: &mut [i32]);
}

/// Rows packed as the right-hand side of [`multiply`]; keeps its memory from one packing to the next.
///
/// ```
/// use proxime_simd::block::{Panels, multiply};
/// use proxime_simd::{I8Query, Scalar};
///
/// let rows = [I8Query::new(&[1, 2, 3, 4]), I8Query::new(&[0, 0, 0, -1])];
/// let mut panels = Panels::default();
/// panels.pack(&rows);
/// let mut out = vec![0; 2 * panels.stride()];
/// multiply(Scalar, &rows, &panels, &mut out);
/// assert_eq!((out[0], out[1]), (30, -4));
/// assert_eq!((out[panels.stride()], out[panels.stride() + 1]), (-4, 1));
/// ```
#[derive(Debug, Default)]
pub struct Panels {
    lines: Vec<PanelLine>,
    /// Lines of one panel.
    depth: usize,
    n: usize,
}

impl Panels {
    /// Packs rows, each as long as the first and a multiple of four long ([`AlignedRows`](crate::AlignedRows) are).
    ///
    /// Cost: one pass over the rows.
    pub fn pack(&mut self, rows: &[I8Query<'_>]) {
        let len = rows.first().map_or(0, |row| row.codes().len());
        assert!(
            len.is_multiple_of(GROUP),
            "rows of {len} codes are not whole groups"
        );
        self.n = rows.len();
        self.depth = len / GROUP;
        self.lines.clear();
        self.lines.resize(
            self.depth * rows.len().div_ceil(PANEL_ROWS),
            [0; PANEL_ROWS * GROUP],
        );
        for (panel, rows) in self
            .lines
            .chunks_mut(self.depth.max(1))
            .zip(rows.chunks(PANEL_ROWS))
        {
            for (lane, row) in rows.iter().enumerate() {
                let groups = row.codes().as_chunks::<GROUP>().0;
                assert_eq!(row.codes().len(), len, "rows of different length");
                for (line, group) in panel.iter_mut().zip(groups) {
                    line.as_chunks_mut::<GROUP>().0[lane] = *group;
                }
            }
        }
    }

    /// Rows packed.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Products per left row in the output of [`multiply`]: `n` rounded up to whole panels.
    pub fn stride(&self) -> usize {
        self.n.next_multiple_of(PANEL_ROWS)
    }
}

/// The products of every left row with every packed row.
///
/// Shapes: `left [m, dim]`, `right [n, dim]`, `out [m, stride]` with the panels' stride; what is behind the `n`-th product of
/// a row is zero.
/// Cost: `m * n * dim` multiply-adds at nearly the instruction's rate.
#[inline(always)]
pub fn multiply<I: Isa>(isa: I, left: &[I8Query<'_>], right: &Panels, out: &mut [i32]) {
    assert_eq!(
        out.len(),
        left.len() * right.stride(),
        "a place for every product"
    );
    isa.multiply(left, right, out);
}

/// [`multiply`], `M` left rows and `P` panels at a time.
#[inline(always)]
pub(crate) fn by<T: I8Tiles, const M: usize, const P: usize>(
    tiles: T,
    left: &[I8Query<'_>],
    right: &Panels,
    out: &mut [i32],
) {
    if right.depth == 0 {
        return out.fill(0);
    }
    let panels_at_once = right.lines.chunks(P * right.depth);
    for (panels, first) in panels_at_once.zip((0..).step_by(P * PANEL_ROWS)) {
        let stride = right.stride();
        match panels.len() == P * right.depth {
            true => rows_by::<T, M, P>(tiles, left, panels, right.depth, first, stride, out),
            false => {
                for (panel, first) in panels
                    .chunks(right.depth)
                    .zip((first..).step_by(PANEL_ROWS))
                {
                    rows_by::<T, M, 1>(tiles, left, panel, right.depth, first, stride, out);
                }
            }
        }
    }
}

/// All left rows with `P` panels, whose first product goes to column `first`.
#[inline(always)]
fn rows_by<T: I8Tiles, const M: usize, const P: usize>(
    tiles: T,
    left: &[I8Query<'_>],
    panels: &[PanelLine],
    depth: usize,
    first: usize,
    stride: usize,
    out: &mut [i32],
) {
    let (blocks, rest) = left.as_chunks::<M>();
    let (out_blocks, out_rest) = out.split_at_mut(blocks.len() * M * stride);
    for (rows, out) in blocks.iter().zip(out_blocks.chunks_exact_mut(M * stride)) {
        tile::<T, M, P>(tiles, rows, panels, depth, first, stride, out);
    }
    for (row, out) in rest.iter().zip(out_rest.chunks_exact_mut(stride)) {
        tile::<T, 1, P>(tiles, &[*row], panels, depth, first, stride, out);
    }
}

/// `M` left rows with `P` panels, all sums in registers.
#[inline(always)]
fn tile<T: I8Tiles, const M: usize, const P: usize>(
    tiles: T,
    rows: &[I8Query<'_>; M],
    panels: &[PanelLine],
    depth: usize,
    first: usize,
    stride: usize,
    out: &mut [i32],
) {
    // Of one length, said so that no index in the loop is checked.
    let left: [&[[i8; GROUP]]; M] = rows.map(|row| &row.codes().as_chunks::<GROUP>().0[..depth]);
    let right: [&[PanelLine]; P] = std::array::from_fn(|p| &panels[p * depth..][..depth]);
    let mut sums = [[tiles.tile_zero(); P]; M];
    for t in 0..depth {
        for p in 0..P {
            for m in 0..M {
                sums[m][p] = tiles.tile_add(sums[m][p], left[m][t], &right[p][t]);
            }
        }
    }
    for (m, sums) in sums.into_iter().enumerate() {
        let out = &mut out[m * stride + first..][..P * PANEL_ROWS];
        for (out, sums) in out.chunks_exact_mut(PANEL_ROWS).zip(sums) {
            out.copy_from_slice(&tiles.tile_sums(sums, rows[m].sum()));
        }
    }
}
