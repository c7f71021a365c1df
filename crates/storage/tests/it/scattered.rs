//! Large sections of records are mapped twice: for whoever reads on, and for whoever reads here and there.

use std::sync::Arc;

use proxime_storage::{Access, LazySection, OsVfs, SectionBytes, SectionKind, Segment, Store};

use crate::sample;

const LARGE: usize = 9 << 20;

fn segment_of(sections: &[(SectionKind, &[u8])]) -> (tempfile::TempDir, Arc<Segment>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let vfs = Arc::new(OsVfs::create(&path).unwrap());
    sample::create(vfs.clone()).unwrap();
    let (mut store, _) = Store::open(vfs, Access::Write).unwrap();
    let segment = sample::write_segment(&store, 1, sections).unwrap();
    store
        .commit(|manifest| manifest.collections[0].segments = vec![segment])
        .unwrap();
    drop(store);
    let vfs = Arc::new(OsVfs::open(&path).unwrap());
    let (_, mut segments) = Store::open(vfs, Access::Read).unwrap();
    (dir, Arc::new(segments.remove(0)))
}

/// Whether the system was told that this memory is read here and there: "rr" among the flags of its map.
fn is_scattered(bytes: &[u8]) -> bool {
    let flags = said_of(bytes, "VmFlags:");
    flags.split(' ').any(|flag| flag == "rr")
}

/// A line that the system has about the map that these bytes are in.
fn said_of(bytes: &[u8], what: &str) -> String {
    let (address, maps) = (
        bytes.as_ptr() as usize,
        std::fs::read_to_string("/proc/self/smaps").unwrap(),
    );
    let mut is_here = false;
    for line in maps.lines() {
        let range = line.split(' ').next().unwrap().split_once('-');
        let number = |text| usize::from_str_radix(text, 16).ok();
        if let Some((Some(from), Some(to))) = range.map(|(a, b)| (number(a), number(b))) {
            is_here = (from..to).contains(&address);
        }
        if is_here && let Some(said) = line.strip_prefix(what) {
            return said.trim().to_owned();
        }
    }
    panic!("no map has {address:#x}");
}

#[test]
fn large_sections_of_records_are_read_alone_where_few_are_wanted() {
    let bytes: Vec<u8> = (0..LARGE).map(|i| (i / 7) as u8).collect();
    let kinds = [
        (SectionKind::Vectors, true),
        (SectionKind::Payload, true),
        (SectionKind::Codes, false),
    ];
    let sections = kinds.map(|(kind, _)| (kind, &bytes[..]));
    let (_dir, segment) = segment_of(&sections);
    let check = |section: &SectionBytes, wanted: bool| {
        assert!(section[..] == bytes[..] && section.scattered() == bytes);
        assert!(!is_scattered(section));
        assert_eq!(is_scattered(section.scattered()), wanted);
    };
    for (kind, wanted) in kinds {
        let section = segment.map(kind).unwrap().unwrap();
        // All of it was checked, in another map.
        assert_eq!(said_of(&section, "Rss:"), "0 kB");
        check(&section, wanted);
        let lazy = LazySection::new(&segment, kind).unwrap().unwrap();
        lazy.check(5_000..6_000).unwrap();
        lazy.check(0..LARGE).unwrap();
        assert!(lazy.scattered() == bytes);
        assert_eq!(is_scattered(lazy.scattered()), wanted, "{kind}");
    }
}

#[test]
fn a_small_section_has_one_map() {
    let (_dir, segment) = segment_of(&[(SectionKind::Vectors, &[7; 5000])]);
    let section = segment.map(SectionKind::Vectors).unwrap().unwrap();
    assert_eq!(section.scattered().as_ptr(), section.as_ptr());
}
