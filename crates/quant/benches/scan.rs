//! Searches by this crate's codes alone, by looking at all of them, one query after the other on one thread.
//!
//! `cargo xtask bench codecs` runs it beside other libraries' codecs. Arguments: `base.npy`, `queries.npy` (float32), their number of
//! components, and a number of candidates. For each line of its input, the name of a codec, it answers with a line of JSON: bytes a
//! row, seconds to encode a row, the least seconds of a query, and the candidates of each query, nearest first.
#![expect(clippy::print_stdout, reason = "answers are what it is for")]

use std::time::Instant;
use std::{env, fs, io};

use proxime_quant::{Codes, CodesU4, Query, QueryU4, ScalarI8};
use proxime_simd::{I8Query, Isa, Level, Metric, Rows, WithIsa};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// As the database does it.
const SAMPLE_ROWS: usize = 1024;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [base, queries, dim, keep, ..] = &arguments[..] else {
        // `cargo test --benches` has none.
        return Ok(());
    };
    let (base, queries, dim) = (values(base)?, values(queries)?, dim.parse()?);
    let lab = Lab::new(
        Rows::new(&base, dim)?,
        Rows::new(&queries, dim)?,
        keep.parse()?,
    )?;
    for name in io::stdin().lines() {
        println!("{}", lab.answer(&name?)?);
    }
    Ok(())
}

/// What an array of float32 holds in an `.npy` file.
fn values(path: &str) -> Result<Vec<f32>> {
    let bytes = fs::read(path)?;
    let header = bytes.get(8..10).ok_or("no .npy")?;
    let values = &bytes[10 + usize::from(u16::from_le_bytes(header.try_into()?))..];
    Ok(values
        .as_chunks()
        .0
        .iter()
        .copied()
        .map(f32::from_le_bytes)
        .collect())
}

/// All codes of a set, and its queries.
struct Lab<'a> {
    queries: Rows<'a, f32>,
    keep: usize,
    codec: ScalarI8,
    codes: Codes,
    codes_u4: CodesU4,
    /// To encode all rows: to int8, and from there to 4 bits and signs.
    seconds: [f64; 2],
}

impl<'a> Lab<'a> {
    fn new(base: Rows<'_, f32>, queries: Rows<'a, f32>, keep: usize) -> Result<Self> {
        let step = base.n().div_ceil(SAMPLE_ROWS);
        let sample: Vec<f32> = base.iter().step_by(step).flatten().copied().collect();
        let started = Instant::now();
        let codec = ScalarI8::train(Rows::new(&sample, base.dim())?, Metric::L2)?;
        let codes = Codes::encode(&codec, base)?;
        let to_i8 = started.elapsed().as_secs_f64();
        let codes_u4 = CodesU4::new(codes.stored(&codec));
        let seconds = [to_i8, started.elapsed().as_secs_f64() - to_i8];
        Ok(Self {
            queries,
            keep,
            codec,
            codes,
            codes_u4,
            seconds,
        })
    }

    fn answer(&self, name: &str) -> Result<String> {
        let (padded, [to_i8, to_u4]) = (self.codec.dim().next_multiple_of(128), self.seconds);
        // With each row's numbers that make a product a distance.
        let (bytes, seconds) = match name {
            "int8" => (self.codec.dim() + 4, to_i8),
            "u4" => (padded / 2 + 8, to_i8 + to_u4),
            "signs" => (padded / 8 + 8, to_i8 + to_u4),
            _ => return Err(format!("no codec {name:?}").into()),
        };
        let (taken, found) = self.all(|query| self.scan(name, query))?;
        let encode = seconds / self.codes.n() as f64;
        Ok(format!("[{bytes}, {encode:e}, {taken:e}, {found:?}]"))
    }

    /// What one query finds by such codes.
    fn scan(&self, name: &str, query: &[f32]) -> Result<Vec<u32>> {
        if name == "int8" {
            let query = self.codec.prepare(query)?;
            return Ok(nearest(
                ByInt8(&self.codes, &query, query.codes()),
                self.keep,
            ));
        }
        let codes = &self.codes_u4;
        let query = codes.prepare(&self.codec, query)?;
        Ok(match name {
            "u4" => nearest(ByU4(codes, &query, query.codes()), self.keep),
            _ => nearest(BySigns(codes, &query, query.codes()), self.keep),
        })
    }

