//! Damage of any kind gives an error or the same content: never a panic, never silently other bytes.

use std::sync::Arc;

use proxime_storage::{
    Access, Collection, Error, LazySection, MemVfs, OsVfs, SectionKind, Store, Vfs,
};

use crate::sample::{self, Content};

const SEGMENT: &str = "seg-0000000000000001.seg";
const MANIFEST: &str = "MANIFEST-0000000002";

fn store() -> Arc<dyn Vfs> {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    sample::create(vfs.clone()).unwrap();
    vfs
}

/// Equal, but for derived sections that are known to be damaged.
fn same(found: &Content, content: &Content) -> bool {
    let mut found_sections = found.segments.iter().zip(&content.segments);
    found.collections == content.collections
        && found.segments.len() == content.segments.len()
        && found_sections.all(|(f, c)| {
            f.keys().eq(c.keys())
                && f.iter()
                    .all(|(kind, bytes)| bytes.is_none() || *bytes == c[kind])
        })
}

/// Opens with one file replaced; how many of these were errors.
fn campaign(
    vfs: &Arc<dyn Vfs>,
    name: &str,
    damaged: impl Iterator<Item = Vec<u8>>,
) -> (usize, usize) {
    let own = sample::get(&**vfs, name);
    let content = sample::read(vfs.clone(), Access::Read).unwrap();
    let (mut errors, mut all) = (0, 0);
    for bytes in damaged {
        sample::put(&**vfs, name, &bytes);
        all += 1;
        match sample::read(vfs.clone(), Access::Read) {
            Ok(found) => assert!(
                same(&found, &content),
                "{name}: variant {all} gave other content"
            ),
            // Nothing that is damaged passes for something newer.
            Err(Error::Corrupt { .. } | Error::NotAStore { .. }) => errors += 1,
            Err(e) => panic!("{name}: variant {all}: {e}"),
        }
    }
    sample::put(&**vfs, name, &own);
    (errors, all)
}

fn flips(bytes: Vec<u8>) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(move |bit| {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    })
}

#[test]
fn every_bit_of_every_file() {
    let vfs = store();
    for name in vfs.list().unwrap() {
        let bytes = sample::get(&*vfs, &name);
        let derived = match name.as_str() {
            SEGMENT => 4096 * 8,
            _ => 0,
        };
        let (errors, all) = campaign(&vfs, &name, flips(bytes));
        // Each flip is seen; those in the graph's one block leave the store open without it.
        assert_eq!(errors, all - derived, "{name}");
    }
}

#[test]
fn every_length() {
    let vfs = store();
    for name in ["FORMAT", MANIFEST, SEGMENT] {
        let bytes = sample::get(&*vfs, name);
        let (errors, all) = campaign(
            &vfs,
            name,
            (0..bytes.len()).map(|len| bytes[..len].to_vec()),
        );
        assert_eq!(errors, all, "{name}");
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(campaign(&vfs, name, [longer].into_iter()), (1, 1), "{name}");
    }
}

#[test]
fn every_block_swapped_zeroed_or_moved() {
    let vfs = store();
    let bytes = sample::get(&*vfs, SEGMENT);
    let blocks = bytes.len() / 512;
    let variants = (0..blocks).flat_map(|i| (0..=blocks).map(move |j| (i, j)));
    let damaged = variants.filter_map(|(i, j)| {
        let mut other = bytes.clone();
        if j == blocks {
            other[i * 512..][..512].fill(0);
        } else {
            other.copy_within(i * 512..(i + 1) * 512, j * 512);
        }
        (other != bytes).then_some(other)
    });
    let (errors, all) = campaign(&vfs, SEGMENT, damaged);
    assert!(errors > all / 2, "{errors} of {all}");
}

#[test]
fn a_file_of_another_store() {
    let (vfs, other) = (store(), store());
    for (name, says) in [
        (SEGMENT, "it belongs to store"),
        (MANIFEST, "of another store"),
        ("FORMAT", "of another store"),
    ] {
        let own = sample::get(&*vfs, name);
        sample::put(&*vfs, name, &sample::get(&*other, name));
        let error = sample::read(vfs.clone(), Access::Read)
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{name}: {error}");
        sample::put(&*vfs, name, &own);
    }
}

#[test]
fn a_segment_under_the_name_of_another() {
    let vfs = store();
    let (mut store, _) = Store::open(vfs.clone(), Access::Write).unwrap();
    let segment = sample::write_segment(&store, 1, &[(SectionKind::Ids, b"x")]).unwrap();
    store
        .commit(|m| m.collections[0].segments.push(segment))
        .unwrap();
    sample::put(
        &*vfs,
        "seg-0000000000000002.seg",
        &sample::get(&*vfs, SEGMENT),
    );
    let error = sample::read(vfs, Access::Read).unwrap_err();
    assert!(
        matches!(&error, Error::Corrupt { file, .. } if file.ends_with("seg-0000000000000002.seg")),
        "{error}"
    );
}

