//! Products of many `int8` rows with many: what a blocked matrix product does 10 to 100 times cheaper than one pair at a time.
//!
//! Both sides are copied first, 16 rows at a time. The left-hand rows are dealt into squares of 16 cache lines, one of each row
//! ([`Gathered`]); the right-hand squares are turned over as well ([`Panels`]), so that a register holds four codes of 16 rows
//! and one multiply-add serves them all. So everything is read in the order in which it lies. A block of left rows times panels stays in
//! registers for the whole length of a row: no partial sum is ever stored.
//!
//! Exact, with the contract of [`dots_i8`](crate::Isa::dots_i8): the order of additions is of no consequence.

use std::ops::Range;

use bytemuck::Zeroable;

use crate::codes::I8Query;
use crate::isa::Isa;
use crate::raw::Line;
use crate::transpose::{self, Words, transpose};

/// Rows in a panel, and groups of codes in a line of a row.
pub const PANEL_ROWS: usize = 16;

/// Both sides are filled up with zeros to a multiple of this many rows.
pub const BLOCK_ROWS: usize = 2 * PANEL_ROWS;

/// Codes of one row that stand together: what a 32-bit lane adds up.
pub(crate) const GROUP: usize = 4;

/// Codes in a line, and what the length of a row is rounded up to.
const LINE_CODES: usize = PANEL_ROWS * GROUP;

/// Rows of [`all_pairs`] that are multiplied with as many others at a time: whole blocks on every tier, and the products stay
/// in cache until they are finished.
const STRIP_ROWS: usize = 96;

/// Rows on their way while one is copied: from memory at random, each would be waited for.
const ROWS_AHEAD: usize = 8;

/// Four codes of each row of a panel.
pub(crate) type PanelLine = [i8; LINE_CODES];

/// How a tier multiplies four codes of one row with those of a panel.
pub trait I8Tiles: Copy {
    /// What packed codes are flipped by, bit by bit, to be what the tier multiplies.
    const FLIP: i8 = 0;

    /// Sums for the rows of a panel, in the tier's own order.
    type Tile: Copy;

    /// The words of two lines in turn: the first halves, then the second.
    #[inline(always)]
    fn deal(self, a: Words, b: Words) -> (Words, Words) {
        transpose::deal(&a, &b)
    }
    /// No product added yet.
    fn tile_zero(self) -> Self::Tile;
    /// `tile` and the products of `left` with each row's four codes.
    fn tile_add(self, tile: Self::Tile, left: [i8; GROUP], line: &PanelLine) -> Self::Tile;
    /// One sum per row of the panel, less what `tile_add` added too much for a left row of this sum.
    fn tile_sums(self, tile: Self::Tile, left_sum: i32) -> [i32; PANEL_ROWS];
    /// The products of some left rows with some panels, with as many of both at once as the tier has registers for.
    /// Rows and panels start at a multiple of two panels; so do they end, or with the last.
    fn multiply(
        self,
        left: &Gathered,
        rows: Range<usize>,
        right: &Panels,
        panels: Range<usize>,
        out: &mut Products,
    );
}

/// Copies of rows; keeps its memory from one use to the next.
///
/// Line `j` of row `i` is line `i % 16` of square `j` of panel `i / 16`.
#[derive(Debug, Default)]
pub struct Gathered {
    lines: Vec<Line>,
    sums: Vec<i32>,
    /// Lines of one row.
    depth: usize,
}

