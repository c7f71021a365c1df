//! What the database puts into files: each a piece of a small store that is otherwise in good order.

use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use proxime::{
    Batch, CollectionConfig, Database, Key, MemVfs, Metric, OpenOptions, Params, Rows,
    SearchOptions, Verify, Vfs, field,
};
use proxime_core::{Graph, ScratchPool, search};
use proxime_quant::{Codes, CodesU4, ScalarI8};
use proxime_storage::{
    Access, Collection, Durability, Error, SectionKind, SegmentHeader, Store, column::ColumnBuilder,
};

const DIM: usize = 2;
const ROWS: usize = 5;

fn options(read_only: bool) -> OpenOptions {
    OpenOptions {
        threads: Some(1),
        read_only,
        verify: if read_only {
            Verify::Lazy
        } else {
            Verify::Full
        },
        create: false,
        ..OpenOptions::default()
    }
}

/// Whatever can be done with a store, as far as it gets.
pub(crate) fn exercise(vfs: &Arc<dyn Vfs>) {
    for read_only in [true, false] {
        let Ok(db) = Database::open_on(Arc::clone(vfs), &options(read_only)) else {
            continue;
        };
        db.verify_deep().ok();
        for name in db.collections().unwrap_or_default() {
            let Ok(c) = db.collection(&name) else {
                continue;
            };
            c.stats().ok();
            c.digest().ok();
            c.get(&Key::Int(1)).ok();
            c.count(&field("a").exists()).ok();
            let dim = c.config().dim;
            let query = vec![0.5; dim];
            let Ok(rows) = Rows::new(&query, dim) else {
                continue;
            };
            for exact in [false, true] {
                let options = SearchOptions {
                    exact,
                    ..SearchOptions::k(3)
                };
                if let Ok(found) = c.search(rows, &options) {
                    assert_eq!(Some(found.hits(0).len()), c.len().ok().map(|n| n.min(3)));
                    found.hits(0).for_each(|hit| drop(hit.metadata()));
                }
            }
            if !read_only {
                c.upsert(Batch::new(vec![Key::Int(1)], &rows)).ok();
                c.delete(&[Key::Int(2)]).ok();
                c.compact(None).ok();
            }
        }
    }
}

/// An empty collection `c` of two components, by L2, closed.
static EMPTY: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let vfs = MemVfs::new();
    let created = OpenOptions {
        create: true,
        ..options(false)
    };
    let db = Database::open_on(Arc::new(vfs.clone()), &created);
    let config = CollectionConfig::new(DIM).metric(Metric::L2);
    db.and_then(|db| db.create_collection("c", config).map(drop))
        .unwrap();
    let content = |name: String| {
        let file = vfs.open(&name).ok()?;
        let mut bytes = vec![0; file.size().ok()? as usize];
        file.read_at(&mut bytes, 0).ok()?;
        Some((name, bytes))
    };
    vfs.list()
        .unwrap_or_default()
        .into_iter()
        .filter(|name| name != "LOCK")
        .filter_map(content)
        .collect()
});

fn empty() -> (Arc<dyn Vfs>, Store) {
    let files: Vec<_> = EMPTY
        .iter()
        .map(|(name, bytes)| (&**name, &**bytes))
        .collect();
    let vfs = crate::storage::mounted(&files);
    let (store, _) = Store::open(Arc::clone(&vfs), Access::Write).unwrap();
    (vfs, store)
}

/// The first byte is the kind of a frame, the rest its payload.
pub(crate) fn rows(data: &[u8]) {
    let Some((kind, payload)) = data.split_first() else {
        return;
    };
    let (vfs, mut store) = empty();
    let log = store.recover(Durability::Always, |_| Ok::<_, Error>(()));
    if let Ok((log, _)) = log {
        log.append(*kind, 1, &[payload]).ok();
    }
    store.close().ok();
    exercise(&vfs);
}