#[test]
fn missing_files_are_named() {
    for (missing, says) in [
        (SEGMENT, SEGMENT),
        (MANIFEST, "MANIFEST-0000000001"),
        ("FORMAT", "FORMAT"),
    ] {
        let vfs = store();
        vfs.unlink(missing).unwrap();
        for access in [Access::Read, Access::Write, Access::Create] {
            match sample::read(vfs.clone(), access) {
                Err(e @ Error::Corrupt { .. }) => {
                    assert!(
                        e.to_string().contains(says) && e.to_string().contains("missing"),
                        "{e}"
                    );
                }
                other => panic!("{missing}: {other:?}"),
            }
        }
    }
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "text").unwrap();
    assert!(matches!(OsVfs::create(&file), Err(Error::NotAStore { .. })));
    assert!(matches!(OsVfs::open(&file), Err(Error::NotAStore { .. })));
    assert!(matches!(
        OsVfs::open(dir.path().join("nothing")),
        Err(Error::NotFound { .. })
    ));
    let error =
        Store::open(Arc::new(OsVfs::create(dir.path()).unwrap()), Access::Create).unwrap_err();
    assert!(matches!(error, Error::NotAStore { .. }), "{error}");
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing was created"
    );

    std::fs::rename(&file, dir.path().join("FORMAT")).unwrap();
    let error = Store::open(Arc::new(OsVfs::open(dir.path()).unwrap()), Access::Read).unwrap_err();
    assert!(matches!(error, Error::NotAStore { .. }), "{error}");
}

#[test]
fn links_and_pipes_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let vfs: Arc<dyn Vfs> = Arc::new(OsVfs::create(&path).unwrap());
    sample::create(vfs.clone()).unwrap();
    std::fs::rename(path.join(SEGMENT), dir.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), path.join(SEGMENT)).unwrap();
    assert!(matches!(
        sample::read(vfs.clone(), Access::Read),
        Err(Error::Io { op: "open", .. })
    ));
    std::fs::remove_file(path.join(SEGMENT)).unwrap();
    let mkfifo = std::process::Command::new("mkfifo")
        .arg(path.join(SEGMENT))
        .status()
        .unwrap();
    assert!(mkfifo.success());
    assert!(matches!(
        sample::read(vfs, Access::Read),
        Err(Error::Io { op: "open", .. })
    ));
}

#[test]
fn a_file_of_another_life_of_the_same_store() {
    let (vfs, copy) = (store(), MemVfs::new());
    for name in vfs.list().unwrap() {
        sample::put(&copy, &name, &sample::get(&*vfs, &name));
    }
    let copy: Arc<dyn Vfs> = Arc::new(copy);
    for (vfs, text) in [(&vfs, b"one"), (&copy, b"two")] {
        let (mut store, _) = Store::open(vfs.clone(), Access::Write).unwrap();
        let segment = sample::write_segment(&store, 1, &[(SectionKind::Ids, text)]).unwrap();
        store
            .commit(|m| m.collections[0].segments.push(segment))
            .unwrap();
    }
    let name = "seg-0000000000000002.seg";
    sample::put(&*vfs, name, &sample::get(&*copy, name));
    let error = sample::read(vfs, Access::Read).unwrap_err().to_string();
    assert!(error.contains("root digest"), "{error}");
}

/// Of blocks that are checked when they are first read: whoever reads the damaged one is told, each time, and nobody else.
#[test]
fn lazily_every_block_of_a_read_is_checked() {
    const BLOCK: usize = 4096;
    const BLOCKS: usize = 70;
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let (mut store, _) = Store::open(vfs.clone(), Access::Create).unwrap();
    let bytes: Vec<u8> = (0..BLOCKS * BLOCK - 5).map(|i| (i % 251) as u8).collect();
    let segment = sample::write_segment(&store, 1, &[(SectionKind::Vectors, &bytes)]).unwrap();
    store
        .commit(|manifest| {
            let mut collection = Collection::new(1, "c", ().into());
            collection.segments.push(segment);
            manifest.collections.push(collection);
        })
        .unwrap();
    drop(store);
    for bad in [0, 1, 63, 64, 66, BLOCKS - 1] {
        let own = sample::get(&*vfs, SEGMENT);
        let mut damaged = own.clone();
        damaged[BLOCK + bad * BLOCK + 17] ^= 4;
        sample::put(&*vfs, SEGMENT, &damaged);
        let (_, segments) = Store::open(vfs.clone(), Access::Read).unwrap();
        let segment = Arc::new(segments.into_iter().next().unwrap());
        let section = LazySection::new(&segment, SectionKind::Vectors).unwrap();
        let section = section.unwrap();
        for first in 0..BLOCKS {
            for last in [first, first + 1, 63, 64, BLOCKS - 1] {
                let read = first * BLOCK + 9..last * BLOCK + 10;
                let checked = section.check(read).is_ok();
                assert_eq!(
                    checked,
                    !(first..=last).contains(&bad),
                    "{bad}: {first} to {last}"
                );
            }
        }
        assert!(section.check(0..usize::MAX).is_err());
        sample::put(&*vfs, SEGMENT, &own);
    }
}
