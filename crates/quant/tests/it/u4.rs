//! 4-bit codes against f64 loops on the vectors themselves.

use proptest::prelude::*;
use proxime_quant::{Codes, CodesU4, ScalarI8};
use proxime_simd::{I8Query, Isa, Level, Metric, Rows, WithIsa, reference};

struct Dot<'a>(I8Query<'a>, &'a [u8]);

impl WithIsa for Dot<'_> {
    type Output = [i32; 1];

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> [i32; 1] {
        isa.dots_u4(self.0, [self.1])
    }
}

/// The distance of the query to every row, by 4-bit codes, in the metric's units up to a constant.
fn by_codes(metric: Metric, rows: Rows<'_, f32>, query: &[f32]) -> Vec<f64> {
    let codec = ScalarI8::train(rows, metric).unwrap();
    let codes = CodesU4::new(Codes::encode(&codec, rows).unwrap().stored(&codec));
    let query = codes.prepare(&codec, query).unwrap();
    let unit = f64::from(codec.scale()).powi(2);
    let distance = |row| {
        let [dot] = Level::detect().dispatch(Dot(query.codes(), codes.row(row)));
        unit * f64::from(codes.distance_from_dot(&query, dot, row))
    };
    (0..codes.n()).map(distance).collect()
}

proptest! {
    /// What is left of the error after rotation is a fraction of the largest norm, for any number of components.
    #[test]
    fn differences_of_distances_are_the_metric_s(
        dim in prop::sample::select(vec![1usize, 3, 64, 127, 128, 129, 300]),
        seed in 0u64..1000,
        pick in 0usize..3,
    ) {
        let metric = [Metric::L2, Metric::Cosine, Metric::Dot][pick];
        // Components of very different size, which is what the rotation is for.
        let value = |i: usize| {
            let bits = (i as u64 + 1).wrapping_mul(seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15));
            ((bits >> 40) as f32 / (1 << 24) as f32 - 0.3) / (1 + i % dim) as f32
        };
        let data: Vec<f32> = (0..20 * dim).map(value).collect();
        let rows = Rows::new(&data, dim).unwrap();
        let query = rows.row(0);
        let got = by_codes(metric, rows, query);
        let wanted: Vec<f64> = rows.iter().map(|row| reference::distance(metric, query, row)).collect();
        // The distance between unit vectors is twice the cosine's.
        let times = if metric == Metric::Cosine { 2.0 } else { 1.0 };
        let norm = |row: &[f32]| reference::dot(row, row).sqrt();
        let size = match metric {
            Metric::Cosine => 1.0,
            Metric::L2 | Metric::Dot => rows.iter().map(norm).fold(0.0, f64::max).powi(2),
        };
        for (row, (got_row, wanted_row)) in got.iter().zip(&wanted).enumerate() {
            let off = (got_row - got[0]) - times * (wanted_row - wanted[0]);
            prop_assert!(off.abs() < 0.2 * size, "{metric}, {dim}, row {row}: off by {off} of {size}");
        }
    }
}

#[test]
fn rows_without_direction_have_distances() {
    let data = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 4.0];
    for metric in [Metric::L2, Metric::Dot] {
        for rows in [&data[..4], &data[..]] {
            let got = by_codes(metric, Rows::new(rows, 2).unwrap(), &[0.0, 0.0]);
            assert!(got.iter().all(|distance| distance.is_finite()), "{got:?}");
        }
    }
}

const ROWS: usize = 400;
const DIM: usize = 300;

/// Rows whose components look random, some of them larger than others.
fn data() -> Vec<f32> {
    let value = |i: usize| {
        let bits = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let bits = (bits ^ (bits >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits >> 40) as f32 / (1 << 24) as f32 - 0.3) / (1 + i % 7) as f32
    };
    (0..ROWS * DIM).map(value).collect()
}

/// Against the distances of the int8 codes that were rounded.
#[test]
fn errors_are_as_large_as_is_said() {
    let data = data();
    let (n, rows) = (ROWS, Rows::new(&data, DIM).unwrap());
    for metric in [Metric::L2, Metric::Cosine, Metric::Dot] {
        let codec = ScalarI8::train(rows, metric).unwrap();
        let codes = Codes::encode(&codec, rows).unwrap();
        let rounded = CodesU4::new(codes.stored(&codec));
        let (exact, query) = (
            codec.prepare(rows.row(0)).unwrap(),
            rounded.prepare(&codec, rows.row(0)).unwrap(),
        );
        let in_errors = |row| {
            let [dot] = Level::detect().dispatch(Dot(query.codes(), rounded.row(row)));
            let distance = exact.distance_from_dot(exact.dot(codes.row(row)), codes.term(row));
            let off = rounded.distance_from_dot(&query, dot, row) - distance;
            f64::from(off / rounded.error(&query, row))
        };
        let square = (1..n).map(|row| in_errors(row).powi(2)).sum::<f64>() / (n - 1) as f64;
        assert!(
            (0.8..1.2).contains(&square.sqrt()),
            "{metric}: {}",
            square.sqrt()
        );
    }
}

struct Ones<'a>(I8Query<'a>, &'a [u8]);

impl WithIsa for Ones<'_> {
    type Output = [i32; 1];

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> [i32; 1] {
        isa.dots_bits(self.0, [self.1])
    }
}

/// On average one standard deviation below it, so that a sixth of all are above it.
#[test]
fn signs_say_the_least_that_a_distance_is_likely_to_be() {
    let data = data();
    let (n, rows) = (ROWS, Rows::new(&data, DIM).unwrap());
    for metric in [Metric::L2, Metric::Cosine, Metric::Dot] {
        let codec = ScalarI8::train(rows, metric).unwrap();
        let codes = CodesU4::new(Codes::encode(&codec, rows).unwrap().stored(&codec));
        let (mut above, mut lower) = (0, 0.0);
        for query in (0..n).step_by(10) {
            let query = codes.prepare(&codec, rows.row(query)).unwrap();
            for row in 0..n {
                let [dot] = Level::detect().dispatch(Dot(query.codes(), codes.row(row)));
                let [ones] = Level::detect().dispatch(Ones(query.codes(), codes.signs(row)));
                let distance = codes.distance_from_dot(&query, dot, row);
                let least = codes.least_from_signs(&query, ones, row);
                above += u32::from(least > distance);
                lower += f64::from(distance - least) / f64::from(codes.error(&query, row));
            }
        }
        let (pairs, lower) = ((n / 10 * n) as f64, lower / (n / 10 * n) as f64);
        let share = f64::from(above) / pairs;
        assert!((0.12..0.2).contains(&share), "{metric}: {share} are above");
        // Signs leave six times as much in doubt as four bits do.
        assert!(
            (4.5..7.0).contains(&lower),
            "{metric}: {lower} errors below"
        );
    }
}