impl Gathered {
    /// Copies rows of up to `len` codes, at least one, filled up with zeros.
    ///
    /// Cost: one pass over the rows, which are prefetched.
    #[inline(always)]
    pub fn gather<'a, I: Isa>(
        &mut self,
        isa: I,
        len: usize,
        rows: impl ExactSizeIterator<Item = I8Query<'a>> + Clone,
    ) {
        self.fill(isa, len, rows, |_, _| ());
    }

    /// Gathers, and hands over each panel's rows as soon as they are there, with the panel's number.
    #[inline(always)]
    fn fill<'a, I: Isa>(
        &mut self,
        isa: I,
        len: usize,
        mut rows: impl ExactSizeIterator<Item = I8Query<'a>> + Clone,
        mut then: impl FnMut(usize, &[Line]),
    ) {
        assert!(len > 0, "a row has at least one code");
        self.depth = len.div_ceil(LINE_CODES);
        self.sums.clear();
        let padded = rows.len().next_multiple_of(BLOCK_ROWS);
        let lines = at_least(&mut self.lines, padded * self.depth);
        let mut ahead = rows.clone().skip(ROWS_AHEAD);
        let panels = lines.chunks_exact_mut(PANEL_ROWS * self.depth);
        for (panel, lines) in panels.enumerate() {
            for at in 0..PANEL_ROWS {
                let places = lines[at..].iter_mut().step_by(PANEL_ROWS);
                let Some(row) = rows.next() else {
                    places.for_each(|line| *line = Line::zeroed());
                    continue;
                };
                if let Some(row) = ahead.next() {
                    isa.prefetch(row.codes());
                }
                deal_out(row.codes(), places);
                self.sums.push(row.sum());
            }
            then(panel, lines);
        }
    }

    /// Rows gathered.
    pub fn n(&self) -> usize {
        self.sums.len()
    }

    /// The line of a row that holds its first codes; the next is 16 lines on.
    #[inline(always)]
    fn start(&self, row: usize) -> usize {
        row / PANEL_ROWS * PANEL_ROWS * self.depth + row % PANEL_ROWS
    }

    /// The squares of a panel.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn panel(&self, panel: usize) -> &[Line] {
        let lines = PANEL_ROWS * self.depth;
        &self.lines[panel * lines..][..lines]
    }
}

/// Copies a row to the lines that are its places, the last filled up with zeros.
#[inline(always)]
fn deal_out<'a>(codes: &[i8], mut places: impl Iterator<Item = &'a mut Line>) {
    let (whole, rest) = codes.as_chunks::<LINE_CODES>();
    for (codes, place) in whole.iter().zip(&mut places) {
        *place = bytemuck::cast(*codes);
    }
    for place in places {
        let mut last = [0; LINE_CODES];
        last[..rest.len()].copy_from_slice(rest);
        *place = bytemuck::cast(last);
    }
}

/// Rows packed as the right-hand side of [`multiply`]; keeps its memory from one packing to the next.
#[derive(Debug, Default)]
pub struct Panels {
    lines: Vec<Line>,
    /// Lines of one panel: groups of one row.
    depth: usize,
    n: usize,
    /// Of the tier that packed.
    flip: i8,
}

impl Panels {
    /// Gathers rows as [`Gathered::gather`] does, and packs them for products on the same tier.
    ///
    /// Cost: one pass over the rows.
    #[inline(always)]
    pub fn pack<'a, I: Isa>(
        &mut self,
        isa: I,
        len: usize,
        rows: impl ExactSizeIterator<Item = I8Query<'a>> + Clone,
        gathered: &mut Gathered,
    ) {
        (self.n, self.flip) = (rows.len(), I::FLIP);
        self.depth = len.div_ceil(LINE_CODES) * PANEL_ROWS;
        let (count, panel_depth) = (self.count(), self.depth);
        let lines = at_least(&mut self.lines, count * panel_depth);
        gathered.fill(isa, len, rows, |panel, rows| {
            let panel = &mut lines[panel * panel_depth..][..panel_depth];
            turn_over(isa, rows, panel);
        });
    }

    /// Rows packed.
    pub fn n(&self) -> usize {
        self.n
    }

    fn count(&self) -> usize {
        self.n.next_multiple_of(BLOCK_ROWS) / PANEL_ROWS
    }

    /// The lines of a panel.
    #[inline(always)]
    pub(crate) fn panel(&self, panel: usize) -> &[Line] {
        &self.lines[panel * self.depth..][..self.depth]
    }
}

/// Turns over each square of a panel: rows of codes become groups of four codes of each row.
#[inline(always)]
fn turn_over<I: Isa>(isa: I, squares: &[Line], panel: &mut [Line]) {
    let flip = i32::from_le_bytes([I::FLIP as u8; GROUP]);
    let squares = squares.as_chunks::<PANEL_ROWS>().0;
    for (to, from) in panel
        .as_chunks_mut::<PANEL_ROWS>()
        .0
        .iter_mut()
        .zip(squares)
    {
        let words = from.map(|line| bytemuck::cast::<_, Words>(line).map(|word| word ^ flip));
        *to = bytemuck::cast(transpose(isa, words));
    }
}

/// So many lines, which hold anything. What is behind them stays as it is: a use that needs more again would only fill it with zeros.
#[inline(always)]
fn at_least(lines: &mut Vec<Line>, n: usize) -> &mut [Line] {
    if lines.len() < n {
        lines.resize(n, Line::zeroed());
    }
    &mut lines[..n]
}

