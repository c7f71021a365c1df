//! Memory behaves as the file system does.

use std::io::ErrorKind;

use proptest::prelude::*;
use proxime_storage::{MemVfs, OsVfs, Vfs};

#[derive(Clone, Debug)]
enum Op {
    Create(u8, Vec<u8>, u64),
    Rename(u8, u8),
    Unlink(u8),
    Read(u8, u64, usize),
    Truncate(u8, u64),
}

fn op() -> impl Strategy<Value = Op> {
    let name = 0..3u8;
    prop_oneof![
        (
            name.clone(),
            prop::collection::vec(any::<u8>(), 0..10),
            0..9000u64
        )
            .prop_map(|(n, b, at)| Op::Create(n, b, at)),
        (name.clone(), name.clone()).prop_map(|(a, b)| Op::Rename(a, b)),
        name.clone().prop_map(Op::Unlink),
        (name.clone(), 0..9000u64, 0..20usize).prop_map(|(n, at, len)| Op::Read(n, at, len)),
        (name, 0..9000u64).prop_map(|(n, len)| Op::Truncate(n, len)),
    ]
}

/// What the operation shows, errors by kind.
fn apply(vfs: &dyn Vfs, op: &Op) -> Result<Vec<u8>, ErrorKind> {
    let name = |n: &u8| format!("file{n}");
    let run = || match op {
        Op::Create(n, bytes, at) => {
            let file = vfs.create_new(&name(n))?;
            file.write_at(bytes, *at)?;
            file.sync_data()?;
            file.sync()?;
            Ok(file.size()?.to_le_bytes().to_vec())
        }
        Op::Rename(a, b) => vfs.rename_noreplace(&name(a), &name(b)).map(|()| vec![]),
        Op::Unlink(n) => vfs.unlink(&name(n)).map(|()| vec![]),
        Op::Read(n, at, len) => {
            let file = vfs.open(&name(n))?;
            let mut out = vec![0; *len];
            let read = file.read_at(&mut out, *at)?;
            out.truncate(read);
            Ok(out)
        }
        Op::Truncate(n, len) => {
            let file = vfs.create_new(&name(n))?;
            file.write_at(&[7; 5000], 0)?;
            file.truncate(*len)?;
            file.seal()?;
            Ok(file.map()?.to_vec())
        }
    };
    run().map_err(|e: std::io::Error| e.kind())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn same_answers(ops in prop::collection::vec(op(), 1..30)) {
        let dir = tempfile::tempdir().unwrap();
        let (memory, os) = (MemVfs::new(), OsVfs::open(dir.path()).unwrap());
        for op in &ops {
            // Renaming a file to itself is refused by one and allowed by the other; nothing of ours does it.
            if !matches!(op, Op::Rename(a, b) if a == b) {
                prop_assert_eq!(apply(&memory, op), apply(&os, op), "{:?}", op);
            }
        }
        let names = |vfs: &dyn Vfs| { let mut names = vfs.list().unwrap(); names.sort(); names };
        prop_assert_eq!(names(&memory), names(&os));
    }
}

#[test]
fn what_is_opened_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    for vfs in [
        &MemVfs::new() as &dyn Vfs,
        &OsVfs::open(dir.path()).unwrap(),
    ] {
        vfs.create_new("a").unwrap();
        assert!(vfs.open("a").unwrap().write_at(b"x", 0).is_err());
    }
}

/// In memory, what is written stays where it is if what was expected comes.
#[test]
fn a_file_of_an_expected_length_is_not_moved() {
    let memory = MemVfs::new();
    let place = |expected: u64| {
        let file = memory.create_new(&format!("of {expected}")).unwrap();
        file.expect(expected);
        let mut places = Vec::new();
        for megabyte in 0..16 {
            file.write_at(&[1; 1 << 20], megabyte << 20).unwrap();
            places.push(file.map().unwrap().as_ptr());
        }
        places.dedup();
        places.len()
    };
    assert_eq!(place(16 << 20), 1);
    assert!(place(0) > 1, "growing moves: nothing is tested here");
}
