//! A write that is told to stop stops, at any stage, and leaves the store as it was.

use std::ops::ControlFlow;
use std::sync::Mutex;

use proxime::{Batch, Database, Error, Stage};

use crate::support::{int_ids, l2, points, rows, upsert};

#[test]
fn at_any_stage() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path().join("db")).unwrap();
    let c = db.create_collection("c", l2(8)).unwrap();
    let data = points(3000, 8);
    upsert(&c, int_ids(10), &data[..80]);
    let (digest, files) = (c.digest().unwrap(), files(dir.path()));
    for stop in [Stage::Write, Stage::Build, Stage::Commit] {
        let progress = |stage, _, _| {
            if stage == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let source = rows(&data, 8);
        let error = c
            .upsert(Batch::new(int_ids(3000), &source).progress(&progress))
            .unwrap_err();
        assert!(matches!(error, Error::Interrupted), "{stop}: {error}");
        assert_eq!(
            (c.digest().unwrap(), self::files(dir.path())),
            (digest.clone(), files.clone()),
            "{stop}"
        );
    }
    upsert(&c, int_ids(3000), &data);
    assert_eq!(c.len().unwrap(), 3000);
}

fn files(dir: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join("db")).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn progress_counts_up_to_all_rows() {
    let (_db, c) = crate::support::in_memory(64);
    let data = points(5000, 64);
    let seen = Mutex::new(Vec::new());
    let progress = |stage, done, total| {
        seen.lock().unwrap().push((stage, done));
        assert_eq!(total, 5000);
        ControlFlow::Continue(())
    };
    c.upsert(Batch::new(int_ids(5000), &rows(&data, 64)).progress(&progress))
        .unwrap();
    let seen = seen.into_inner().unwrap();
    for stage in [Stage::Write, Stage::Build] {
        let done: Vec<usize> = seen
            .iter()
            .filter(|(at, _)| *at == stage)
            .map(|(_, done)| *done)
            .collect();
        assert!(
            done.len() > 3 && done.is_sorted() && done.last() == Some(&5000),
            "{stage}: {done:?}"
        );
    }
    assert_eq!(seen.last().unwrap().0, Stage::Commit);
}
