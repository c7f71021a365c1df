//! What is written is read, in this process and after opening again; what is removed is gone; what is unknown stays.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use proxime_storage::{
    Access, Collection, Error, MemVfs, OsVfs, SectionKind, SegmentHeader, Store, Vfs,
};

use crate::sample;

fn both(test: impl Fn(Arc<dyn Vfs>)) {
    test(Arc::new(MemVfs::new()));
    let dir = tempfile::tempdir().unwrap();
    test(Arc::new(OsVfs::create(dir.path().join("store")).unwrap()));
}

#[test]
fn same_after_opening_again() {
    both(|vfs| {
        sample::create(vfs.clone()).unwrap();
        let content = sample::read(vfs.clone(), Access::Read).unwrap();
        assert_eq!(content.collections.len(), 2);
        assert_eq!(
            content.segments[0][&SectionKind::Vectors]
                .as_ref()
                .unwrap()
                .len(),
            5000
        );
        assert_eq!(content.segments[0].get(&SectionKind::Payload), None);
        assert_eq!(sample::read(vfs, Access::Write).unwrap(), content);
    });
}

#[test]
fn sections_of_every_length() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let (mut store, _) = Store::open(vfs.clone(), Access::Create).unwrap();
    let bytes: Vec<u8> = (0..20_000u32).map(|i| i as u8).collect();
    let lens = [0, 1, 4095, 4096, 4097, 8192, 20_000];
    for len in lens {
        let mut writer = store
            .create_segment(SegmentHeader {
                collection_id: 1,
                rows: 0,
                dim: 1,
                dtype: 0,
                metric: 0,
            })
            .unwrap();
        writer.begin(SectionKind::Payload, 1).unwrap();
        for piece in bytes[..len].chunks(1000) {
            writer.append(piece).unwrap();
        }
        writer.begin(SectionKind::Ids, 8).unwrap();
        writer.append(&bytes[..len / 8 * 8]).unwrap();
        let segment = writer.finish().unwrap();
        store
            .commit(|m| {
                m.collections.push(Collection {
                    segments: vec![segment],
                    ..Collection::new(len as u64, format!("{len}"), ().into())
                })
            })
            .unwrap();
    }
    drop(store);
    let (_, segments) = Store::open(vfs, Access::Read).unwrap();
    for (segment, len) in segments.iter().zip(lens) {
        assert_eq!(
            segment.read(SectionKind::Payload).unwrap().unwrap(),
            &bytes[..len]
        );
        assert_eq!(segment.shape(SectionKind::Ids), Some((len as u64 / 8, 8)));
        assert_eq!(
            &*segment.map(SectionKind::Ids).unwrap().unwrap(),
            &bytes[..len / 8 * 8]
        );
        assert!(segment.verify().is_empty());
    }
}

#[test]
fn mapped_vectors_are_aligned() {
    both(|vfs| {
        sample::create(vfs.clone()).unwrap();
        let (_, segments) = Store::open(vfs, Access::Read).unwrap();
        let bytes = segments[0].map(SectionKind::Vectors).unwrap().unwrap();
        assert_eq!(bytes.as_ptr() as usize % 4096, 0);
    });
}

#[test]
fn finished_files_are_read_only_and_the_directory_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    sample::create(Arc::new(OsVfs::create(&path).unwrap())).unwrap();
    let mode = |name: &str| {
        std::fs::metadata(path.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(""), 0o700);
    for name in ["FORMAT", "MANIFEST-0000000002", "seg-0000000000000001.seg"] {
        assert_eq!(mode(name), 0o444, "{name}");
    }
}

