//! Sketches: rows in far fewer dimensions, where distances are nearly what they are between codes.
//!
//! Most embeddings differ in few directions. A sketch is the row's component in each of those (`basis`), as int8, so that
//! partition and leaves multiply a sixth of what 768 codes would cost. What a row has in other directions is known by its square
//! only, and two rows' other parts are taken to be alike for the most part. Who is whose neighbour in the end is decided by
//! the codes.
//!
//! Where the sketches would hold too little of the rows there are none, and the codes are looked at; so too where sketches find other
//! neighbours (`agree`).

use rayon::prelude::*;

use proxime_quant::Codes;
use proxime_simd::block::{Gathered, Panels, Products, multiply};
use proxime_simd::{AlignedRows, I8Query, Isa, Level, WithIsa};

use super::basis::basis;
use super::view::View;
use crate::Error;
use crate::pool::Pool;
use crate::progress::{Step, Watch};

/// Components of a sketch: two cache lines.
const SKETCH_DIM: usize = 128;

/// Below this many times the sketch's dimension, codes are as good.
const SHORTER_MIN: usize = 2;

/// Fewer rows cost less by their codes than a basis does.
const ROWS_MIN: usize = 4096;

/// Rows the basis is made of, and as many others it is judged by.
const SAMPLE_ROWS: usize = 1024;

/// Of the squares of all rows, the share that sketches must hold. Sentence embeddings: 0.73, images: 0.92; with 0.38, of TF-IDF
/// reduced by SVD, graphs were useless.
const SHARE_MIN: f64 = 0.6;

/// The greatest component, in mean absolute components of the strongest direction: what is beyond is clipped.
const CLIP: f32 = 5.0;

/// What counts of the square that is not in a sketch. Neighbours have much of it in common: at 1 those with little of it would be
/// everyone's neighbours, at 0 they would be no one's.
const REST_SHARE: f32 = 0.3;

/// The greatest code.
const CODE_MAX: f32 = 127.0;

/// Adding this leaves the nearest integer in a float's low bits, on every instruction set: 1.5 * 2^23.
const ROUND_MAGIC: f32 = 12_582_912.0;

/// Rows sketched in one task: their products with the basis stay in cache.
const CHUNK_ROWS: usize = 96;

/// Sketches of rows, with what distances need beside them; as of [`Codes`], distances between them fit u32.
#[derive(Debug, Clone)]
pub(crate) struct Sketches {
    rows: AlignedRows<i8>,
    sums: Vec<i32>,
    norms: Vec<u32>,
    /// The added coordinate of dot product.
    extras: Vec<u32>,
}

impl Sketches {
    /// Sketches of all rows; none where codes serve better.
    ///
    /// Errors: asked to stop.
    pub(crate) fn of(codes: &Codes, seed: u64, watch: &Watch<'_>) -> Result<Option<Self>, Error> {
        if codes.n() < ROWS_MIN || codes.dim() < SHORTER_MIN * SKETCH_DIM {
            return Ok(None);
        }
        let sampled = codes.n().min(2 * SAMPLE_ROWS);
        let sample = |i: usize| (i * codes.n() / sampled) as u32;
        let even: Vec<u32> = (0..sampled).step_by(2).map(sample).collect();
        let odd: Vec<u32> = (1..sampled).step_by(2).map(sample).collect();
        let projection = Projection::new(&basis(codes, &even, SKETCH_DIM, seed), codes.dim());
        let Some(scale) = projection.scale_for(codes, &odd) else {
            return Ok(None);
        };
        watch.multiplied(codes.n(), SKETCH_DIM, codes.dim());

        let mut sketches = Self::zeroed(codes.n());
        let scratches = Pool::<(Gathered, Products)>::default();
        let numbers: Vec<u32> = (0..codes.n() as u32).collect();
        let rows = sketches.rows.chunks_mut(CHUNK_ROWS);
        let norms = sketches.norms.chunks_mut(CHUNK_ROWS);
        let tasks: Vec<_> = rows
            .zip(sketches.sums.chunks_mut(CHUNK_ROWS).zip(norms))
            .zip(sketches.extras.chunks_mut(CHUNK_ROWS))
            .zip(numbers.chunks(CHUNK_ROWS))
            .collect();
        tasks.into_par_iter().try_for_each(
            |(((out, (sums, norms)), extras), rows)| -> Result<(), Error> {
                watch.report(Step::Partition)?;
                let sketch = |scratch: &mut (Gathered, Products)| {
                    projection.project(codes, rows, scratch);
                    Level::detect().dispatch(Round {
                        products: &scratch.1,
                        factor: scale / projection.unit,
                        out,
                        sums,
                        norms,
                    });
                };
                scratches.with(sketch);
                for (at, &row) in rows.iter().enumerate() {
                    let row = row as usize;
                    let extra = (codes.extra(row) as f32 * scale).round() as u32;
                    let whole = (codes.norm(row) as f32 * (scale * scale)) as u32;
                    let held = norms[at] + extra * extra;
                    let rest = whole.saturating_sub(held) as f32 * REST_SHARE;
                    extras[at] = extra;
                    norms[at] = held + rest as u32;
                }
                Ok(())
            },
        )?;
        Ok(Some(sketches))
    }

    fn zeroed(n: usize) -> Self {
        Self {
            rows: AlignedRows::zeroed(n, SKETCH_DIM),
            sums: vec![0; n],
            norms: vec![0; n],
            extras: vec![0; n],
        }
    }

