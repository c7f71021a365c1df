//! An alias stands for one collection at a time, moves at once, and is as durable as a name.

use proxime::{Database, Error, OpenOptions, Verify};

use crate::support::{int_ids, l2, points, upsert};

fn is_taken(error: &Error, by: &str) -> bool {
    matches!(error, Error::CollectionExists { name } if name == by)
}

fn is_missing(error: &Error, what: &str) -> bool {
    matches!(error, Error::CollectionNotFound { name, .. } if name == what)
}

fn is_alias(error: &Error, what: &str, of: &str) -> bool {
    matches!(error, Error::Alias { alias, collection } if alias == what && collection == of)
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(alias, name): &(&str, &str)| ((*alias).to_owned(), (*name).to_owned());
    of.iter().map(owned).collect()
}

#[test]
fn it_moves_and_survives() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = Database::open(&path).unwrap();
    for (name, rows) in [("old", 3), ("new", 5)] {
        let c = db.create_collection(name, l2(2)).unwrap();
        upsert(&c, int_ids(rows), &points(rows, 2));
    }
    db.set_alias("docs", "old").unwrap();
    let before = db.collection("docs").unwrap();
    db.set_alias("docs", "new").unwrap();
    db.set_alias("also", "new").unwrap();
    assert_eq!(before.len().unwrap(), 3, "a handle stays with what it was");
    assert_eq!(db.collection("docs").unwrap().len().unwrap(), 5);
    assert_eq!(db.collections().unwrap(), ["old", "new"]);
    db.rename_collection("new", "newest").unwrap();
    let expected = pairs(&[("also", "newest"), ("docs", "newest")]);
    assert_eq!(db.aliases().unwrap(), expected);
    db.close().unwrap();

    for (read_only, verify) in [(true, Verify::Full), (false, Verify::Lazy)] {
        let options = OpenOptions {
            read_only,
            verify,
            ..OpenOptions::default()
        };
        let db = Database::open_with(&path, &options).unwrap();
        assert_eq!(db.aliases().unwrap(), expected);
        assert_eq!(db.collection("docs").unwrap().len().unwrap(), 5);
    }
    let db = Database::open(&path).unwrap();
    db.drop_alias("also").unwrap();
    assert!(matches!(
        db.drop_alias("also").unwrap_err(),
        Error::AliasNotFound { name } if name == "also"
    ));
    db.drop_collection("newest").unwrap();
    assert_eq!(db.aliases().unwrap(), []);
    assert!(is_missing(&db.collection("docs").unwrap_err(), "docs"));
    db.create_collection("docs", l2(7)).unwrap();
    drop(db);
    assert_eq!(Database::open(&path).unwrap().aliases().unwrap(), []);
}

#[test]
fn names_and_aliases_do_not_meet() {
    let db = Database::in_memory().unwrap();
    for name in ["a", "b"] {
        db.create_collection(name, l2(2)).unwrap();
    }
    db.set_alias("other", "a").unwrap();
    assert!(is_taken(&db.set_alias("b", "a").unwrap_err(), "b"));
    assert!(is_taken(
        &db.create_collection("other", l2(2)).unwrap_err(),
        "other"
    ));
    assert!(is_taken(
        &db.rename_collection("b", "other").unwrap_err(),
        "other"
    ));
    // No chains, and nothing is dropped or renamed by a name that may move.
    for refused in [
        db.set_alias("x", "other"),
        db.drop_collection("other"),
        db.rename_collection("other", "c"),
    ] {
        assert!(is_alias(&refused.unwrap_err(), "other", "a"));
    }
    assert!(matches!(
        db.set_alias("", "a").unwrap_err(),
        Error::Name { .. }
    ));
    assert_eq!(db.aliases().unwrap(), pairs(&[("other", "a")]));
}
