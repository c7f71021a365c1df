//! Matrices whose shape is proven: [`Rows`] borrows somebody's numbers, [`AlignedRows`] owns numbers laid out
//! for the kernels.
//!
//! No arithmetic and no growth: a matrix has its size from the start.

use std::marker::PhantomData;
use std::ops::Range;
use std::slice::{ChunksExact, ChunksMut};

use bytemuck::Pod;

use crate::memory::Lines;
use crate::raw::LINE_BYTES;

/// A borrowed matrix `[n, dim]`, row after row without gaps.
///
/// ```
/// use proxime_simd::{Rows, ShapeError};
///
/// let rows = Rows::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3)?;
/// assert_eq!((rows.n(), rows.dim()), (2, 3));
/// assert_eq!(rows.row(1), [4.0, 5.0, 6.0]);
/// assert!(Rows::new(&[1.0, 2.0], 3).is_err());
/// # Ok::<(), ShapeError>(())
/// ```
#[derive(Debug)]
pub struct Rows<'a, T> {
    data: &'a [T],
    dim: usize,
}

// Not derived: a borrowed matrix is Copy whatever its numbers are.
impl<T> Clone for Rows<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Rows<'_, T> {}

impl<'a, T> Rows<'a, T> {
    /// Reads `data` as rows of `dim` numbers. Empty data is a matrix without rows.
    ///
    /// # Errors
    /// `dim` is 0, or `data` is no whole number of rows.
    pub fn new(data: &'a [T], dim: usize) -> Result<Self, ShapeError> {
        match data.len().checked_rem(dim) {
            None => Err(ShapeError::ZeroDim),
            Some(0) => Ok(Self { data, dim }),
            Some(_) => Err(ShapeError::Ragged {
                len: data.len(),
                dim,
            }),
        }
    }

    /// How many rows.
    pub fn n(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Components of a row; at least 1.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Row `i`. Panics where `i` is not below `n()`.
    #[inline]
    pub fn row(&self, i: usize) -> &'a [T] {
        &self.data[i * self.dim..][..self.dim]
    }

    /// The rows in order.
    pub fn iter(&self) -> ChunksExact<'a, T> {
        self.data.chunks_exact(self.dim)
    }

    /// The rows of `range`. Panics where the range leaves the matrix.
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self {
            data: &self.data[range.start * self.dim..range.end * self.dim],
            dim: self.dim,
        }
    }

    /// All numbers, `n * dim`.
    pub fn as_slice(&self) -> &'a [T] {
        self.data
    }
}

impl<'a, T> IntoIterator for Rows<'a, T> {
    type Item = &'a [T];
    type IntoIter = ChunksExact<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// An owned matrix `[n, dim]` in which every row starts on a cache line and is filled up with zeros to a whole
/// number of lines.
///
/// Rows are `stride` numbers apart. The kernels then see neither split loads nor tails, and the zeros add
/// nothing to a product or a squared difference. Whoever writes whole strides ([`rows_mut`](Self::rows_mut),
/// [`chunks_mut`](Self::chunks_mut)) keeps the padding zero.
///
/// ```
/// use proxime_simd::AlignedRows;
///
/// let mut rows = AlignedRows::<i8>::zeroed(2, 100);
/// rows.row_mut(1)[99] = 7;
/// assert_eq!(rows.stride(), 128);
/// assert_eq!(rows.row(1)[99..102], [7, 0, 0]);
/// ```
#[derive(Clone)]
pub struct AlignedRows<T> {
    lines: Lines,
    n: usize,
    dim: usize,
    stride: usize,
    element: PhantomData<T>,
}

impl<T: Pod> AlignedRows<T> {
    /// Numbers in a cache line.
    const PER_LINE: usize = {
        assert!(
            size_of::<T>() > 0
                && LINE_BYTES.is_multiple_of(size_of::<T>())
                && align_of::<T>() <= LINE_BYTES
        );
        LINE_BYTES / size_of::<T>()
    };

    /// The lines of a row and of the matrix; `None` where its bytes exceed the address space.
    fn lines(n: usize, dim: usize) -> Option<(usize, usize)> {
        let row = dim.div_ceil(Self::PER_LINE);
        let all = n.checked_mul(row)?;
        all.max(row).checked_mul(LINE_BYTES)?;
        Some((row, all))
    }

    /// A matrix of zeros. Panics where `dim` is 0 or the matrix exceeds the address space.
    pub fn zeroed(n: usize, dim: usize) -> Self {
        assert!(dim > 0, "rows must have at least 1 component");
        let lines = Self::lines(n, dim);
        assert!(
            lines.is_some(),
            "{n} rows of {dim} components exceed the address space"
        );
        let (row, all) = lines.unwrap_or_default();
        Self {
            lines: Lines::zeroed(all),
            n,
            dim,
            stride: row * Self::PER_LINE,
            element: PhantomData,
        }
    }

