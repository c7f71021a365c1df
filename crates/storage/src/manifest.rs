//! The manifest: everything that belongs to the store at one commit.
//!
//! A binary envelope (what it is, whose, which number, how long, digest) around JSON, which a person can read in the field.
//! Fields that this version does not know survive being read and written again. The manifest holds names and configuration for
//! the layer above without understanding them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::backend::{File, Vfs};
use crate::checksum;
use crate::error::Result;
use crate::format::{Magic, Preamble};
use crate::names::{LOG_NUMBER_MAX, NUMBER_MAX, Name};
use crate::store::Access;

const MAGIC: Magic = *b"\x89PXM\r\n\x1a\n";
const JSON_BYTES_MAX: u64 = 64 << 20;
/// Rows of one segment: row numbers fit an `i32`.
pub(crate) const ROWS_MAX: u32 = i32::MAX as u32;

/// Which store a file belongs to: 16 random bytes, in text 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreId(pub [u8; 16]);

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl Serialize for StoreId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hex::serialize(&u128::from_be_bytes(self.0), serializer)
    }
}

impl<'de> Deserialize<'de> for StoreId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(StoreId(hex::deserialize(deserializer)?.to_be_bytes()))
    }
}

/// One commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Counts commits; set by the store.
    pub number: u64,
    /// The commit before; set by the store.
    pub parent: u64,
    /// Set by the store.
    pub store: StoreId,
    /// Greater than the id of every file that a commit has ever named; set by the store.
    pub next_file_id: u64,
    /// Greater than the id of every collection that a commit has ever named; set by the store.
    pub next_collection_id: u64,
    /// The oldest log that counts, or 0 if there has been none; set by the store.
    #[serde(default)]
    pub wal_first_gen: u64,
    /// What was logged up to here is in segments; set by the store.
    #[serde(default)]
    pub last_seq: u64,
    /// What was logged up to here was durable at this commit: a log that ends before is damaged; set by the store.
    #[serde(default)]
    pub durable_seq: u64,
    /// Who wrote this; set by the store.
    pub writer: String,
    /// In order of creation.
    pub collections: Vec<Collection>,
    /// Other names of collections, by their ids; none is the name of one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, u64>,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One collection: its files and what the layer above wants to remember about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collection {
    /// Never used again in this store.
    pub id: u64,
    /// Unique, and any text: it never becomes part of a path.
    pub name: String,
    /// Not understood here.
    pub config: Value,
    /// In order of writing: newest last.
    pub segments: Vec<SegmentRef>,
    /// What was logged for this collection up to here is in its segments, besides what the manifest's `last_seq` says of all.
    #[serde(default)]
    pub applied_seq: u64,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Collection {
    /// A collection without segments.
    pub fn new(id: u64, name: impl Into<String>, config: Value) -> Collection {
        Collection {
            id,
            name: name.into(),
            config,
            segments: Vec::new(),
            applied_seq: 0,
            other: Map::new(),
        }
    }
}