/// A matrix of products, `[rows, stride]`; keeps its memory from one use to the next.
#[derive(Debug, Default)]
pub struct Products {
    lines: Vec<Line>,
    /// Of those, how many are in use.
    used: usize,
    stride: usize,
}

impl Products {
    /// Makes room. A row is an odd number of lines: were it a multiple of 4 KB, all rows would compete for the same few
    /// places in the cache.
    fn resize(&mut self, rows: usize, panels: usize) {
        let row_lines = panels | 1;
        self.stride = row_lines * PANEL_ROWS;
        self.used = rows.next_multiple_of(BLOCK_ROWS) * row_lines;
        at_least(&mut self.lines, self.used);
    }

    /// From one row to the next: more than it has products.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// All products, row by row, and behind the last row what fills up its block.
    #[inline(always)]
    pub fn as_slice(&self) -> &[i32] {
        bytemuck::cast_slice(&self.lines[..self.used])
    }

    /// The same, to be turned into distances in place.
    #[inline(always)]
    pub fn as_mut_slice(&mut self) -> &mut [i32] {
        bytemuck::cast_slice_mut(&mut self.lines[..self.used])
    }

    /// The rows of a 16 by 16 square start this many lines from each other.
    #[inline(always)]
    fn square(&self, row: usize, panel: usize) -> (usize, usize) {
        let step = self.stride / PANEL_ROWS;
        (row * step + panel, step)
    }
}

/// The products of every left row with every packed row.
///
/// Shapes: `left [m, dim]`, `right [n, dim]`, both gathered at one length, `out [m, stride]`; what is behind the `n`-th
/// product of a row means nothing.
/// Cost: `m * n * dim` multiply-adds at nearly the instruction's rate.
///
/// ```
/// use proxime_simd::block::{Gathered, Panels, Products, multiply};
/// use proxime_simd::{I8Query, Scalar};
///
/// let rows = [I8Query::new(&[1, 2, 3, 4]), I8Query::new(&[0, 0, 0, -1])];
/// let (mut left, mut right, mut out) = (Gathered::default(), Panels::default(), Products::default());
/// right.pack(Scalar, 4, rows.into_iter(), &mut left);
/// multiply(Scalar, &left, &right, &mut out);
/// assert_eq!(out.as_slice()[..2], [30, -4]);
/// assert_eq!(out.as_slice()[out.stride()..][..2], [-4, 1]);
/// ```
#[inline(always)]
pub fn multiply<I: Isa>(isa: I, left: &Gathered, right: &Panels, out: &mut Products) {
    assert_eq!(
        (left.depth * PANEL_ROWS, I::FLIP),
        (right.depth, right.flip),
        "rows of one length, packed by one tier"
    );
    out.resize(left.n(), right.count());
    isa.multiply(left, 0..left.n(), right, 0..right.count(), out);
}

/// The products of all rows with each other, finished: [`multiply`] of rows with themselves for little more than half of its
/// cost.
///
/// `right` is packed from `rows`. `finish(i, j, products)` turns 16 products of row `i` with the rows from `j` on into what they
/// are wanted for, the same for `i` with `j` as for `j` with `i`; rows from `n` on are there to be filled up with anything.
/// Out: `[n, stride]`, symmetric.
#[inline(always)]
pub fn all_pairs<I: Isa>(
    isa: I,
    rows: &Gathered,
    right: &Panels,
    out: &mut Products,
    finish: impl Fn(usize, usize, &mut [i32; PANEL_ROWS]),
) {
    assert_eq!(
        (rows.n(), rows.depth * PANEL_ROWS, I::FLIP),
        (right.n, right.depth, right.flip),
        "the same rows on both sides, packed by one tier"
    );
    out.resize(rows.n(), right.count());
    for start in (0..rows.n()).step_by(STRIP_ROWS) {
        let strip = start..rows.n().min(start + STRIP_ROWS);
        for first in (start..rows.n()).step_by(STRIP_ROWS) {
            let end = right.count().min((first + STRIP_ROWS) / PANEL_ROWS);
            let panels = first / PANEL_ROWS..end;
            isa.multiply(rows, strip.clone(), right, panels.clone(), out);
            finish_block(strip.clone(), panels.clone(), out, &finish);
            if first > start {
                mirror(isa, strip.clone(), panels, out);
            }
        }
    }
}

