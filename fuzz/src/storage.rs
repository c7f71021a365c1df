//! The files of a store: manifest, segment, log.

use std::sync::Arc;

use proxime::{Database, MemVfs, OpenOptions, Vfs};
use proxime_storage::{Access, Durability, Error, SectionKind, Store, StoreId};
use serde_json::json;

use crate::{seal, sections};

pub(crate) const STORE: StoreId = StoreId([7; 16]);

/// A store in memory, made of these files.
pub(crate) fn mounted(files: &[(&str, &[u8])]) -> Arc<dyn Vfs> {
    let vfs = MemVfs::new();
    for (name, bytes) in files {
        let Ok(file) = vfs.create_new(name) else {
            continue;
        };
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match file.write_at(rest, at as u64) {
                Ok(written) => at += written,
                Err(_) => break,
            }
        }
        file.seal().ok();
    }
    Arc::new(vfs)
}

/// The input is a manifest's JSON.
pub(crate) fn manifest(data: &[u8]) {
    let files = [
        ("FORMAT", &*seal::format(STORE)),
        ("MANIFEST-0000000001", &*seal::manifest(STORE, 1, data)),
    ];
    let vfs = mounted(&files);
    for access in [Access::Read, Access::Write] {
        if let Ok((mut store, _)) = Store::open(Arc::clone(&vfs), access) {
            store.verify();
            store.commit(|_| ()).ok();
        }
    }
    sections::exercise(&vfs);
}

pub(crate) fn manifest_json(segments: &serde_json::Value, wal_first_gen: u64) -> Vec<u8> {
    let collection = json!({
        "id": 1, "name": "c", "segments": segments,
        "config": {
            "dim": 2, "dtype": "f32", "metric": "l2", "m": 4, "preset": "default",
            "ef_construction": 16, "ef_search": 16, "seed": 0,
        },
    });
    let manifest = json!({
        "number": 1, "parent": 0, "store": STORE, "next_file_id": 2, "next_collection_id": 2,
        "wal_first_gen": wal_first_gen, "last_seq": 0, "durable_seq": 0, "writer": "", "collections": [collection],
    });
    manifest.to_string().into_bytes()
}

/// The input is a segment's file, whose manifest believes what it says of itself.
pub(crate) fn segment(data: &[u8]) {
    let mut bytes = data.to_vec();
    let digest = seal::segment(STORE, 1, &mut bytes);
    let rows = bytes.get(68..72).and_then(|rows| rows.first_chunk());
    let rows = rows.map_or(0, |rows| u32::from_le_bytes(*rows));
    let pinned = json!([{ "file_id": 1, "bytes": bytes.len(), "rows": rows, "digest": format!("{digest:032x}") }]);
    let manifest = seal::manifest(STORE, 1, &manifest_json(&pinned, 0));
    let vfs = mounted(&[
        ("FORMAT", &*seal::format(STORE)),
        ("MANIFEST-0000000001", &*manifest),
        ("seg-0000000000000001.seg", &bytes),
    ]);
    if let Ok((_, segments)) = Store::open(Arc::clone(&vfs), Access::Read) {
        for segment in segments {
            segment.verify();
            for kind in [SectionKind::Vectors, SectionKind::Ids, SectionKind::Graph] {
                segment.read(kind).ok();
                segment.map(kind).ok();
            }
        }
    }
    sections::exercise(&vfs);
}

/// The input is the first generation of the log.
pub(crate) fn log(data: &[u8]) {
    let mut bytes = data.to_vec();
    seal::log(STORE, 1, &mut bytes);
    let vfs = mounted(&[
        ("FORMAT", &*seal::format(STORE)),
        (
            "MANIFEST-0000000001",
            &*seal::manifest(STORE, 1, &manifest_json(&json!([]), 1)),
        ),
        ("wal-0000000001.log", &bytes),
    ]);
    let mut found = Vec::new();
    if let Ok((store, _)) = Store::open(Arc::clone(&vfs), Access::Read) {
        let read = store.replay(|frame| {
            found.push(frame.payload.to_vec());
            Ok::<_, Error>(())
        });
        if read.is_err() {
            found.clear();
        }
    }
    let options = OpenOptions {
        threads: Some(1),
        ..OpenOptions::default()
    };
    if let Ok(db) = Database::open_on(Arc::clone(&vfs), &options) {
        db.verify().ok();
    }
    if let Ok((mut store, _)) = Store::open(vfs, Access::Write) {
        let mut kept = Vec::new();
        let recovered = store.recover(Durability::Always, |frame| {
            kept.push(frame.payload.to_vec());
            Ok::<_, Error>(())
        });
        if let Ok((log, _)) = recovered {
            assert!(
                kept.starts_with(&found),
                "a writer finds what a reader finds"
            );
            log.append(1, 1, &[b"more"]).ok();
        }
    }
}
