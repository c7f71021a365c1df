//! A matrix has the shape it says, or is an error.

use proptest::prelude::*;
use proxime_simd::{AlignedRows, Level, Metric, Rows, ShapeError, batch};

#[test]
fn borrowed_rows() {
    let data = [1, 2, 3, 4, 5, 6];
    let rows = Rows::new(&data, 2).unwrap();
    assert_eq!((rows.n(), rows.dim(), rows.as_slice()), (3, 2, &data[..]));
    assert_eq!(rows.iter().collect::<Vec<_>>(), [[1, 2], [3, 4], [5, 6]]);
    assert_eq!(
        rows.slice(1..3).iter().collect::<Vec<_>>(),
        [[3, 4], [5, 6]]
    );
    assert_eq!(rows.slice(3..3).n(), 0);
    assert_eq!(Rows::<f32>::new(&[], 7).unwrap().n(), 0);
}

#[test]
fn no_rows_of_nothing() {
    assert_eq!(Rows::new(&[1, 2], 0).unwrap_err(), ShapeError::ZeroDim);
    assert_eq!(Rows::<u8>::new(&[], 0).unwrap_err(), ShapeError::ZeroDim);
    assert_eq!(
        AlignedRows::<f32>::from_bytes(&[], 0, 0).unwrap_err(),
        ShapeError::ZeroDim
    );
}

#[test]
fn errors_say_what_was_given() {
    let ragged = Rows::new(&[0; 10], 4).unwrap_err();
    assert_eq!(
        ragged.to_string(),
        "10 numbers are no whole number of rows of 4"
    );
    let short = AlignedRows::<i8>::from_bytes(&[0; 100], 2, 5).unwrap_err();
    assert_eq!(
        short.to_string(),
        "2 aligned rows of 5 components are not 100 bytes (expected 128)"
    );
    let vast = AlignedRows::<i8>::from_bytes(&[0; 64], usize::MAX, 65).unwrap_err();
    assert!(
        vast.to_string()
            .ends_with("(expected more than the address space)"),
        "{vast}"
    );
    let wide = AlignedRows::<f32>::from_bytes(&[0; 64], 1, usize::MAX).unwrap_err();
    assert!(
        matches!(wide, ShapeError::Bytes { expected: None, .. }),
        "{wide}"
    );
}

#[test]
fn padding_must_be_zero() {
    let mut bytes = vec![0; 3 * 128];
    bytes[128 + 99] = 1;
    assert!(AlignedRows::<u8>::from_bytes(&bytes, 3, 100).is_ok());
    bytes[128 + 100] = 1;
    assert_eq!(
        AlignedRows::<u8>::from_bytes(&bytes, 3, 100).unwrap_err(),
        ShapeError::Padding { row: 1 }
    );
    assert_eq!(
        AlignedRows::view(&bytes, 3, 100).unwrap_err(),
        ShapeError::Padding { row: 1 }
    );
    bytes[128 + 100] = 0;
    let rows = AlignedRows::view(&bytes, 3, 100).unwrap();
    assert_eq!((rows.n(), rows.dim(), rows.row(1)[99]), (3, 128, 1));
}

#[test]
fn rows_start_on_a_cache_line() {
    for dim in [1, 15, 16, 17, 784] {
        let mut rows = AlignedRows::<f32>::zeroed(5, dim);
        assert_eq!(rows.stride(), dim.next_multiple_of(16));
        for i in 0..5 {
            assert!(
                rows.row(i).as_ptr().addr().is_multiple_of(64),
                "row {i} of {dim}"
            );
            assert_eq!(
                (rows.row(i).len(), rows.row_mut(i).len()),
                (rows.stride(), dim)
            );
        }
        assert_eq!(rows.as_bytes().len(), 5 * rows.stride() * 4);
    }
}

#[test]
fn blocks_for_workers() {
    let mut rows = AlignedRows::<i32>::zeroed(7, 20);
    for (block, numbers) in rows.chunks_mut(3).enumerate() {
        assert_eq!(numbers.len(), 32 * [3, 3, 1][block]);
        numbers[0] = 1 + block as i32;
    }
    rows.rows_mut(1..3)[32] = 9;
    assert_eq!([0, 2, 3, 6].map(|i| rows.row(i)[0]), [1, 9, 2, 3]);
}

proptest! {
    #[test]
    fn bytes_there_and_back(dim in 1usize..150, n in 0usize..6, seed in any::<u64>()) {
        let mut random = crate::Random::new(seed);
        let mut rows = AlignedRows::<f32>::zeroed(n, dim);
        for i in 0..n {
            rows.row_mut(i).copy_from_slice(&random.floats(dim));
        }
        let back = AlignedRows::<f32>::from_bytes(rows.as_bytes(), n, dim).unwrap();
        prop_assert_eq!((back.n(), back.dim(), back.stride()), (n, dim, rows.stride()));
        prop_assert_eq!(back.as_slice(), rows.as_slice());
    }
}

#[test]
#[should_panic(expected = "different length")]
fn a_query_of_another_length() {
    let rows = Rows::new(&[0.0; 4], 2).unwrap();
    batch::distances(Level::detect(), Metric::L2, &[0.0; 3], rows, &mut [0.0; 2]);
}

#[test]
#[should_panic(expected = "one distance per row")]
fn an_output_of_another_length() {
    let rows = Rows::new(&[0.0; 4], 2).unwrap();
    batch::distances(Level::detect(), Metric::L2, &[0.0; 2], rows, &mut [0.0; 3]);
}

#[test]
#[should_panic(expected = "exceed the address space")]
fn rows_beyond_memory() {
    AlignedRows::<f32>::zeroed(usize::MAX / 2, 1000);
}

#[test]
#[should_panic(expected = "exceed the address space")]
fn a_row_beyond_memory() {
    AlignedRows::<f32>::zeroed(0, usize::MAX);
}
