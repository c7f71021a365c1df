//! A small store and everything that can be read from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use proxime_storage::{
    Access, Collection, Error, Result, SectionKind, SegmentHeader, SegmentRef, Store, Vfs,
};

pub(crate) const KINDS: [SectionKind; 6] = [
    SectionKind::Vectors,
    SectionKind::Codes,
    SectionKind::Codebook,
    SectionKind::Graph,
    SectionKind::Ids,
    SectionKind::Payload,
];

/// A segment with these sections, of single bytes.
pub(crate) fn write_segment(
    store: &Store,
    collection_id: u64,
    sections: &[(SectionKind, &[u8])],
) -> Result<SegmentRef> {
    let mut writer = store.create_segment(SegmentHeader {
        collection_id,
        rows: 3,
        dim: 2,
        dtype: 0,
        metric: 1,
    })?;
    for (kind, bytes) in sections {
        writer.begin(*kind, 1)?;
        writer.append(bytes)?;
    }
    writer.finish()
}

/// Two collections, one segment in the first: vectors, a graph and ids.
pub(crate) fn create(vfs: Arc<dyn Vfs>) -> Result<()> {
    let (mut store, segments) = Store::open(vfs, Access::Create)?;
    assert!(segments.is_empty());
    let bytes: Vec<u8> = (0..5000u32).map(|i| (i % 251) as u8).collect();
    let sections = [
        (SectionKind::Vectors, &bytes[..]),
        (SectionKind::Graph, &bytes[7..40]),
        (SectionKind::Ids, b"ids"),
    ];
    let segment = write_segment(&store, 1, &sections)?;
    store.commit(|manifest| {
        let mut docs = Collection::new(1, "docs", serde_json::json!({"dim": 2}));
        docs.segments.push(segment);
        manifest.collections.push(docs);
        manifest
            .collections
            .push(Collection::new(2, "Ünïcödé/../..", serde_json::json!(null)));
    })
}

/// A derived section that is damaged reads as `None`.
pub(crate) type Sections = BTreeMap<SectionKind, Option<Vec<u8>>>;

/// Everything an upper layer can see.
#[derive(Debug, PartialEq)]
pub(crate) struct Content {
    pub(crate) collections: Vec<Collection>,
    pub(crate) segments: Vec<Sections>,
}

pub(crate) fn read(vfs: Arc<dyn Vfs>, access: Access) -> Result<Content> {
    let (store, segments) = Store::open(vfs, access)?;
    let mut content = Content {
        collections: store.manifest().collections.clone(),
        segments: Vec::new(),
    };
    for segment in segments {
        let mut sections = Sections::new();
        for kind in KINDS {
            match segment.read(kind) {
                Ok(Some(bytes)) => {
                    assert_eq!(segment.map(kind).unwrap().as_deref(), Some(&bytes[..]));
                    sections.insert(kind, Some(bytes));
                }
                Ok(None) => {}
                Err(Error::Corrupt { .. }) if kind.is_derived() => {
                    assert!(segment.map(kind).is_err() && segment.verify().len() == 1);
                    sections.insert(kind, None);
                }
                Err(e) => return Err(e),
            }
        }
        content.segments.push(sections);
    }
    Ok(content)
}

/// The bytes of a file.
pub(crate) fn get(vfs: &dyn Vfs, name: &str) -> Vec<u8> {
    let file = vfs.open(name).unwrap();
    let mut bytes = vec![0; file.size().unwrap() as usize];
    let mut at = 0;
    while at < bytes.len() {
        at += file.read_at(&mut bytes[at..], at as u64).unwrap();
    }
    bytes
}

/// Another file in its place.
pub(crate) fn put(vfs: &dyn Vfs, name: &str, bytes: &[u8]) {
    vfs.unlink(name).ok();
    assert_eq!(
        vfs.create_new(name).unwrap().write_at(bytes, 0).unwrap(),
        bytes.len()
    );
}
