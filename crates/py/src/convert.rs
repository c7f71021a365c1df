//! Numbers of any type and layout become float32 as they are read.
//!
//! Nothing here knows Python or holds its lock: a strided view goes in, rows of float32 come out, any part of the batch at a
//! time and from several threads at once.

use std::fmt;

use half::f16;
use numpy::Element;
use numpy::ndarray::{ArrayView1, ArrayView2, Axis, Slice};
use proxime::{Error, Result, VectorSource};

/// Rows are converted so many at a time. Where an array is stored column by column they are read that way: each cache line
/// of the array is then used whole, and the lines written to stay in the first-level cache.
const BLOCK_ROWS: usize = 16;

/// A number that vectors can be made of.
pub(crate) trait Component: Element + Copy {
    /// The nearest float32.
    fn to_f32(self) -> f32;

    /// The same bytes in the other order.
    fn swap_bytes(self) -> Self;

    /// For types that hold finite numbers beyond float32: the number, if it is one of them.
    const BEYOND_F32: Option<fn(Self) -> Option<f64>> = None;
}

macro_rules! integers {
    ($($integer:ty),*) => {
        $(impl Component for $integer {
            fn to_f32(self) -> f32 {
                self as f32
            }

            fn swap_bytes(self) -> Self {
                self.swap_bytes()
            }
        })*
    };
}
integers!(i8, i16, i32, i64, u8, u16, u32, u64);

impl Component for f32 {
    fn to_f32(self) -> f32 {
        self
    }

    fn swap_bytes(self) -> Self {
        f32::from_bits(self.to_bits().swap_bytes())
    }
}

impl Component for f64 {
    fn to_f32(self) -> f32 {
        self as f32
    }

    fn swap_bytes(self) -> Self {
        f64::from_bits(self.to_bits().swap_bytes())
    }

    const BEYOND_F32: Option<fn(Self) -> Option<f64>> =
        Some(|x| (x.is_finite() && x.to_f32().is_infinite()).then_some(x));
}

impl Component for f16 {
    fn to_f32(self) -> f32 {
        f16::to_f32(self)
    }

    fn swap_bytes(self) -> Self {
        f16::from_bits(self.to_bits().swap_bytes())
    }
}

/// A finite number that float32 cannot hold.
#[derive(Debug)]
pub(crate) struct BeyondF32 {
    /// Counted from 0.
    pub(crate) row: usize,
    /// Counted from 0.
    pub(crate) column: usize,
    /// The number.
    pub(crate) value: f64,
}

impl fmt::Display for BeyondF32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BeyondF32 { row, column, value } = self;
        write!(
            f,
            "row {row}, component {column} is {value:e}, which float32 cannot hold"
        )
    }
}

impl std::error::Error for BeyondF32 {}

/// Rows of numbers, `[n, dim]`, read as float32.
pub(crate) struct Converted<'a, T> {
    rows: ArrayView2<'a, T>,
    swapped: bool,
    /// Which row of the batch the first of these is, for messages.
    row: usize,
}

impl<'a, T: Component> Converted<'a, T> {
    /// Any strides; `swapped` numbers have their bytes in the order of another kind of machine.
    pub(crate) fn new(rows: ArrayView2<'a, T>, swapped: bool) -> Self {
        Converted {
            rows,
            swapped,
            row: 0,
        }
    }

    /// The same rows, counted from `row`.
    pub(crate) fn at_row(self, row: usize) -> Self {
        Converted { row, ..self }
    }

    /// Fills `out` with the rows from `first_row` on.
    fn convert(&self, first_row: usize, out: &mut [f32], to_f32: impl Fn(T) -> f32) {
        let dim = self.rows.ncols();
        let range = first_row..first_row + out.len() / dim.max(1);
        let rows = self.rows.slice_axis(Axis(0), Slice::from(range));
        let by_column = matches!(*rows.strides(), [row, column] if row.abs() < column.abs());
        let blocks = rows.axis_chunks_iter(Axis(0), BLOCK_ROWS);
        for (block, out) in blocks.zip(out.chunks_mut(BLOCK_ROWS * dim.max(1))) {
            if by_column {
                for (c, column) in block.columns().into_iter().enumerate() {
                    fill(out.iter_mut().skip(c).step_by(dim), column, &to_f32);
                }
            } else {
                for (row, out) in block.rows().into_iter().zip(out.chunks_mut(dim)) {
                    fill(out.iter_mut(), row, &to_f32);
                }
            }
        }
    }

