//! Small collections are cheap, however many there are.

use std::sync::Arc;

use proxime::{Batch, Database, OpenOptions, SimVfs, Value, Verify};

use crate::support::{int_ids, l2, object, points, rows, threads};

const COLLECTIONS: usize = 200;
const ROWS: usize = 10;
const DIM: usize = 64;
/// What one may take at rest.
const BYTES_MAX: usize = 64 << 10;

fn bytes(vfs: &SimVfs) -> usize {
    vfs.disk().files().map(|(_, bytes)| bytes.len()).sum()
}

#[test]
fn each_takes_little_room() {
    let vfs = SimVfs::new();
    let db = Database::open_on(Arc::new(vfs.clone()), &threads(1)).unwrap();
    let data = points(ROWS, DIM);
    let vectors = rows(&data, DIM);
    let empty = bytes(&vfs);
    for number in 0..COLLECTIONS {
        let c = db
            .create_collection(&format!("tenant {number}"), l2(DIM))
            .unwrap();
        let metadata = vec![object([("n", Value::Int(number as i64))]); ROWS];
        c.upsert(Batch::new(int_ids(ROWS), &vectors).metadata(metadata))
            .unwrap();
    }
    let logged = (bytes(&vfs) - empty) / COLLECTIONS;
    assert!(
        (ROWS * DIM * 4..BYTES_MAX / 8).contains(&logged),
        "{logged}"
    );
    for name in db.collections().unwrap() {
        db.collection(&name).unwrap().compact(None).unwrap();
    }
    db.close().unwrap();
    let sealed = (bytes(&vfs) - empty) / COLLECTIONS;
    assert!((logged..BYTES_MAX).contains(&sealed), "{sealed}");

    let lazily = OpenOptions {
        verify: Verify::Lazy,
        ..threads(1)
    };
    let db = Database::open_on(Arc::new(vfs), &lazily).unwrap();
    let c = db.collection("tenant 7").unwrap();
    assert_eq!(
        c.get(&7.into()).unwrap().unwrap().vector,
        data[7 * DIM..8 * DIM]
    );
}