    /// The sketches of some of the rows, in the order asked for.
    pub(crate) fn select(&self, rows: &[u32]) -> Self {
        let mut chosen = Self::zeroed(rows.len());
        for (at, row) in rows.iter().map(|&row| row as usize).enumerate() {
            chosen.rows.row_mut(at).copy_from_slice(self.rows.row(row));
            chosen.sums[at] = self.sums[row];
            chosen.norms[at] = self.norms[row];
            chosen.extras[at] = self.extras[row];
        }
        chosen
    }

    /// As [`Codes::by_product`].
    pub(crate) fn by_product(mut self) -> Self {
        self.extras.fill(0);
        self
    }

    pub(crate) const fn dim(&self) -> usize {
        SKETCH_DIM
    }

    #[inline(always)]
    pub(crate) fn query(&self, row: usize) -> I8Query<'_> {
        I8Query::with_sum(self.rows.row(row), self.sums[row])
    }

    #[inline(always)]
    pub(crate) fn norm(&self, row: usize) -> u32 {
        self.norms[row]
    }

    #[inline(always)]
    pub(crate) fn extra(&self, row: usize) -> u32 {
        self.extras[row]
    }
}

/// The basis as int8, packed: what rows are multiplied with.
struct Projection {
    panels: Panels,
    /// What a component of 1 has become.
    unit: f32,
}

impl Projection {
    fn new(basis: &[f32], dim: usize) -> Self {
        let greatest = basis.iter().fold(0.0f32, |max, x| max.max(x.abs()));
        let unit = CODE_MAX / greatest.max(f32::MIN_POSITIVE);
        let mut rows = AlignedRows::zeroed(SKETCH_DIM, dim);
        for (i, row) in basis.chunks_exact(dim).enumerate() {
            for (to, x) in rows.row_mut(i).iter_mut().zip(row) {
                *to = (x * unit).round() as i8;
            }
        }
        let mut panels = Panels::default();
        Level::detect().dispatch(Pack {
            rows: &rows,
            panels: &mut panels,
        });
        Self { panels, unit }
    }

    /// The products of some rows with the basis.
    fn project(
        &self,
        codes: &Codes,
        rows: &[u32],
        (gathered, products): &mut (Gathered, Products),
    ) {
        Level::detect().dispatch(Multiply {
            view: View::Codes(codes),
            rows,
            panels: &self.panels,
            gathered,
            products,
        });
    }

    /// Sketch units in a code's unit, at most one; none if sketches would hold too little of these rows.
    fn scale_for(&self, codes: &Codes, sample: &[u32]) -> Option<f32> {
        let (mut held, mut whole) = (0.0, 0.0);
        let mut sums = [0.0; SKETCH_DIM];
        let mut scratch = Default::default();
        for rows in sample.chunks(CHUNK_ROWS) {
            self.project(codes, rows, &mut scratch);
            let products = scratch.1.as_slice().chunks_exact(scratch.1.stride());
            for (&row, products) in rows.iter().zip(products) {
                let extra = f64::from(codes.extra(row as usize));
                whole += f64::from(codes.norm(row as usize)) - extra * extra;
                for (sum, &product) in sums.iter_mut().zip(products) {
                    let component = f64::from(product) / f64::from(self.unit);
                    *sum += component.abs();
                    held += component * component;
                }
            }
        }
        let strongest = sums.into_iter().fold(0.0, f64::max) / sample.len() as f64;
        let scale = CODE_MAX / (CLIP * strongest as f32);
        (held >= SHARE_MIN * whole && whole > 0.0).then(|| scale.min(1.0))
    }
}

struct Pack<'a> {
    rows: &'a AlignedRows<i8>,
    panels: &'a mut Panels,
}

impl WithIsa for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let rows = (0..self.rows.n()).map(|row| I8Query::new(self.rows.row(row)));
        self.panels
            .pack(isa, self.rows.dim(), rows, &mut Gathered::default());
    }
}

/// Products of rows with what is packed.
struct Multiply<'a> {
    view: View<'a>,
    rows: &'a [u32],
    panels: &'a Panels,
    gathered: &'a mut Gathered,
    products: &'a mut Products,
}

impl WithIsa for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) {
        let rows = self.view.queries(self.rows);
        self.gathered.gather(isa, self.view.dim(), rows);
        multiply(isa, self.gathered, self.panels, self.products);
    }
}

/// Products become the components of sketches, with their sum and square.
struct Round<'a> {
    products: &'a Products,
    factor: f32,
    out: &'a mut [i8],
    sums: &'a mut [i32],
    norms: &'a mut [u32],
}

impl WithIsa for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn with_isa<I: Isa>(self, _isa: I) {
        let products = self.products.as_slice();
        let products = products.chunks_exact(self.products.stride());
        let rows = self.out.chunks_exact_mut(SKETCH_DIM).zip(products);
        for ((out, products), (sum, norm)) in rows.zip(self.sums.iter_mut().zip(self.norms)) {
            for (to, &product) in out.iter_mut().zip(products) {
                let scaled = (product as f32 * self.factor).clamp(-CODE_MAX, CODE_MAX);
                *to = (scaled + ROUND_MAGIC).to_bits() as i8;
            }
            *sum = out.iter().map(|&x| i32::from(x)).sum();
            *norm = out
                .iter()
                .map(|&x| (i32::from(x) * i32::from(x)) as u32)
                .sum();
        }
    }
}