/// The first byte says which section of a segment, the rest is what it holds; the others are right.
pub(crate) fn section(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let (vfs, mut store) = empty();
    let mut sections = RIGHT.clone();
    let at = usize::from(*choice) % sections.len();
    sections[at].1 = data.to_vec();
    let written = write_segment(&store, &sections);
    let Ok(pinned) = written else { return };
    let committed = store.commit(|manifest| {
        manifest
            .collections
            .iter_mut()
            .for_each(|c: &mut Collection| c.segments = vec![pinned.clone()]);
    });
    if committed.is_ok() {
        drop(store);
        exercise(&vfs);
    }
}

type Section = (SectionKind, Vec<u8>);

/// Every section of a segment of [`ROWS`] rows.
static RIGHT: LazyLock<[Section; 8]> = LazyLock::new(|| {
    let points = vec![0.5_f32; ROWS * DIM];
    let (codec, codes) = encoded(&points);
    let ids = column((0..ROWS).map(id));
    let deleted = [&(ROWS as u64).to_le_bytes()[..], &ids].concat();
    let versions = [ROWS as u64, 1].map(u64::to_le_bytes).concat();
    [
        (SectionKind::Vectors, bytemuck::cast_slice(&points).to_vec()),
        (SectionKind::Codes, codes.as_bytes().to_vec()),
        (SectionKind::Codebook, codec.to_bytes()),
        (SectionKind::Graph, linked(&codes)),
        (SectionKind::Ids, ids),
        (SectionKind::Payload, column((0..ROWS).map(metadata))),
        (SectionKind::Deleted, deleted),
        (SectionKind::Versions, versions),
    ]
});

fn write_segment(
    store: &Store,
    sections: &[Section],
) -> proxime_storage::Result<proxime_storage::SegmentRef> {
    let header = SegmentHeader {
        collection_id: 1,
        rows: ROWS as u32,
        dim: DIM as u32,
        dtype: 0,
        metric: 0,
    };
    let mut writer = store.create_segment(header)?;
    for (kind, bytes) in sections {
        let element = match kind {
            SectionKind::Vectors => 4 * DIM,
            SectionKind::Codes => 64,
            SectionKind::Versions => 16,
            _ => 1,
        };
        writer.begin(*kind, element as u32)?;
        writer.append(&bytes[..bytes.len() - bytes.len() % element])?;
    }
    writer.finish()
}

fn id(row: usize) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend((row as i64).to_le_bytes());
    bytes
}

fn column(rows: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut writer = ColumnBuilder::default();
    rows.for_each(|row| writer.push_bytes(&row));
    writer.parts().concat()
}

/// Codes of points on a line, of which graphs are made and to which they are applied.
fn codes(n: usize) -> (ScalarI8, Codes) {
    let points: Vec<f32> = (0..n * DIM).map(|i| i as f32).collect();
    encoded(&points)
}

fn encoded(points: &[f32]) -> (ScalarI8, Codes) {
    let made = Rows::new(points, DIM)
        .map_err(|e| e.to_string())
        .and_then(|rows| {
            let codec = ScalarI8::train(rows, Metric::L2).map_err(|e| e.to_string())?;
            let codes = Codes::encode(&codec, rows).map_err(|e| e.to_string())?;
            Ok((codec, codes))
        });
    made.unwrap()
}

/// A graph of them, as it is stored.
fn linked(codes: &Codes) -> Vec<u8> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let params = Params::default().with_m(4).unwrap();
    let go_on = |_| ControlFlow::Continue(());
    let graph = Graph::build(codes, &params, &pool.unwrap(), &go_on);
    graph.unwrap().to_bytes()
}

/// The first byte is the number of rows, the rest a graph; what is accepted is walked, and written again.
pub(crate) fn graph(data: &[u8]) {
    let Some((n, data)) = data.split_first() else {
        return;
    };
    let n = usize::from(*n).max(1);
    let Ok(graph) = Graph::from_bytes(data, n) else {
        return;
    };
    assert_eq!(graph.n(), n);
    graph.stats();
    assert_eq!(
        Graph::from_bytes(&graph.to_bytes(), n)
            .map(|again| again.digest())
            .ok(),
        Some(graph.digest())
    );
    let (codec, codes) = codes(n);
    let walk = CodesU4::new(codes.stored(&codec));
    let query = walk.prepare(&codec, &[3.0, 4.0]).unwrap();
    let found = ScratchPool::default().with(|scratch| {
        search(&graph, &walk, &query, 8, scratch);
        scratch
            .candidates()
            .filter(|candidate| (candidate.node as usize) < n)
            .count()
    });
    assert!(found <= 8);
}

