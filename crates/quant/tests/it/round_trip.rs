//! Vectors to codes and back, within half a step; codebooks and codes to bytes and back, exactly.

use proptest::prelude::*;
use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Metric, Rows};

fn rows(dim: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-100.0f32..100.0, dim..dim * 20).prop_map(move |mut data| {
        data.truncate(data.len() / dim * dim);
        data
    })
}

proptest! {
    #[test]
    fn inside_the_range_a_value_comes_back_within_half_a_step(data in rows(7)) {
        let rows = Rows::new(&data, 7).unwrap();
        let codec = ScalarI8::train(rows, Metric::L2).unwrap();
        for row in rows {
            let (mut code, mut back) = ([0i8; 7], [0f32; 7]);
            codec.encode_row(row, &mut code).unwrap();
            codec.decode_row(&code, &mut back).unwrap();
            for j in 0..7 {
                let clipped = code[j].abs() == 127;
                let error = (row[j] - back[j]).abs();
                prop_assert!(clipped || error <= codec.scale() * 0.501, "{} came back as {}", row[j], back[j]);
                prop_assert!(code[j] != -128);
            }
        }
    }

    #[test]
    fn codebooks_and_codes_survive_their_bytes(data in rows(5), metric in 0usize..3) {
        let metric = [Metric::L2, Metric::Cosine, Metric::Dot][metric];
        let rows = Rows::new(&data, 5).unwrap();
        let codec = ScalarI8::train(rows, metric).unwrap();
        prop_assert_eq!(&ScalarI8::from_bytes(&codec.to_bytes()).unwrap(), &codec);
        let codes = Codes::encode(&codec, rows).unwrap();
        let again = Codes::from_bytes(&codec, codes.as_bytes(), codes.n()).unwrap();
        for row in 0..codes.n() {
            prop_assert_eq!(again.row(row), codes.row(row));
            prop_assert_eq!(again.norm(row), codes.norm(row));
            prop_assert_eq!(again.extra(row), codes.extra(row));
            prop_assert_eq!(again.term(row).to_bits(), codes.term(row).to_bits());
        }
    }
}

#[test]
fn a_constant_sample_still_encodes() {
    let codec = ScalarI8::train(Rows::new(&[3.0; 8], 4).unwrap(), Metric::L2).unwrap();
    let mut code = [9i8; 4];
    codec.encode_row(&[3.0; 4], &mut code).unwrap();
    assert_eq!(code, [0; 4]);
}

#[test]
fn huge_and_tiny_values_stay_finite() {
    for magnitude in [1e-44f32, 1e-30, 1e30, 3e38] {
        let data = [
            magnitude,
            -magnitude,
            magnitude / 2.0,
            0.0,
            -magnitude,
            magnitude,
        ];
        for metric in [Metric::L2, Metric::Cosine, Metric::Dot] {
            let rows = Rows::new(&data, 2).unwrap();
            let codec = ScalarI8::train(rows, metric).unwrap();
            let codes = Codes::encode(&codec, rows).unwrap();
            let query = codec.prepare(&data[..2]).unwrap();
            for row in 0..3 {
                let distance = query.distance_from_dot(query.dot(codes.row(row)), codes.term(row));
                assert!(distance.is_finite(), "{metric} at {magnitude}: {distance}");
            }
        }
    }
}