#[test]
fn a_commit_removes_what_it_no_longer_names_and_opening_what_was_left() {
    both(|vfs| {
        sample::create(vfs.clone()).unwrap();
        for garbage in [
            "tmp-seg-0000000000000009",
            "tmp-manifest-0000000003",
            "seg-0000000000000008.seg",
            "seg-3fffffffffffffff.seg",
            "MANIFEST-0000000001",
        ] {
            sample::put(&*vfs, garbage, b"left behind");
        }
        sample::put(&*vfs, "notes.txt", b"somebody else's");
        let (mut store, _) = Store::open(vfs.clone(), Access::Write).unwrap();
        let mut names = vfs.list().unwrap();
        names.sort();
        assert_eq!(
            names,
            [
                "FORMAT",
                "LOCK",
                "MANIFEST-0000000002",
                "notes.txt",
                "seg-0000000000000001.seg"
            ]
        );

        let segment = sample::write_segment(&store, 1, &[(SectionKind::Ids, b"x")]).unwrap();
        assert_eq!(
            segment.file_id, 10,
            "numbers found in the directory are not used again"
        );
        store
            .commit(|m| m.collections[0].segments = vec![segment])
            .unwrap();
        let mut names = vfs.list().unwrap();
        names.sort();
        assert_eq!(
            names,
            [
                "FORMAT",
                "LOCK",
                "MANIFEST-0000000003",
                "notes.txt",
                "seg-000000000000000a.seg"
            ]
        );
    });
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    both(|vfs| {
        let (store, _) = Store::open(vfs.clone(), Access::Create).unwrap();
        let before = vfs.list().unwrap().len();
        let mut writer = store
            .create_segment(SegmentHeader {
                collection_id: 1,
                rows: 0,
                dim: 1,
                dtype: 0,
                metric: 0,
            })
            .unwrap();
        writer.begin(SectionKind::Ids, 4).unwrap();
        writer.append(&[0; 10]).unwrap();
        assert!(matches!(
            writer.begin(SectionKind::Graph, 1),
            Err(Error::Section {
                kind: SectionKind::Ids,
                ..
            })
        ));
        drop(writer);
        assert_eq!(vfs.list().unwrap().len(), before);
    });
}

#[test]
fn unknown_fields_survive() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    sample::create(vfs.clone()).unwrap();
    let (mut store, _) = Store::open(vfs.clone(), Access::Write).unwrap();
    store
        .commit(|m| {
            m.other
                .insert("from_the_future".into(), serde_json::json!([1, {"a": 2.5}]));
            m.collections[0].other.insert("more".into(), true.into());
            m.collections[0].segments[0]
                .other
                .insert("live".into(), u64::MAX.into());
        })
        .unwrap();
    store.commit(|_| ()).unwrap();
    let written = (**store.manifest()).clone();
    drop(store);
    let (store, _) = Store::open(vfs, Access::Read).unwrap();
    assert_eq!(**store.manifest(), written);
    assert_eq!(written.collections[0].segments[0].other["live"], u64::MAX);
    assert!(store.verify().is_empty());
}

#[test]
fn readers_never_write_and_are_not_needed_to_exist() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    assert!(matches!(
        Store::open(vfs.clone(), Access::Read),
        Err(Error::NotFound { .. })
    ));
    assert!(matches!(
        Store::open(vfs.clone(), Access::Write),
        Err(Error::NotFound { .. })
    ));
    assert!(vfs.list().unwrap().iter().all(|name| name == "LOCK"));
    sample::create(vfs.clone()).unwrap();
    let (mut store, _) = Store::open(vfs, Access::Read).unwrap();
    assert!(matches!(store.commit(|_| ()), Err(Error::ReadOnly)));
}

#[test]
fn a_reader_keeps_its_segments_while_a_writer_removes_them() {
    both(|vfs| {
        sample::create(vfs.clone()).unwrap();
        let (_, segments) = Store::open(vfs.clone(), Access::Read).unwrap();
        let before = segments[0].map(SectionKind::Vectors).unwrap().unwrap();
        let (mut store, _) = Store::open(vfs, Access::Write).unwrap();
        store.commit(|m| m.collections[0].segments.clear()).unwrap();
        assert_eq!(before.len(), 5000);
        assert_eq!(segments[0].read(SectionKind::Ids).unwrap().unwrap(), b"ids");
    });
}
