//! Deep verification finds what checksums cannot: bytes that are as written, and were written wrongly.

use std::path::Path;
use std::sync::Arc;

use proxime::{CollectionConfig, Database, Metric, VerifyReport};
use proxime_storage::{Access, OsVfs, SectionKind, Segment, Store};

use crate::support::{int_ids, points, upsert};

const DIM: usize = 12;
const N: usize = 1500;

fn store(dir: &Path, metric: Metric) -> std::path::PathBuf {
    let path = dir.join("db");
    let db = Database::open(&path).unwrap();
    let c = db
        .create_collection("c", CollectionConfig::new(DIM).metric(metric))
        .unwrap();
    let data = points(N, DIM);
    upsert(&c, int_ids(N), &data);
    // Replaced rows, and a segment without a graph.
    upsert(&c, int_ids(100), &data[..100 * DIM]);
    path
}

/// Writes the first segment anew with one of its sections edited, in good order: checksums, manifest and all.
fn rewrite(path: &Path, edited: SectionKind, edit: impl Fn(&mut Vec<u8>)) {
    let vfs = Arc::new(OsVfs::open(path).unwrap());
    let (mut store, segments) = Store::open(vfs, Access::Write).unwrap();
    let old: &Segment = &segments[0];
    let mut writer = store.create_segment(*old.header()).unwrap();
    for kind in [
        SectionKind::Vectors,
        SectionKind::Codes,
        SectionKind::Codebook,
        SectionKind::Graph,
        SectionKind::Ids,
        SectionKind::Versions,
    ] {
        let mut bytes = old.read(kind).unwrap().unwrap();
        if kind == edited {
            edit(&mut bytes);
        }
        writer.begin(kind, old.shape(kind).unwrap().1).unwrap();
        writer.append(&bytes).unwrap();
    }
    let pinned = writer.finish().unwrap();
    store
        .commit(|manifest| manifest.collections[0].segments[0] = pinned)
        .unwrap();
}

fn problems(report: &VerifyReport) -> &[String] {
    assert_eq!(report.ok, report.collections[0].problems.is_empty());
    &report.collections[0].problems
}

#[test]
fn a_good_store_is_good_under_every_metric() {
    for metric in Metric::ALL {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(store(dir.path(), metric)).unwrap();
        let quick = db.verify().unwrap();
        assert!(quick.ok && quick.collections[0].deep.is_none());
        let report = db.verify_deep().unwrap();
        assert_eq!(problems(&report), [] as [String; 0]);
        let deep = report.collections[0].deep.clone().unwrap();
        assert_eq!((deep.codes, deep.queries), (N, N.div_ceil(8)));
        assert_eq!(deep.distances, deep.queries * 20);
        assert!(deep.recall > Some(0.9), "{deep:?}");
    }
}

#[test]
fn an_empty_collection_has_no_recall() {
    let db = Database::in_memory().unwrap();
    db.create_collection("c", CollectionConfig::new(3)).unwrap();
    let report = db.verify_deep().unwrap();
    assert!(report.ok);
    assert_eq!(report.collections[0].deep.as_ref().unwrap().recall, None);
}

/// The code of row 1234 is another's.
pub(crate) fn store_with_wrong_codes(dir: &Path) -> std::path::PathBuf {
    let path = store(dir, Metric::L2);
    rewrite(&path, SectionKind::Codes, |codes| {
        codes[64 * 1234 + 5] ^= 3;
    });
    path
}

#[test]
fn codes_of_other_vectors() {
    let dir = tempfile::tempdir().unwrap();
    let path = store_with_wrong_codes(dir.path());
    let db = Database::open(&path).unwrap();
    assert!(db.verify().unwrap().ok, "nothing is damaged");
    let report = db.verify_deep().unwrap();
    let [problem] = problems(&report) else {
        panic!("{report:?}")
    };
    assert!(problem.contains("the code of row 1234 is not"), "{problem}");
}

#[test]
fn a_graph_that_leads_astray_shows_in_the_recall() {
    let dir = tempfile::tempdir().unwrap();
    let path = store(dir.path(), Metric::L2);
    // Level 0 becomes a ring in the order of the rows: every node can be reached, and no neighbour is near.
    rewrite(&path, SectionKind::Graph, |graph| {
        let words = bytemuck::cast_slice_mut::<u8, u32>(graph);
        let [rows, m, _, levels] = words[..4] else {
            panic!()
        };
        let at = 4 + levels as usize;
        let slots = &mut words[at..at + (rows * 2 * m) as usize];
        for (row, slots) in (0..rows).zip(slots.chunks_exact_mut(2 * m as usize)) {
            slots.fill(u32::MAX);
            slots[0] = (row + 1) % rows;
        }
    });
    let db = Database::open(&path).unwrap();
    assert!(db.verify().unwrap().ok);
    let report = db.verify_deep().unwrap();
    let recall = report.collections[0].deep.as_ref().unwrap().recall.unwrap();
    assert!(recall < 0.5, "{recall}");
}