    /// The least time of a query, and what each finds.
    fn all(&self, scan: impl Fn(&[f32]) -> Result<Vec<u32>>) -> Result<(f64, Vec<Vec<u32>>)> {
        let (mut least, mut found) = (f64::INFINITY, Vec::new());
        for query in self.queries {
            let started = Instant::now();
            found.push(scan(query)?);
            least = least.min(started.elapsed().as_secs_f64());
        }
        Ok((least, found))
    }
}

/// Distances from one query to all rows.
trait Distances {
    fn n(&self) -> usize;

    /// To rows `first..first + N`.
    fn some<I: Isa, const N: usize>(&self, isa: I, first: usize) -> [f32; N];
}

struct ByInt8<'a>(&'a Codes, &'a Query, I8Query<'a>);
struct ByU4<'a>(&'a CodesU4, &'a QueryU4, I8Query<'a>);
/// By the least distance that the signs allow, as a walk uses them.
struct BySigns<'a>(&'a CodesU4, &'a QueryU4, I8Query<'a>);

impl Distances for ByInt8<'_> {
    fn n(&self) -> usize {
        self.0.n()
    }

    #[inline(always)]
    fn some<I: Isa, const N: usize>(&self, isa: I, first: usize) -> [f32; N] {
        let dots = isa.dots_i8(self.2, rows(first, |row| self.0.row(row)));
        each(dots, |dot, i| {
            self.1.distance_from_dot(dot, self.0.term(first + i))
        })
    }
}

impl Distances for ByU4<'_> {
    fn n(&self) -> usize {
        self.0.n()
    }

    #[inline(always)]
    fn some<I: Isa, const N: usize>(&self, isa: I, first: usize) -> [f32; N] {
        let dots = isa.dots_u4(self.2, rows(first, |row| self.0.row(row)));
        each(dots, |dot, i| {
            self.0.distance_from_dot(self.1, dot, first + i)
        })
    }
}

impl Distances for BySigns<'_> {
    fn n(&self) -> usize {
        self.0.n()
    }

    #[inline(always)]
    fn some<I: Isa, const N: usize>(&self, isa: I, first: usize) -> [f32; N] {
        let dots = isa.dots_bits(self.2, rows(first, |row| self.0.signs(row)));
        each(dots, |dot, i| {
            self.0.least_from_signs(self.1, dot, first + i)
        })
    }
}

/// The codes of rows `first..first + N`. A loop: a closure handed to `array::from_fn` may leave the tier.
#[inline(always)]
fn rows<'a, T, const N: usize>(first: usize, row: impl Fn(usize) -> &'a [T]) -> [&'a [T]; N] {
    let mut rows: [&[T]; N] = [&[]; N];
    for (i, codes) in rows.iter_mut().enumerate() {
        *codes = row(first + i);
    }
    rows
}

#[inline(always)]
fn each<const N: usize>(dots: [i32; N], distance: impl Fn(i32, usize) -> f32) -> [f32; N] {
    let mut distances = [0.0; N];
    for (i, (out, dot)) in distances.iter_mut().zip(dots).enumerate() {
        *out = distance(dot, i);
    }
    distances
}

/// The `keep` nearest rows.
fn nearest(distances: impl Distances, keep: usize) -> Vec<u32> {
    Level::detect().dispatch(Nearest { distances, keep })
}

struct Nearest<D> {
    distances: D,
    keep: usize,
}

impl<D: Distances> WithIsa for Nearest<D> {
    type Output = Vec<u32>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Vec<u32> {
        let Self { distances, keep } = self;
        let (n, mut best, mut farthest) =
            (distances.n(), Vec::with_capacity(4 * keep), f32::INFINITY);
        let mut offer = |distance: f32, row: usize| {
            if distance < farthest {
                best.push((distance, row as u32));
                if best.len() == 4 * keep {
                    best.select_nth_unstable_by(keep - 1, |a, b| a.0.total_cmp(&b.0));
                    best.truncate(keep);
                    farthest = best[keep - 1].0;
                }
            }
        };
        for first in (0..n - n % 4).step_by(4) {
            for (i, distance) in distances.some::<I, 4>(isa, first).into_iter().enumerate() {
                offer(distance, first + i);
            }
        }
        for row in n - n % 4..n {
            let [distance] = distances.some::<I, 1>(isa, row);
            offer(distance, row);
        }
        best.sort_by(|a, b| a.0.total_cmp(&b.0));
        best.into_iter().take(keep).map(|(_, row)| row).collect()
    }
}
