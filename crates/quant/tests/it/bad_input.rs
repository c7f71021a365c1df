//! Bad vectors and bad bytes: a typed error that names the culprit.

use proxime_quant::{Codes, Error, ScalarI8};
use proxime_simd::{Metric, Rows};

fn codec(metric: Metric) -> ScalarI8 {
    ScalarI8::train(
        Rows::new(&[1.0, 2.0, 3.0, 5.0, 4.0, 1.0], 3).unwrap(),
        metric,
    )
    .unwrap()
}

#[test]
fn a_component_that_is_not_finite_is_named() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let data = [1.0, 2.0, 3.0, 4.0, 5.0, bad];
        let rows = Rows::new(&data, 3).unwrap();
        for error in [
            ScalarI8::train(rows, Metric::L2).unwrap_err(),
            Codes::encode(&codec(Metric::L2), rows).unwrap_err(),
        ] {
            assert!(
                matches!(error, Error::NotFinite { row: 1, column: 2, value } if value.to_bits() == bad.to_bits()),
                "{error}"
            );
        }
        assert!(matches!(
            codec(Metric::Dot).prepare(&data[3..]),
            Err(Error::NotFinite { column: 2, .. })
        ));
    }
}

#[test]
fn a_zero_row_has_no_cosine() {
    let data = [1.0, 2.0, 3.0, 0.0, 0.0, 0.0];
    let rows = Rows::new(&data, 3).unwrap();
    assert_eq!(
        Codes::encode(&codec(Metric::Cosine), rows).unwrap_err(),
        Error::ZeroVector { row: 1 }
    );
    assert_eq!(
        ScalarI8::train(rows, Metric::Cosine),
        Err(Error::ZeroVector { row: 1 })
    );
    assert!(Codes::encode(&codec(Metric::L2), rows).is_ok());
}

#[test]
fn another_dimension_is_refused() {
    let wrong = Error::Dimension {
        expected: 3,
        got: 2,
    };
    assert_eq!(codec(Metric::L2).prepare(&[1.0, 2.0]).unwrap_err(), wrong);
    assert_eq!(
        codec(Metric::L2).encode_row(&[1.0, 2.0], &mut [0; 64]),
        Err(wrong.clone())
    );
    assert_eq!(
        Codes::encode(&codec(Metric::L2), Rows::new(&[1.0, 2.0], 2).unwrap()).unwrap_err(),
        wrong
    );
}

#[test]
fn damaged_bytes_never_panic() {
    let codec = codec(Metric::Dot);
    let bytes = codec.to_bytes();
    for length in 0..bytes.len() {
        assert!(
            ScalarI8::from_bytes(&bytes[..length]).is_err(),
            "cut to {length}"
        );
    }
    for at in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[at / 8] ^= 1 << (at % 8);
        if let Ok(other) = ScalarI8::from_bytes(&changed) {
            assert_ne!(other, codec, "bit {at} is ignored");
            assert!(Codes::from_bytes(&other, &[0; 128], 2).is_ok() || other.dim() != 3);
        }
    }
    assert!(matches!(
        Codes::from_bytes(&codec, &[0; 127], 2),
        Err(Error::Damaged { what: "codes", .. })
    ));
    let mut padding = [0u8; 128];
    padding[100] = 1;
    assert!(matches!(
        Codes::from_bytes(&codec, &padding, 2),
        Err(Error::Damaged { what: "codes", .. })
    ));
}