/// A segment, pinned: exactly this file of this length with this content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentRef {
    /// Names the file.
    pub file_id: u64,
    /// Its length.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u32,
    /// Root digest, XXH3-128.
    #[serde(with = "hex")]
    pub digest: u128,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Manifest {
    /// The manifest of an empty store, not yet numbered.
    pub(crate) fn empty(store: StoreId) -> Manifest {
        Manifest {
            number: 0,
            parent: 0,
            store,
            next_file_id: 1,
            next_collection_id: 1,
            wal_first_gen: 0,
            last_seq: 0,
            durable_seq: 0,
            writer: String::new(),
            collections: Vec::new(),
            aliases: BTreeMap::new(),
            other: Map::new(),
        }
    }

    /// The segments of all collections.
    pub fn segments(&self) -> impl Iterator<Item = &SegmentRef> {
        self.collections.iter().flat_map(|c| &c.segments)
    }

    /// The collection with this id.
    pub fn collection_mut(&mut self, id: u64) -> Option<&mut Collection> {
        self.collections.iter_mut().find(|c| c.id == id)
    }

    /// Takes a collection out, and what stood for it.
    pub fn remove_collection(&mut self, id: u64) {
        self.collections.retain(|c| c.id != id);
        self.aliases.retain(|_, of| *of != id);
    }

    pub(crate) fn file_ids(&self) -> BTreeSet<u64> {
        self.segments().map(|s| s.file_id).collect()
    }

    /// What is wrong with it, independent of any checksum.
    pub(crate) fn problem(&self, number: u64, store: StoreId) -> Option<String> {
        if self.number != number {
            return Some(format!("it says it is manifest {}", self.number));
        }
        if self.store != store {
            return Some(format!("it belongs to store {}", self.store));
        }
        let counters = [self.number, self.next_file_id, self.next_collection_id];
        let log = [self.wal_first_gen, self.durable_seq];
        if counters.iter().any(|&counter| counter >= NUMBER_MAX)
            || log.iter().any(|&counter| counter >= LOG_NUMBER_MAX)
        {
            return Some("its numbers are beyond what a store can reach".into());
        }
        if self.last_seq > self.durable_seq || (self.wal_first_gen == 0 && self.durable_seq > 0) {
            return Some(format!(
                "of the log from generation {} on, {} was durable and {} is in segments",
                self.wal_first_gen, self.durable_seq, self.last_seq
            ));
        }
        let (mut names, mut collections, mut files) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for c in &self.collections {
            if c.id >= self.next_collection_id
                || !collections.insert(c.id)
                || !names.insert(&c.name)
            {
                return Some(format!(
                    "collection {} ({:?}) is listed twice or out of turn",
                    c.id, c.name
                ));
            }
            if c.applied_seq > self.durable_seq {
                return Some(format!(
                    "collection {:?} has frame {} in segments, of {} that were durable",
                    c.name, c.applied_seq, self.durable_seq
                ));
            }
            for s in &c.segments {
                if s.file_id >= self.next_file_id || s.rows > ROWS_MAX || !files.insert(s.file_id) {
                    return Some(format!(
                        "segment {:#x} is listed twice or out of turn",
                        s.file_id
                    ));
                }
            }
        }
        let mut aliases = self.aliases.iter();
        let wrong = aliases.find(|(alias, id)| names.contains(alias) || !collections.contains(id));
        wrong.map(|(alias, id)| {
            format!("{alias:?} stands for collection {id}, and is taken or that is not there")
        })
    }
}

/// What comes before the JSON: 80 bytes.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Envelope {
    preamble: Preamble,
    store: [u8; 16],
    number: u64,
    json_bytes: u64,
    /// XXH3-128 of the 64 bytes before and the JSON, little-endian.
    digest: [u8; 16],
}

const ENVELOPE_BYTES: u64 = size_of::<Envelope>() as u64;

impl Envelope {
    fn digest(&self, json: &[u8]) -> [u8; 16] {
        let bytes = bytemuck::bytes_of(self);
        let before = bytes
            .get(..bytes.len().saturating_sub(size_of::<u128>()))
            .unwrap_or_default();
        checksum::digest(&[before, json]).to_le_bytes()
    }
}

/// The bytes of the manifest's file; `None` if there are too many.
pub(crate) fn encode(manifest: &Manifest) -> serde_json::Result<Option<Vec<u8>>> {
    let json = serde_json::to_vec(manifest)?;
    let json_bytes = json.len() as u64;
    if json_bytes > JSON_BYTES_MAX {
        return Ok(None);
    }
    let (store, number) = (manifest.store.0, manifest.number);
    let mut envelope = Envelope {
        preamble: Preamble::new(MAGIC),
        store,
        number,
        json_bytes,
        digest: [0; 16],
    };
    envelope.digest = envelope.digest(&json);
    Ok(Some([bytemuck::bytes_of(&envelope), &json].concat()))
}

