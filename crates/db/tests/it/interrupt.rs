//! A write that is told to stop stops, at any stage, and leaves the store as it was.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use proxime::{Batch, Database, Error, MemVfs, OpenOptions, Stage, Vfs};

use crate::support::{int_ids, l2, points, rows, upsert};
use crate::watched::Watched;

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

fn files(dir: &Path) -> Vec<String> {
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

/// Whether the next sync lasts until somebody lets it end.
#[derive(Clone, Default)]
struct Slowness(Arc<(Mutex<Sync>, Condvar)>);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Sync {
    #[default]
    Fast,
    Slow,
    Begun,
}

impl Slowness {
    /// A disk that is as slow as it is told to be.
    fn disk(&self) -> Watched {
        let disk = Watched::new(Arc::new(MemVfs::new()));
        let sync = self.clone();
        disk.before(move |op, _| {
            if op == "sync" && sync.is(Sync::Slow) {
                sync.set(Sync::Begun);
                sync.wait_while(Sync::Begun);
            }
        });
        disk
    }

    fn set(&self, to: Sync) {
        *self.0.0.lock().unwrap() = to;
        self.0.1.notify_all();
    }

    fn is(&self, state: Sync) -> bool {
        *self.0.0.lock().unwrap() == state
    }

    /// Gives up after a while: a test that waits for this has failed.
    fn wait_while(&self, state: Sync) {
        let now = self.0.0.lock().unwrap();
        let patience = Duration::from_secs(600);
        let waited = self
            .0
            .1
            .wait_timeout_while(now, patience, |now| *now == state);
        drop(waited.unwrap());
    }
}

#[test]
fn nobody_who_stops_waits_for_the_disk() {
    let sync = Slowness::default();
    let disk = sync.disk();
    let open = || Database::open_on(Arc::new(disk.clone()), &OpenOptions::default()).unwrap();
    let db = open();
    let c = db.create_collection("c", l2(8)).unwrap();
    let data = points(3000, 8);
    let (digest, names) = (c.digest().unwrap(), disk.list().unwrap());
    sync.set(Sync::Slow);
    let progress = |stage, _, _| {
        if stage != Stage::Build {
            return ControlFlow::Continue(());
        }
        sync.wait_while(Sync::Slow);
        ControlFlow::Break(())
    };
    let source = rows(&data, 8);
    let stopped = c.upsert(Batch::new(int_ids(3000), &source).progress(&progress));
    assert!(sync.is(Sync::Begun), "the sync has ended, or never began");
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    assert_eq!(c.digest().unwrap(), digest);
    assert_eq!(disk.list().unwrap(), names);
    // Not even the lock is held by a sync that nobody waits for.
    drop((c, db));
    let c = open().collection("c").unwrap();
    assert!(sync.is(Sync::Begun));
    sync.set(Sync::Fast);
    upsert(&c, int_ids(3000), &data);
    assert_eq!(c.len().unwrap(), 3000);
}