    /// The first finite number from `first_row` on that became infinite in `out`.
    fn beyond_f32(&self, first_row: usize, out: &[f32]) -> Option<BeyondF32> {
        let beyond = T::BEYOND_F32?;
        // Without an early end, so that the compiler makes vectors of it: this looks at every number there is.
        if !(out.iter()).fold(false, |any, x| any | x.is_infinite()) {
            return None;
        }
        let dim = self.rows.ncols();
        (out.iter().enumerate())
            .filter(|(_, x)| x.is_infinite())
            .find_map(|(index, _)| {
                let (row, column) = (first_row + index / dim, index % dim);
                let x = *self.rows.get((row, column))?;
                let value = beyond(if self.swapped { x.swap_bytes() } else { x })?;
                let row = self.row + row;
                Some(BeyondF32 { row, column, value })
            })
    }
}

fn fill<'o, T: Component>(
    out: impl Iterator<Item = &'o mut f32>,
    from: ArrayView1<'_, T>,
    to_f32: impl Fn(T) -> f32,
) {
    // The same twice, for the compiler makes vectors of a slice.
    match from.to_slice() {
        Some(from) => out.zip(from).for_each(|(o, &x)| *o = to_f32(x)),
        None => out.zip(from).for_each(|(o, &x)| *o = to_f32(x)),
    }
}

impl<T: Component> VectorSource for Converted<'_, T> {
    fn rows(&self) -> usize {
        self.rows.nrows()
    }

    fn dim(&self) -> usize {
        self.rows.ncols()
    }

    fn read(&self, first_row: usize, out: &mut [f32]) -> Result<()> {
        match self.swapped {
            false => self.convert(first_row, out, T::to_f32),
            true => self.convert(first_row, out, |x| x.swap_bytes().to_f32()),
        }
        match self.beyond_f32(first_row, out) {
            None => Ok(()),
            Some(beyond) => Err(Error::Source {
                row: self.row + first_row,
                source: Box::new(beyond),
            }),
        }
    }
}

/// Several sources, one behind the other, as one.
pub(crate) struct Chunks<'a> {
    dim: usize,
    rows: usize,
    /// Each with the row at which it begins.
    chunks: Vec<(usize, Box<dyn VectorSource + 'a>)>,
}

impl<'a> Chunks<'a> {
    /// No rows yet.
    pub(crate) fn new(dim: usize) -> Self {
        Chunks {
            dim,
            rows: 0,
            chunks: Vec::new(),
        }
    }
}

impl<'a> Extend<Box<dyn VectorSource + 'a>> for Chunks<'a> {
    fn extend<T: IntoIterator<Item = Box<dyn VectorSource + 'a>>>(&mut self, sources: T) {
        for source in sources {
            let first_row = self.rows;
            self.rows += source.rows();
            self.chunks.push((first_row, source));
        }
    }
}

impl VectorSource for Chunks<'_> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn read(&self, first_row: usize, mut out: &mut [f32]) -> Result<()> {
        let mut row = first_row;
        let behind = self.chunks.partition_point(|(start, _)| *start <= row);
        for (start, chunk) in self
            .chunks
            .get(behind.saturating_sub(1)..)
            .unwrap_or_default()
        {
            let skipped = row - start;
            let wanted = (chunk.rows() - skipped).min(out.len() / self.dim.max(1));
            let (here, rest) = out.split_at_mut(wanted * self.dim);
            chunk.read(skipped, here)?;
            (row, out) = (row + wanted, rest);
            if out.is_empty() {
                break;
            }
        }
        Ok(())
    }
}
