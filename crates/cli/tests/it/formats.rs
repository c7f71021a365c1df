//! However an array was saved, the same numbers are stored: the digests agree.

use half::f16;
use proxime::{Database, OpenOptions};

use crate::support::{Desk, npy, npy_f32, points};

fn digest(desk: &Desk, file: Vec<u8>) -> String {
    let _ = std::fs::remove_dir_all(desk.path("db"));
    desk.write("x.npy", file);
    desk.run("import db x.npy --json").json();
    let options = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    let db = Database::open_with(desk.path("db"), &options).unwrap();
    db.collection("default").unwrap().digest().unwrap()
}

#[test]
fn orders_and_types_of_one_array_have_one_digest() {
    let desk = Desk::new();
    let (n, dim) = (700, 6);
    let rows = points(n, dim);
    let plain = digest(&desk, npy_f32(&rows));

    let by_row: Vec<f32> = rows.iter().flatten().copied().collect();
    let by_column: Vec<f32> = (0..dim)
        .flat_map(|j| rows.iter().map(move |row| row[j]))
        .collect();
    for (fortran_order, values) in [(false, &by_row), (true, &by_column)] {
        let big: Vec<u8> = values.iter().flat_map(|x| x.to_be_bytes()).collect();
        let double: Vec<u8> = values
            .iter()
            .flat_map(|&x| f64::from(x).to_le_bytes())
            .collect();
        let half: Vec<u8> = values
            .iter()
            .flat_map(|&x| f16::from_f32(x).to_be_bytes())
            .collect();
        let byte: Vec<u8> = values.iter().map(|&x| x as u8).collect();
        for (descr, data) in [(">f4", big), ("<f8", double), (">f2", half), ("|u1", byte)] {
            let other = digest(&desk, npy(descr, fortran_order, &[n, dim], &data));
            assert_eq!(other, plain, "{descr}, Fortran order: {fortran_order}");
        }
    }
}
