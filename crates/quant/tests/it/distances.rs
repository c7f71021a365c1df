//! Code distances order rows as the metric does, against f64 loops on what the codes stand for.

use proptest::prelude::*;
use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Metric, Rows};

fn decoded(codec: &ScalarI8, code: &[i8]) -> Vec<f64> {
    let mut row = vec![0.0; codec.dim()];
    codec.decode_row(code, &mut row).unwrap();
    row.into_iter().map(f64::from).collect()
}

fn l2_sq(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

proptest! {
    /// A prepared query's distance is the metric's on the decoded row, in steps, up to one constant.
    #[test]
    fn query_distances_are_the_metric_on_decoded_rows(data in prop::collection::vec(0.1f32..9.0, 60), pick in 0usize..3) {
        let metric = [Metric::L2, Metric::Cosine, Metric::Dot][pick];
        let rows = Rows::new(&data, 6).unwrap();
        let codec = ScalarI8::train(rows, metric).unwrap();
        let codes = Codes::encode(&codec, rows).unwrap();
        let raw: Vec<f64> = rows.row(0).iter().map(|&x| f64::from(x)).collect();
        let norm = if metric == Metric::Cosine { dot(&raw, &raw).sqrt() } else { 1.0 };
        let wanted_query: Vec<f64> = raw.iter().map(|x| x / norm).collect();
        let query = codec.prepare(rows.row(0)).unwrap();
        let unit = f64::from(codec.scale()).powi(2);
        let pairs: Vec<(f64, f64)> = (0..codes.n()).map(|row| {
            let stands_for = decoded(&codec, codes.row(row));
            let wanted = match metric {
                Metric::L2 | Metric::Cosine => l2_sq(&wanted_query, &stands_for),
                Metric::Dot => -dot(&wanted_query, &stands_for),
            };
            let got = query.distance_from_dot(query.dot(codes.row(row)), codes.term(row));
            (wanted, f64::from(got) * unit)
        }).collect();
        let spread = pairs.iter().map(|(wanted, _)| wanted.abs()).fold(0.0, f64::max).max(1e-3);
        let constant = pairs[0].0 - pairs[0].1;
        for (wanted, got) in &pairs {
            prop_assert!((wanted - got - constant).abs() < 0.02 * spread, "{metric}: {wanted} against {got} + {constant}");
        }
    }

    /// For dot product the added coordinate makes every row equally long: L2 between rows orders by their product.
    #[test]
    fn dot_product_becomes_l2_by_one_coordinate(data in prop::collection::vec(-4.0f32..4.0, 80)) {
        let rows = Rows::new(&data, 8).unwrap();
        let codec = ScalarI8::train(rows, Metric::Dot).unwrap();
        let codes = Codes::encode(&codec, rows).unwrap();
        let scale = f64::from(codec.scale());
        let whole: Vec<f64> = (0..codes.n()).map(|row| {
            let stands_for = decoded(&codec, codes.row(row));
            dot(&stands_for, &stands_for).sqrt() / scale
        }).collect();
        let radius = whole.iter().copied().fold(0.0, f64::max);
        for (row, norm) in whole.iter().enumerate() {
            let length = (norm * norm + f64::from(codes.extra(row)).powi(2)).sqrt();
            prop_assert!((length - radius).abs() < 0.02 * radius + 2.0, "row {row}: {length} against {radius}");
        }
    }
}

/// By dot product the longest rows are what is looked for, and of those the largest components: what a clip that suits all rows would
/// take away.
#[test]
fn long_rows_keep_their_products() {
    let (n, dim) = (4000, 32);
    let mut random = 7u64;
    let mut uniform = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut vectors = |n: usize, doublings: f32| -> Vec<f32> {
        let mut row = || {
            let length = (doublings * uniform()).exp2();
            let components = (1..=dim).map(|j| length * uniform() / j as f32);
            components.collect::<Vec<f32>>()
        };
        (0..n).flat_map(|_| row()).collect()
    };
    let (data, queries) = (vectors(n, 2.0), vectors(50, 0.0));
    let sample: Vec<f32> = (data.chunks_exact(dim).step_by(4))
        .flatten()
        .copied()
        .collect();
    let codec = ScalarI8::train(Rows::new(&sample, dim).unwrap(), Metric::Dot).unwrap();
    let codes = Codes::encode(&codec, Rows::new(&data, dim).unwrap()).unwrap();
    let mut squares = 0.0;
    for query in queries.chunks_exact(dim) {
        let prepared = codec.prepare(query).unwrap();
        let product = |row: &[f32]| -> f64 {
            let products = row.iter().zip(query);
            products.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let mut wanted: Vec<(f64, usize)> = data.chunks_exact(dim).map(product).zip(0..).collect();
        wanted.sort_by(|a, b| b.partial_cmp(a).unwrap());
        let off: Vec<[f64; 2]> = (wanted[..20].iter())
            .map(|&(product, row)| {
                let got = prepared.distance_from_dot(prepared.dot(codes.row(row)), codes.term(row));
                let steps = f64::from(codec.scale()).powi(2);
                [
                    f64::from(got) + product / steps,
                    f64::from(codes.error(&prepared, got)),
                ]
            })
            .collect();
        let alike = off.iter().map(|[off, _]| off).sum::<f64>() / off.len() as f64;
        squares += off
            .iter()
            .map(|[off, said]| ((off - alike) / said).powi(2))
            .sum::<f64>();
    }
    let deviation = (squares / (19 * queries.len() / dim) as f64).sqrt();
    assert!((0.5..1.5).contains(&deviation), "{deviation}");
}

/// Errors of distances to rows near a query, against f64: also in clusters not much wider than a step, where rounding the query
/// shifts a distance by more than all of them are long.
#[test]
fn errors_are_as_large_as_is_said() {
    let (clusters, per_cluster, dim) = (20, 50, 256);
    let value = |i: usize| {
        let bits = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let bits = (bits ^ (bits >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let data: Vec<f32> = (0..clusters * per_cluster * dim)
        .map(|i| {
            10.0 * value((1 << 40) | (i / (per_cluster * dim) * dim + i % dim)) + 0.09 * value(i)
        })
        .collect();
    let rows = Rows::new(&data, dim).unwrap();
    for metric in [Metric::L2, Metric::Cosine] {
        let codec = ScalarI8::train(rows, metric).unwrap();
        let codes = Codes::encode(&codec, rows).unwrap();
        let vector = |row: usize| {
            let row: Vec<f64> = rows.row(row).iter().map(|&x| f64::from(x)).collect();
            let norm = if metric == Metric::Cosine {
                dot(&row, &row).sqrt()
            } else {
                1.0
            };
            row.into_iter().map(|x| x / norm).collect::<Vec<f64>>()
        };
        let mut squares = 0.0;
        for first in (0..rows.n()).step_by(per_cluster) {
            let query = codec.prepare(rows.row(first)).unwrap();
            let errors: Vec<[f64; 2]> = (first + 1..first + per_cluster)
                .map(|row| {
                    let got = query.distance_from_dot(query.dot(codes.row(row)), codes.term(row));
                    let wanted =
                        l2_sq(&vector(first), &vector(row)) / f64::from(codec.scale()).powi(2);
                    [f64::from(got) - wanted, f64::from(codes.error(&query, got))]
                })
                .collect();
            let alike = errors.iter().map(|[off, _]| off).sum::<f64>() / errors.len() as f64;
            squares += errors
                .iter()
                .map(|[off, said]| ((off - alike) / said).powi(2))
                .sum::<f64>();
        }
        let deviation = (squares / (clusters * (per_cluster - 1)) as f64).sqrt();
        assert!((0.6..1.1).contains(&deviation), "{metric}: {deviation}");
    }
}