    /// The matrix whose [`as_bytes`](Self::as_bytes) were written elsewhere; copies them.
    ///
    /// # Errors
    /// `dim` is 0, the bytes are not as many as the shape says, or the padding is not zero.
    pub fn from_bytes(bytes: &[u8], n: usize, dim: usize) -> Result<Self, ShapeError> {
        Self::check(bytes, n, dim)?;
        let mut rows = Self::zeroed(n, dim);
        rows.lines.as_mut_bytes().copy_from_slice(bytes);
        Ok(rows)
    }

    fn check(bytes: &[u8], n: usize, dim: usize) -> Result<(), ShapeError> {
        if dim == 0 {
            return Err(ShapeError::ZeroDim);
        }
        let lines = Self::lines(n, dim);
        let expected = lines.map(|(_, all)| all * LINE_BYTES);
        if expected != Some(bytes.len()) {
            return Err(ShapeError::Bytes {
                n,
                dim,
                expected,
                got: bytes.len(),
            });
        }
        let row_bytes = lines.map_or(LINE_BYTES, |(row, _)| row * LINE_BYTES);
        let padding = |row: &[u8]| row[dim * size_of::<T>()..].iter().any(|&byte| byte != 0);
        match bytes.chunks_exact(row_bytes).position(padding) {
            Some(row) => Err(ShapeError::Padding { row }),
            None => Ok(()),
        }
    }

    /// How many rows.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Components of a row, without the padding.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Numbers from the start of one row to the next: `dim` rounded up to whole cache lines.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Row `i` with its padding, `[stride]`. Panics where `i` is not below `n()`.
    #[inline]
    pub fn row(&self, i: usize) -> &[T] {
        &self.as_slice()[i * self.stride..][..self.stride]
    }

    /// The components of row `i`, `[dim]`: the padding stays out of reach.
    #[inline]
    pub fn row_mut(&mut self, i: usize) -> &mut [T] {
        let (stride, dim) = (self.stride, self.dim);
        &mut self.as_mut_slice()[i * stride..][..dim]
    }

    /// The rows of `range`, `stride` apart. The caller leaves the padding zero.
    pub fn rows_mut(&mut self, range: Range<usize>) -> &mut [T] {
        let stride = self.stride;
        &mut self.as_mut_slice()[range.start * stride..range.end * stride]
    }

    /// Blocks of `rows` rows (the last may be shorter), `stride` apart, to be filled in parallel. The caller
    /// leaves the padding zero. Panics where `rows` is 0.
    pub fn chunks_mut(&mut self, rows: usize) -> ChunksMut<'_, T> {
        let stride = self.stride;
        self.as_mut_slice().chunks_mut(rows * stride)
    }

    /// All numbers with the padding, `n * stride`.
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        bytemuck::cast_slice(self.lines.as_bytes())
    }

    /// The rows with their padding.
    pub fn as_rows(&self) -> Rows<'_, T> {
        Rows {
            data: self.as_slice(),
            dim: self.stride,
        }
    }

    /// The memory as it lies: the numbers in this machine's byte order, the padding between the rows.
    pub fn as_bytes(&self) -> &[u8] {
        self.lines.as_bytes()
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(self.lines.as_mut_bytes())
    }
}

impl AlignedRows<i8> {
    /// What [`from_bytes`](Self::from_bytes) would copy, where it lies: rows with their padding.
    ///
    /// # Errors
    /// As there.
    pub fn view(bytes: &[u8], n: usize, dim: usize) -> Result<Rows<'_, i8>, ShapeError> {
        Self::check(bytes, n, dim)?;
        Rows::new(
            bytemuck::cast_slice(bytes),
            dim.next_multiple_of(LINE_BYTES),
        )
    }
}

impl<T> std::fmt::Debug for AlignedRows<T> {
    /// The shape only: the numbers would fill pages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlignedRows")
            .field("n", &self.n)
            .field("dim", &self.dim)
            .finish_non_exhaustive()
    }
}

/// Numbers that do not make up the matrix they are said to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// A row must have a component.
    #[error("rows must have at least 1 component")]
    ZeroDim,
    /// The last row is not whole.
    #[error("{len} numbers are no whole number of rows of {dim}")]
    Ragged {
        /// How many numbers there are.
        len: usize,
        /// Components of a row.
        dim: usize,
    },
    /// The bytes of an aligned matrix are too few or too many.
    #[error("{n} aligned rows of {dim} components are not {got} bytes (expected {})", bytes(*expected))]
    Bytes {
        /// How many rows.
        n: usize,
        /// Components of a row.
        dim: usize,
        /// How many bytes the shape needs; `None` where that exceeds the address space.
        expected: Option<usize>,
        /// How many there are.
        got: usize,
    },
    /// The padding behind a row must be zero.
    #[error("the padding behind row {row} is not zero")]
    Padding {
        /// The first such row.
        row: usize,
    },
}

fn bytes(expected: Option<usize>) -> String {
    expected.map_or_else(
        || "more than the address space".to_owned(),
        |bytes| bytes.to_string(),
    )
}
