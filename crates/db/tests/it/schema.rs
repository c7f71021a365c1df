//! A schema holds whatever way a record is written, and is there again when the store is opened.

use proxime::{
    Batch, Collection, CollectionConfig, Database, Error, FieldType, Key, Metadata, Schema, Update,
    Value,
};

use crate::support::{int_ids, l2, object, points, rows};

fn schema() -> Schema {
    Schema::new()
        .required("lang", FieldType::Text)
        .optional("year", FieldType::Int)
        .required("from.page", FieldType::Int)
}

fn config() -> CollectionConfig {
    l2(2).schema(schema())
}

/// A record's metadata with these in place of what fits.
fn with(name: &str, value: Value) -> Metadata {
    let mut fits = object([
        ("lang", "de".into()),
        ("year", Value::Int(2020)),
        ("from", Value::Object(object([("page", Value::Int(3))]))),
    ]);
    fits.insert(name.to_owned(), value);
    fits
}

fn upsert(c: &Collection, metadata: Vec<Metadata>) -> proxime::Result<()> {
    let data = points(metadata.len(), 2);
    c.upsert(Batch::new(int_ids(metadata.len()), &rows(&data, 2)).metadata(metadata))
}

/// Row, field, and what was found there.
fn told(error: Error) -> (usize, String, Option<FieldType>) {
    match error {
        Error::Schema {
            row, field, found, ..
        } => (row, field, found),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_type_is_only_itself() {
    let values = [
        (FieldType::Bool, Value::Bool(true)),
        (FieldType::Int, Value::Int(1)),
        (FieldType::Float, Value::Float(1.0)),
        (FieldType::Text, "1".into()),
        (FieldType::Time, Value::Time(1)),
        (FieldType::Bytes, Value::Bytes(vec![1])),
        (FieldType::List, Value::List(vec![Value::Int(1)])),
        (
            FieldType::Object,
            Value::Object(object([("a", Value::Int(1))])),
        ),
    ];
    let db = Database::in_memory().unwrap();
    for is in FieldType::ALL {
        let schema = Schema::new().optional("x", is);
        let c = db
            .create_collection(is.name(), l2(2).schema(schema))
            .unwrap();
        for (other, value) in &values {
            let stored = upsert(&c, vec![object([("x", value.clone())])]);
            match is == *other {
                true => stored.unwrap(),
                false => assert_eq!(told(stored.unwrap_err()), (0, "x".to_owned(), Some(*other))),
            }
        }
        upsert(
            &c,
            vec![
                object([("x", Value::Null)]),
                Metadata::new(),
                object([("y", 1.into())]),
            ],
        )
        .unwrap();
    }
}

#[test]
fn every_write_is_checked() {
    let db = Database::in_memory().unwrap();
    let c = db.create_collection("c", config()).unwrap();
    upsert(&c, vec![with("more", Value::Bool(true)); 3]).unwrap();
    let before = c.scroll(None, 10, None).unwrap();
    let data = points(2000, 2);
    let two = rows(&data[..4], 2);

    let bad = || vec![with("year", Value::Int(1)), with("year", Value::Float(1.0))];
    let year = (1, "year".to_owned(), Some(FieldType::Float));
    let batch = || Batch::new(int_ids(2), &two).metadata(bad());
    assert_eq!(told(c.upsert(batch()).unwrap_err()), year);
    assert_eq!(told(c.add(batch()).unwrap_err()), year);
    let update = || Update::new(int_ids(2)).metadata(bad());
    assert_eq!(told(c.update(update()).unwrap_err()), year);
    let mut transaction = db.transaction();
    assert_eq!(told(transaction.upsert(&c, batch()).unwrap_err()), year);
    assert_eq!(told(transaction.add(&c, batch()).unwrap_err()), year);
    assert_eq!(told(transaction.update(&c, update()).unwrap_err()), year);
    drop(transaction);
    let with_first = db.create_collection_with("d", config(), batch());
    assert_eq!(told(with_first.unwrap_err()), year);
    let alone = config().check(&Key::Int(1), &[1.0, 2.0], &bad()[1]);
    assert_eq!(
        told(alone.unwrap_err()),
        (0, "year".to_owned(), Some(FieldType::Float))
    );

    // As many as go past the log, the last of them wrong; a row that a later one replaces counts, too.
    let mut many = vec![with("lang", "en".into()); 2000];
    many[1999] = with("lang", Value::Null);
    let mut ids = int_ids(2000);
    ids[1999] = Key::Int(0);
    let all = rows(&data, 2);
    let large = |metadata| Batch::new(ids.clone(), &all).metadata(metadata);
    let lang = |row| (row, "lang".to_owned(), None);
    assert_eq!(told(c.upsert(large(many.clone())).unwrap_err()), lang(1999));
    many.swap(0, 1999);
    assert_eq!(told(c.upsert(large(many)).unwrap_err()), lang(0));

    let inner = with("from", Value::Int(3));
    assert_eq!(
        told(upsert(&c, vec![inner]).unwrap_err()),
        (0, "from.page".to_owned(), None)
    );
    let without = c.upsert(Batch::new(int_ids(2), &two));
    assert_eq!(
        told(without.unwrap_err()),
        (0, "from.page".to_owned(), None)
    );
    assert_eq!(c.scroll(None, 10, None).unwrap(), before);

    // What an update leaves as it is was checked before.
    c.update(Update::new(int_ids(2)).vectors(&two)).unwrap();
    c.upsert(Batch::new(Vec::new(), &rows(&[], 2))).unwrap();
    upsert(&c, vec![with("year", Value::Null)]).unwrap();
}

#[test]
fn it_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    Database::open(&path)
        .unwrap()
        .create_collection("c", config())
        .unwrap();
    let db = Database::open(&path).unwrap();
    let c = db.collection("c").unwrap();
    assert_eq!(c.config().schema, schema());
    assert_eq!(
        told(upsert(&c, vec![with("lang", 1.into())]).unwrap_err()).1,
        "lang"
    );
    let error = db.create_collection(
        "d",
        l2(2).schema(Schema::new().required("a\\", FieldType::Int)),
    );
    assert!(matches!(error.unwrap_err(), Error::Filter(_)));
    let many = (0..1001).fold(Schema::new(), |schema, i| {
        schema.optional(i.to_string(), FieldType::Int)
    });
    let error = db.create_collection("d", l2(2).schema(many)).unwrap_err();
    assert!(matches!(error, Error::Parameter { name: "schema", .. }));
    assert!(matches!(
        "date".parse::<FieldType>(),
        Err(Error::Parameter { name: "schema", .. })
    ));
}
