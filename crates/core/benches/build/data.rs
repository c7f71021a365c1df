//! Data sets as bench-compare writes them: three `.npy` files, little-endian and row by row.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use anyhow::{Context, Result, ensure};
use bytemuck::Pod;

use proxime_simd::Rows;

/// Rows, queries that are not among them, and of each query the nearest rows.
pub(crate) struct Data {
    base: Array<f32>,
    queries: Array<f32>,
    neighbors: Array<i32>,
}

impl Data {
    /// Reads a set, or of its rows only the first.
    pub(crate) fn read(stem: &str, rows: Option<usize>) -> Result<Self> {
        let rows = rows.unwrap_or(usize::MAX);
        let data = Self {
            base: Array::read(&format!("{stem}-base.npy"), "<f4", rows)?,
            queries: Array::read(&format!("{stem}-queries.npy"), "<f4", usize::MAX)?,
            neighbors: Array::read(&format!("{stem}-neighbors.npy"), "<i4", usize::MAX)?,
        };
        ensure!(
            data.queries.n() == data.neighbors.n(),
            "{stem}: queries and neighbors are not equally many"
        );
        Ok(data)
    }

    pub(crate) fn base(&self) -> Result<Rows<'_, f32>> {
        Ok(Rows::new(&self.base.values, self.base.width)?)
    }

    pub(crate) fn queries(&self) -> Result<Rows<'_, f32>> {
        Ok(Rows::new(&self.queries.values, self.queries.width)?)
    }

    /// Of each query the nearest rows, nearest first.
    pub(crate) fn neighbors(&self) -> impl Iterator<Item = &[i32]> {
        self.neighbors.values.chunks_exact(self.neighbors.width)
    }
}

struct Array<T> {
    values: Vec<T>,
    width: usize,
}

impl<T: Pod> Array<T> {
    fn n(&self) -> usize {
        self.values.len() / self.width
    }

    /// At most `rows_max` rows of a two-dimensional array.
    fn read(path: &str, dtype: &str, rows_max: usize) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {path}"))?;
        let mut file = BufReader::new(file);
        let (n, width) =
            read_shape(&mut file, dtype).with_context(|| format!("{path} is not such an array"))?;
        let mut values = vec![T::zeroed(); n.min(rows_max) * width];
        file.read_exact(bytemuck::cast_slice_mut(&mut values))
            .with_context(|| format!("cannot read {path}"))?;
        Ok(Self { values, width })
    }
}

/// The shape in the header, of which nothing is accepted but what `numpy.save` writes for such an array.
fn read_shape(file: &mut impl BufRead, dtype: &str) -> Result<(usize, usize)> {
    let mut start = [0; 10];
    file.read_exact(&mut start)?;
    ensure!(start.starts_with(b"\x93NUMPY\x01"), "no .npy of version 1");
    let length = u16::from_le_bytes([start[8], start[9]]);
    let mut header = String::new();
    file.take(length.into()).read_to_string(&mut header)?;
    let expected = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': (");
    let shape = header
        .strip_prefix(&expected)
        .and_then(|rest| rest.split_once(')'))
        .with_context(|| format!("{expected:?} is not how {header:?} begins"))?;
    let (n, width) = shape
        .0
        .split_once(", ")
        .context("its dimensions are not two")?;
    Ok((n.parse()?, width.parse()?))
}