/// Reads and checks manifest `number`; `None` if there is no such file.
pub(crate) fn read(
    vfs: &dyn Vfs,
    store: StoreId,
    number: u64,
    access: Access,
) -> Result<Option<Manifest>> {
    let Some(file) = File::open(vfs, &Name::Manifest(number).to_string())? else {
        return Ok(None);
    };
    let mut envelope = Envelope::zeroed();
    file.read_exact(bytemuck::bytes_of_mut(&mut envelope), 0)?;
    envelope.preamble.check_magic(MAGIC, &file)?;
    let json_bytes = envelope.json_bytes;
    let len = file.len()?;
    if json_bytes > JSON_BYTES_MAX || ENVELOPE_BYTES + json_bytes != len {
        return Err(file.corrupt(
            56,
            format!("the length is said to be {json_bytes} and {ENVELOPE_BYTES}, and is {len}"),
        ));
    }
    let json = file.read_vec(ENVELOPE_BYTES, json_bytes)?;
    if envelope.digest != envelope.digest(&json) {
        return Err(file.corrupt(64, "the digest does not match"));
    }
    envelope.preamble.check_versions(&file, access)?;
    let manifest: Manifest =
        serde_json::from_slice(&json).map_err(|e| file.corrupt(ENVELOPE_BYTES, e.to_string()))?;
    let outside = envelope.number != number || envelope.store != store.0;
    let problem = if outside {
        Some("it is another manifest, or of another store".into())
    } else {
        manifest.problem(number, store)
    };
    match problem {
        Some(problem) => Err(file.corrupt(ENVELOPE_BYTES, problem)),
        None => Ok(Some(manifest)),
    }
}

/// 128 bits as 32 hexadecimal digits.
mod hex {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{value:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = u128::from_str_radix(&text, 16)
            .ok()
            .filter(|value| format!("{value:032x}") == text);
        value.ok_or_else(|| D::Error::custom(format_args!("{text:?} is not 32 hexadecimal digits")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> Manifest {
        let segment = |file_id| SegmentRef {
            file_id,
            bytes: 9,
            rows: 1,
            digest: 1,
            other: Map::new(),
        };
        let collection = |id, name, file_id| Collection {
            segments: vec![segment(file_id)],
            ..Collection::new(id, name, Value::Null)
        };
        Manifest {
            number: 4,
            next_file_id: 8,
            next_collection_id: 3,
            collections: vec![collection(1, "a", 6), collection(2, "b", 7)],
            aliases: BTreeMap::from([("c".to_owned(), 2), ("d".to_owned(), 2)]),
            ..Manifest::empty(StoreId([1; 16]))
        }
    }

    #[test]
    fn structure_is_checked_whatever_the_digest_says() {
        let problem = |m: &Manifest| m.problem(4, StoreId([1; 16]));
        assert_eq!(problem(&valid()), None);
        let broken: [fn(&mut Manifest); 15] = [
            |m| m.wal_first_gen = LOG_NUMBER_MAX,
            |m| (m.wal_first_gen, m.durable_seq) = (1, LOG_NUMBER_MAX),
            |m| (m.wal_first_gen, m.last_seq, m.durable_seq) = (1, 2, 1),
            |m| m.durable_seq = 1,
            |m| m.next_file_id = u64::MAX,
            |m| m.number = 5,
            |m| m.store = StoreId([2; 16]),
            |m| m.collections[1].id = 1,
            |m| m.collections[1].id = 3,
            |m| m.collections[1].name = "a".into(),
            |m| m.collections[1].segments[0].file_id = 6,
            |m| m.collections[1].segments[0].file_id = 8,
            |m| m.collections[1].segments[0].rows = ROWS_MAX + 1,
            |m| _ = m.aliases.insert("a".into(), 2),
            |m| _ = m.aliases.insert("e".into(), 3),
        ];
        for (i, edit) in broken.into_iter().enumerate() {
            let mut manifest = valid();
            edit(&mut manifest);
            assert!(problem(&manifest).is_some(), "edit {i}");
        }
    }

    #[test]
    fn ids_and_digests_are_text() {
        let json = serde_json::to_value(valid()).unwrap();
        assert_eq!(json["store"], "01010101010101010101010101010101");
        let mut segment = json["collections"][0]["segments"][0].clone();
        assert_eq!(segment["digest"], "00000000000000000000000000000001");
        for bad in [
            "",
            "1",
            "+0000000000000000000000000000001",
            "0000000000000000000000000000000G",
        ] {
            segment["digest"] = bad.into();
            assert!(
                serde_json::from_value::<SegmentRef>(segment.clone()).is_err(),
                "{bad}"
            );
        }
    }
}