/// A codebook; what is accepted encodes and decodes.
pub(crate) fn codebook(data: &[u8]) {
    let Ok(codec) = ScalarI8::from_bytes(data) else {
        return;
    };
    assert_eq!(codec.to_bytes(), data, "what is accepted has one form");
    let row = vec![0.25; codec.dim()];
    let mut code = vec![0; codec.dim()];
    codec.encode_row(&row, &mut code).ok();
    codec.decode_row(&code, &mut row.clone()).ok();
    codec.prepare(&row).ok();
    Codes::from_bytes(&codec, data, 1).ok();
    let rows = Rows::new(&row, codec.dim()).unwrap();
    if let Ok(codes) = Codes::encode(&codec, rows) {
        CodesU4::new(codes.stored(&codec))
            .prepare(&codec, &row)
            .ok();
    }
}

/// Inputs in good order, by target: what a fuzzer starts from.
#[doc(hidden)]
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let ids = column((0..ROWS).map(id));
    let mut rows = vec![1];
    rows.extend((ROWS as u32).to_le_bytes());
    rows.extend(0_u32.to_le_bytes());
    rows.extend((ids.len() as u64).to_le_bytes());
    rows.extend(0_u64.to_le_bytes());
    rows.extend(bytemuck::cast_slice::<f32, u8>(&[0.5; ROWS * DIM]));
    rows.extend(&ids);
    let mut deletions = vec![2];
    deletions.extend((ROWS as u64).to_le_bytes());
    deletions.extend(&ids);
    let (codec, codes) = codes(40);
    let graph = [&[40][..], &linked(&codes)].concat();
    let log = [
        seed_log(&[(1, &rows[1..])]),
        seed_log(&[(1, &rows[1..]), (2, &deletions[1..])]),
    ];
    let [log, log_of_two] = log;
    let sections = RIGHT.iter().enumerate();
    let sections = sections.map(|(n, (_, bytes))| ("section", [&[n as u8][..], bytes].concat()));
    let mut seeds = vec![
        ("rows", rows),
        ("rows", deletions),
        ("graph", graph),
        ("codebook", codec.to_bytes()),
        (
            "manifest",
            crate::storage::manifest_json(&serde_json::json!([]), 0),
        ),
        ("segment", seed_segment()),
        ("log", log),
        ("log", log_of_two),
    ];
    seeds.extend(sections);
    seeds
}

/// `{"a": 7}`, and nothing.
fn metadata(row: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    if row.is_multiple_of(2) {
        bytes.extend(4_u64.to_le_bytes());
        bytes.extend([6_u32, 1, 4].map(u32::to_le_bytes).concat());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(b"a");
        bytes.extend(2_u32.to_le_bytes());
        bytes.extend(7_i64.to_le_bytes());
    }
    bytes
}

fn file(vfs: &Arc<dyn Vfs>, start: &str) -> Vec<u8> {
    let names = vfs.list().unwrap_or_default();
    let opened = names
        .iter()
        .find(|name| name.starts_with(start))
        .and_then(|name| vfs.open(name).ok());
    let Some(file) = opened else {
        return Vec::new();
    };
    let mut bytes = vec![0; file.size().unwrap_or_default() as usize];
    file.read_at(&mut bytes, 0).ok();
    bytes
}

/// With what no segment goes without, and metadata.
fn seed_segment() -> Vec<u8> {
    let (vfs, store) = empty();
    let [vectors, _, _, _, ids, payload, _, _] = RIGHT.clone();
    assert!(write_segment(&store, &[vectors, ids, payload]).is_ok());
    file(&vfs, "seg-")
}

fn seed_log(frames: &[(u8, &[u8])]) -> Vec<u8> {
    let (vfs, mut store) = empty();
    if let Ok((log, _)) = store.recover(Durability::Always, |_| Ok::<_, Error>(())) {
        for (kind, payload) in frames {
            log.append(*kind, 1, &[payload]).ok();
        }
    }
    store.close().ok();
    file(&vfs, "wal-")
}
