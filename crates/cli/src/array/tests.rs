//! The reader against arrays written here by hand, honest and hostile.

use super::*;

/// A file of version 1 with this dictionary and these bytes of data.
fn file_of(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((dictionary.len() as u16).to_le_bytes());
    file.extend(dictionary.as_bytes());
    file.extend(data);
    file
}

fn dictionary(descr: &str, fortran_order: bool, shape: &str) -> String {
    let order = if fortran_order { "True" } else { "False" };
    format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n")
}

fn open(file: Vec<u8>) -> Result<Array, Error> {
    Array::vectors("x.npy".to_owned(), Bytes::Memory(file))
}

fn message(file: Vec<u8>) -> String {
    open(file).unwrap_err().to_string()
}

/// Every row, in groups of `group`.
fn rows_of(npy: &Array, group: usize) -> Vec<f32> {
    let mut all = vec![f32::NAN; npy.rows * npy.dim];
    for (i, part) in all.chunks_mut(group * npy.dim).enumerate() {
        npy.read_rows(i * group, part).unwrap();
    }
    all
}

#[test]
fn every_type_and_byte_order_gives_the_same_numbers() {
    let expected = [1.0_f32, 0.0, 2.0, 100.0, 17.0, 3.0];
    macro_rules! check {
        ($code:literal, $cast:expr) => {
            let cast = $cast;
            for order in ["<", ">"] {
                let bytes = |x: f32| match order {
                    "<" => cast(x).to_le_bytes(),
                    _ => cast(x).to_be_bytes(),
                };
                let data: Vec<u8> = expected.iter().flat_map(|&x| bytes(x)).collect();
                let descr = format!("{order}{}", $code);
                let npy = open(file_of(&dictionary(&descr, false, "(2, 3)"), &data)).unwrap();
                assert_eq!((npy.rows(), npy.dim()), (2, 3));
                assert_eq!(rows_of(&npy, 1), expected, "{descr}");
            }
        };
    }
    check!("f2", f16::from_f32);
    check!("f4", |x: f32| x);
    check!("f8", f64::from);
    check!("i1", |x| x as i8);
    check!("i2", |x| x as i16);
    check!("i4", |x| x as i32);
    check!("i8", |x| x as i64);
    check!("u1", |x| x as u8);
    check!("u2", |x| x as u16);
    check!("u4", |x| x as u32);
    check!("u8", |x| x as u64);
}

#[test]
fn fortran_order_gives_rows_in_groups_of_any_size() {
    // Element (i, j) is 10 i + j; in Fortran order columns come first.
    let (rows, dim) = (5, 3);
    let stored = (0..dim).flat_map(|j| (0..rows).map(move |i| (10 * i + j) as u8));
    let data: Vec<u8> = stored.collect();
    let npy = open(file_of(&dictionary("|u1", true, "(5, 3)"), &data)).unwrap();
    let cells = (0..rows).flat_map(|i| (0..dim).map(move |j| (10 * i + j) as f32));
    let expected: Vec<f32> = cells.collect();
    for group in 1..=5 {
        assert_eq!(rows_of(&npy, group), expected);
    }
}

#[test]
fn rows_longer_than_the_buffer_are_whole() {
    let dim = BUFFER_BYTES / 2 + 1;
    let values: Vec<f32> = (0..2 * dim).map(|i| i as f32).collect();
    let data: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let shape = format!("(2, {dim})");
    let npy = open(file_of(&dictionary("<f4", false, &shape), &data)).unwrap();
    assert_eq!(rows_of(&npy, 2), values);
    assert_eq!(rows_of(&npy, 1), values);
}

#[test]
fn one_dimension_is_one_row_and_no_rows_are_fine() {
    let npy = open(file_of(&dictionary("|u1", false, "(3,)"), &[1, 2, 3])).unwrap();
    assert_eq!((npy.rows(), npy.dim()), (1, 3));
    let npy = open(file_of(&dictionary("<f4", false, "(0, 3)"), &[])).unwrap();
    assert_eq!((npy.rows(), npy.dim()), (0, 3));
}

#[test]
fn versions_two_and_three_have_longer_lengths() {
    for major in [2, 3] {
        let dictionary = dictionary("|u1", false, "(1, 2)");
        let mut file = b"\x93NUMPY".to_vec();
        file.extend([major, 0]);
        file.extend((dictionary.len() as u32).to_le_bytes());
        file.extend(dictionary.as_bytes());
        file.extend([8, 9]);
        assert_eq!(rows_of(&open(file).unwrap(), 1), [8.0, 9.0]);
    }
}