/// Finishes the products of some rows with some panels, while they are in cache.
#[inline(always)]
fn finish_block(
    rows: Range<usize>,
    panels: Range<usize>,
    out: &mut Products,
    finish: &impl Fn(usize, usize, &mut [i32; PANEL_ROWS]),
) {
    for row in rows {
        let (at, _) = out.square(row, panels.start);
        for (line, panel) in out.lines[at..].iter_mut().zip(panels.clone()) {
            finish(row, panel * PANEL_ROWS, bytemuck::cast_mut(line));
        }
    }
}

/// Copies the products of some rows with some panels to where the panels' rows have theirs with these rows.
#[inline(always)]
fn mirror<I: Isa>(isa: I, rows: Range<usize>, panels: Range<usize>, out: &mut Products) {
    for panel in panels {
        for row in rows.clone().step_by(PANEL_ROWS) {
            let (from, step) = out.square(row, panel);
            let square = std::array::from_fn(|i| bytemuck::cast(out.lines[from + i * step]));
            let square = transpose(isa, square);
            let (to, step) = out.square(panel * PANEL_ROWS, row / PANEL_ROWS);
            for (i, line) in square.into_iter().enumerate() {
                out.lines[to + i * step] = bytemuck::cast(line);
            }
        }
    }
}

/// [`I8Tiles::multiply`], `M` left rows and `P` panels at a time.
#[inline(always)]
pub(crate) fn by<T: I8Tiles, const M: usize, const P: usize>(
    tiles: T,
    left: &Gathered,
    rows: Range<usize>,
    right: &Panels,
    panels: Range<usize>,
    out: &mut Products,
) {
    let whole = panels.len() / P * P;
    for first in panels.clone().take(whole).step_by(P) {
        rows_by::<T, M, P>(tiles, left, rows.clone(), right, first, out);
    }
    for first in panels.skip(whole) {
        rows_by::<T, M, 1>(tiles, left, rows.clone(), right, first, out);
    }
}

/// Some left rows with `P` panels.
#[inline(always)]
fn rows_by<T: I8Tiles, const M: usize, const P: usize>(
    tiles: T,
    left: &Gathered,
    rows: Range<usize>,
    right: &Panels,
    first: usize,
    out: &mut Products,
) {
    let whole = rows.len() / M * M;
    for row in rows.clone().take(whole).step_by(M) {
        tile::<T, M, P>(tiles, left, row, right, first, out);
    }
    for row in rows.skip(whole) {
        tile::<T, 1, P>(tiles, left, row, right, first, out);
    }
}

/// `M` left rows with `P` panels, all sums in registers.
#[inline(always)]
fn tile<T: I8Tiles, const M: usize, const P: usize>(
    tiles: T,
    rows: &Gathered,
    row: usize,
    panels: &Panels,
    first: usize,
    out: &mut Products,
) {
    let right: [&[[Line; PANEL_ROWS]]; P] =
        std::array::from_fn(|p| panels.panel(first + p).as_chunks().0);
    let mut sums = [[tiles.tile_zero(); P]; M];
    #[expect(
        clippy::needless_range_loop,
        reason = "three things are read at each step"
    )]
    for step in 0..rows.depth {
        let left: [[[i8; GROUP]; PANEL_ROWS]; M] = std::array::from_fn(|m| {
            bytemuck::cast(rows.lines[rows.start(row + m) + step * PANEL_ROWS])
        });
        for group in 0..PANEL_ROWS {
            for p in 0..P {
                let line = bytemuck::cast_ref(&right[p][step][group]);
                for m in 0..M {
                    sums[m][p] = tiles.tile_add(sums[m][p], left[m][group], line);
                }
            }
        }
    }
    for (m, sums) in sums.into_iter().enumerate() {
        let (at, _) = out.square(row + m, first);
        let left_sum = rows.sums[row + m];
        for (line, sums) in out.lines[at..][..P].iter_mut().zip(sums) {
            *line = bytemuck::cast(tiles.tile_sums(sums, left_sum));
        }
    }
}

/// A block's products to be written by a tier that stores them itself: from a row and a panel on, lines a row apart.
#[cfg(target_arch = "x86_64")]
impl Products {
    #[inline(always)]
    pub(crate) fn lines_from(&mut self, row: usize, panel: usize) -> (&mut [Line], usize) {
        let (at, step) = self.square(row, panel);
        (&mut self.lines[at..], step * size_of::<Line>())
    }
}
