//! Stored vectors, whatever their components are: read one by one, block by block, compared with a query.
//!
//! Float32 is used where it lies. What is narrower is widened block by block into a buffer that stays in the cache: half the bytes, or a
//! quarter, come from memory, and the same kernels compare.

use std::borrow::Cow;
use std::ops::Range;

use proxime_core::{Candidate, Neighbor, flat, rerank};
use proxime_simd::Metric;

use crate::dtype::Dtype;
use crate::{Result, Rows};

/// Bytes of vectors that are widened at once.
const BLOCK_BYTES: usize = 64 << 10;

/// The vectors of a segment, of which those that are used are as they were written.
#[derive(Clone, Copy)]
pub(crate) struct Vectors<'a> {
    bytes: &'a [u8],
    dim: usize,
    dtype: Dtype,
}

impl<'a> Vectors<'a> {
    pub(crate) fn new(bytes: &'a [u8], dim: usize, dtype: Dtype) -> Vectors<'a> {
        Vectors { bytes, dim, dtype }
    }

    pub(crate) fn n(&self) -> usize {
        self.bytes.len() / self.row_bytes()
    }

    fn row_bytes(&self) -> usize {
        self.dim * self.dtype.bytes()
    }

    /// Float32 where it lies. `None`: it is something else.
    fn as_floats(&self) -> Option<Rows<'a, f32>> {
        let is_wide = self.dtype == Dtype::F32;
        let floats = is_wide.then(|| bytemuck::try_cast_slice(self.bytes).ok());
        Rows::new(floats??, self.dim).ok()
    }

    /// These rows; none beyond the last.
    pub(crate) fn get(&self, rows: Range<usize>) -> Cow<'a, [f32]> {
        let range = rows.start * self.row_bytes()..rows.end * self.row_bytes();
        let bytes = self.bytes.get(range).unwrap_or_default();
        match bytemuck::try_cast_slice(bytes) {
            Ok(floats) if self.dtype == Dtype::F32 => Cow::Borrowed(floats),
            _ => {
                let mut floats = vec![0.0; bytes.len() / self.dtype.bytes()];
                self.dtype.widen(bytes, &mut floats);
                Cow::Owned(floats)
            }
        }
    }

    fn block_rows(&self) -> usize {
        (BLOCK_BYTES / (size_of::<f32>() * self.dim)).max(16)
    }

    /// The `k` nearest accepted rows of each query, nearest first, as [`flat::search`].
    pub(crate) fn nearest(
        &self,
        metric: Metric,
        queries: Rows<'_, f32>,
        k: usize,
        accept: impl Fn(u32) -> bool,
    ) -> Result<Vec<Vec<Neighbor>>> {
        if let Some(rows) = self.as_floats() {
            return Ok(flat::search(metric, queries, rows, k, accept));
        }
        let mut nearest = flat::Nearest::new(metric, queries, k);
        for first in (0..self.n()).step_by(self.block_rows()) {
            let rows = first..self.n().min(first + self.block_rows());
            let block = self.get(rows.clone());
            let nodes = rows.start as u32..rows.end as u32;
            nearest.add(nodes, Rows::new(&block, self.dim)?, &accept);
        }
        Ok(nearest.into_sorted())
    }

    /// The `k` nearest of the candidates, nearest first, as [`rerank`].
    pub(crate) fn rerank(
        &self,
        metric: Metric,
        query: &[f32],
        candidates: impl Iterator<Item = Candidate>,
        k: usize,
    ) -> Result<Vec<Neighbor>> {
        if let Some(rows) = self.as_floats() {
            return Ok(rerank(metric, query, rows, candidates, k));
        }
        let nodes: Vec<u32> = candidates.map(|candidate| candidate.node).collect();
        let mut nearest = flat::Nearest::new(metric, Rows::new(query, self.dim)?, k);
        let mut block = vec![0.0; self.block_rows().min(nodes.len()) * self.dim];
        for nodes in nodes.chunks(self.block_rows()) {
            for (&node, out) in nodes.iter().zip(block.chunks_exact_mut(self.dim)) {
                let start = node as usize * self.row_bytes();
                let stored = self.bytes.get(start..start + self.row_bytes());
                self.dtype.widen(stored.unwrap_or_default(), out);
            }
            let rows = Rows::new(
                block.get(..nodes.len() * self.dim).unwrap_or_default(),
                self.dim,
            )?;
            nearest.add(nodes.iter().copied(), rows, |_| true);
        }
        Ok(nearest.into_sorted().into_iter().flatten().collect())
    }
}
