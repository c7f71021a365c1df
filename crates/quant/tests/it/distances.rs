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