#[test]
fn headers_of_other_writers_are_read() {
    for text in [
        "{\"shape\":(1,2),\"fortran_order\":False,\"descr\":\"|i1\"}",
        "{'descr': '|i1', 'fortran_order': False, 'shape': (1L, 2L)}     \n",
        "  { 'shape' : ( 1 , 2 , ) , 'descr' : '|i1' , 'fortran_order' : False , }",
    ] {
        assert_eq!(
            rows_of(&open(file_of(text, &[1, 2])).unwrap(), 1),
            [1.0, 2.0],
            "{text}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let good = dictionary("<f4", false, "(1, 1)");
    let cases = [
        (b"PK\x03\x04".to_vec(), "byte 0: not a .npy file"),
        (
            b"\x93NUMPY\x04\x00\x00\x00\x00\x00".to_vec(),
            "byte 6: format version 4.0",
        ),
        (
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(),
            "byte 8: a header of 4294967295 bytes",
        ),
        (
            b"\x93NUMPY\x01\x00\x20\x00{'de".to_vec(),
            "byte 14: the file ends inside its header",
        ),
        (
            file_of(&good, &[0; 3]),
            "an array of 4 bytes is announced; 3 are there",
        ),
        (
            file_of(&good, &[0; 5]),
            "an array of 4 bytes is announced; 5 are there",
        ),
        (
            file_of(&dictionary("|O", false, "(1, 1)"), &[0]),
            "elements of type \"|O\"",
        ),
        (
            file_of(&dictionary("|f4", false, "(1, 1)"), &[0; 4]),
            "elements of type \"|f4\"",
        ),
        (
            file_of(&dictionary("<<f4", false, "(1, 1)"), &[0; 4]),
            "elements of type \"<<f4\"",
        ),
        (
            file_of(&dictionary("|u1", false, "()"), &[0]),
            "shape []; one or two dimensions",
        ),
        (
            file_of(&dictionary("|u1", false, "(1, 1, 1)"), &[0]),
            "shape [1, 1, 1]; one or two",
        ),
        (
            file_of(&dictionary("|u1", false, "(7, 0)"), &[]),
            "shape [7, 0]; vectors need",
        ),
        (
            file_of(&dictionary("|u1", false, "(-1, 1)"), &[0]),
            "expected an unsigned number",
        ),
        (
            file_of(&dictionary("|u1", false, "(99999999999999999999, 1)"), &[0]),
            "expected an unsigned number of 64 bits",
        ),
        (
            // The product would wrap to 0 in 64 bits.
            file_of(&dictionary("<f8", false, "(4294967296, 4294967296)"), &[]),
            "an array of 147573952589676412928 bytes is announced; 0 are there",
        ),
        (
            file_of("{'descr': [('a', '<f4')]}", &[]),
            "byte 20: not a header that NumPy writes",
        ),
        (
            file_of("{'descr': '<f4'}", &[]),
            "expected a key fortran_order",
        ),
        (file_of("{'shape': (1, 1)", &[]), "expected }"),
        (
            file_of(&format!("{good} x"), &[]),
            "expected nothing after the dictionary",
        ),
    ];
    for (file, expected) in cases {
        let said = message(file);
        assert!(
            said.starts_with("x.npy, ") && said.contains(expected),
            "{said:?} lacks {expected:?}"
        );
    }
}

#[test]
fn no_header_makes_the_reader_panic_or_read_outside() {
    let good = file_of(&dictionary("<f4", true, "(2, 3)"), &[0; 24]);
    for len in 0..good.len() {
        assert!(open(good[..len].to_vec()).is_err(), "cut at {len}");
    }
    for at in 0..good.len() - 24 {
        for value in 0..=255 {
            let mut file = good.clone();
            file[at] = value;
            if let Ok(npy) = open(file) {
                rows_of(&npy, 2);
            }
        }
    }
}

#[test]
fn ids_are_integers_of_any_width() {
    let ids = |descr: &str, shape: &str, data: &[u8]| {
        let bytes = Bytes::Memory(file_of(&dictionary(descr, false, shape), data));
        Array::new("ids.npy".to_owned(), bytes).and_then(|npy| npy.integers())
    };
    assert_eq!(
        ids(
            "<i8",
            "(2,)",
            &[[1, 0, 0, 0, 0, 0, 0, 0], [255; 8]].concat()
        )
        .unwrap(),
        [1, -1]
    );
    assert_eq!(ids(">i2", "(2,)", &[1, 2, 255, 254]).unwrap(), [258, -2]);
    assert_eq!(ids("|u1", "(1,)", &[200]).unwrap(), [200]);
    let wide = ids("<u8", "(1,)", &[255; 8]).unwrap_err().to_string();
    assert!(wide.contains("element 0 is 18446744073709551615"), "{wide}");
    let float = ids("<f4", "(1,)", &[0; 4]).unwrap_err().to_string();
    assert!(float.contains("not integers"), "{float}");
}

#[test]
fn hdf5_with_a_wrong_byte_is_read_or_refused() {
    let files = [
        include_bytes!("../../tests/data/earliest.hdf5").as_slice(),
        include_bytes!("../../tests/data/v110.hdf5"),
    ];
    for file in files {
        for at in 0..file.len() {
            let mut wrong = file.to_vec();
            wrong[at] ^= 1 << (at % 8);
            for name in ["train", "test", "bytes", "grown"] {
                let bytes = Bytes::Memory(wrong.clone());
                let Ok((bytes, header)) = hdf5::dataset(bytes, Some(name), "") else {
                    continue;
                };
                if let Ok(array) = Array::with_header("x.hdf5".to_owned(), bytes, header) {
                    rows_of(&array, array.rows.max(1));
                }
            }
        }
    }
}
