//! A backup is one moment of a store, whole, in a place of its own; or it is nothing.

use std::io::ErrorKind;
use std::sync::Arc;

use proxime_storage::{Access, Durability, Error, Fault, MemVfs, Result, SimVfs, Store, Vfs};

use crate::images::{fingerprint, power_losses};
use crate::log::Session;
use crate::sample;

const ALWAYS: Durability = Durability::Always;

/// Seven rows in a segment, two in the log.
fn session(vfs: &SimVfs) -> Session {
    let mut session = Session::open(Arc::new(vfs.clone()), ALWAYS).unwrap();
    (1..=7).for_each(|n| session.append(n).unwrap());
    session.checkpoint().unwrap();
    (8..=9).for_each(|n| session.append(n).unwrap());
    session
}

fn rows(vfs: Arc<dyn Vfs>) -> Result<Vec<u64>> {
    Ok(Session::open(vfs, ALWAYS)?.rows)
}

fn no_progress(_: u64) -> Result<()> {
    Ok(())
}

/// Names, without LOCK.
fn files(vfs: &dyn Vfs) -> Vec<String> {
    let mut names = vfs.list().unwrap();
    names.retain(|name| name != "LOCK");
    names
}

#[test]
fn it_is_the_moment_it_was_started_at_and_goes_on_by_itself() {
    let (source, dest) = (SimVfs::new(), Arc::new(MemVfs::new()));
    let mut session = session(&source);
    let backup = session.store.start_backup().unwrap();
    // Everything that the backup names is gone from the source before it is copied.
    (10..=12).for_each(|n| session.append(n).unwrap());
    session.checkpoint().unwrap();
    session.append(13).unwrap();

    let mut told = Vec::new();
    let progress = |bytes| {
        told.push(bytes);
        Ok::<_, Error>(())
    };
    backup.write(dest.clone(), progress).unwrap();
    assert!(
        told.is_sorted() && told.last() == Some(&backup.bytes()),
        "{told:?}"
    );

    let mut copy = Session::open(dest.clone(), ALWAYS).unwrap();
    assert_eq!(copy.rows, (1..=9).collect::<Vec<_>>());
    assert!(copy.report.clean && copy.report.torn.is_none());
    assert_eq!(copy.store.verify().len(), 0);
    copy.append(100).unwrap();
    copy.checkpoint().unwrap();
    copy.append(101).unwrap();
    copy.close().unwrap();
    assert_eq!(rows(dest).unwrap()[8..], [9, 100, 101]);
    session.close().unwrap();
    assert_eq!(
        rows(Arc::new(source)).unwrap(),
        (1..=13).collect::<Vec<_>>()
    );
}

#[test]
fn by_a_reader_while_the_writer_is_there() {
    let (source, dest) = (SimVfs::new(), Arc::new(MemVfs::new()));
    let session = session(&source);
    let (reader, _) = Store::open(Arc::new(source), Access::Read).unwrap();
    let backup = reader.start_backup().unwrap();
    backup.write(dest.clone(), no_progress).unwrap();
    drop(session);
    assert_eq!(rows(dest).unwrap(), (1..=9).collect::<Vec<_>>());
}

#[test]
fn of_a_store_without_a_log() {
    let (source, dest) = (Arc::new(MemVfs::new()), Arc::new(MemVfs::new()));
    sample::create(source.clone()).unwrap();
    let (store, _) = Store::open(source.clone(), Access::Write).unwrap();
    let backup = store.start_backup().unwrap();
    backup.write(dest.clone(), no_progress).unwrap();
    assert_eq!(
        sample::read(dest, Access::Write).unwrap(),
        sample::read(source, Access::Read).unwrap()
    );
}

#[test]
fn never_into_a_directory_with_files() {
    let source = SimVfs::new();
    let session = session(&source);
    let backup = session.store.start_backup().unwrap();
    let taken = Arc::new(MemVfs::new());
    sample::put(&*taken, "holiday.jpg", b"beach");
    for dest in [taken.clone() as Arc<dyn Vfs>, Arc::new(source.clone())] {
        let refused = backup.write(dest, no_progress);
        assert!(
            matches!(refused, Err(Error::NotEmpty { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(taken.list().unwrap(), ["holiday.jpg"]);
}

#[test]
fn damage_is_not_copied_and_leaves_nothing_behind() {
    let (source, dest) = (SimVfs::new(), Arc::new(MemVfs::new()));
    let session = session(&source);
    let name = files(&source)
        .into_iter()
        .find(|name| name.starts_with("seg-"))
        .unwrap();
    let whole = sample::get(&source, &name);
    let mut damaged = whole.clone();
    damaged[4096 + 3] ^= 1;
    sample::put(&source, &name, &damaged);
    let backup = session.store.start_backup().unwrap();
    let refused = backup.write(dest.clone(), no_progress);
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
    assert_eq!(files(&*dest), [] as [&str; 0]);

    sample::put(&source, &name, &whole);
    let backup = session.store.start_backup().unwrap();
    backup.write(dest.clone(), no_progress).unwrap();
    assert_eq!(rows(dest).unwrap().len(), 9);
}

#[test]
fn stopped_on_request() {
    let (source, dest) = (SimVfs::new(), Arc::new(MemVfs::new()));
    let backup = session(&source).store.start_backup().unwrap();
    let stop = |_| Err(Error::ReadOnly);
    let stopped = backup.write(dest.clone(), stop);
    assert!(matches!(stopped, Err(Error::ReadOnly)));
    assert_eq!(files(&*dest), [] as [&str; 0]);
}

#[test]
fn a_failing_destination_is_left_empty_and_can_be_tried_again() {
    let source = SimVfs::new();
    let backup = session(&source).store.start_backup().unwrap();
    let mut failures = 0;
    for at in 0.. {
        let dest = SimVfs::new();
        dest.inject(at, Fault::Fails(ErrorKind::StorageFull));
        match backup.write(Arc::new(dest.clone()), no_progress) {
            Ok(()) if dest.op_count() <= at => break,
            Ok(()) => {}
            Err(_) => {
                failures += 1;
                assert_eq!(files(&dest), [] as [&str; 0], "operation {at}");
                backup.write(Arc::new(dest.clone()), no_progress).unwrap();
            }
        }
        assert_eq!(rows(Arc::new(dest)).unwrap().len(), 9, "operation {at}");
    }
    assert!(failures > 15, "{failures}");
}

#[test]
fn after_a_crash_it_is_whole_or_no_store() {
    let source = SimVfs::new();
    let backup = session(&source).store.start_backup().unwrap();
    let dest = SimVfs::new();
    dest.record();
    backup.write(Arc::new(dest.clone()), no_progress).unwrap();
    let (mut whole, mut nothing, mut seen) = (0, 0, std::collections::HashSet::new());
    for disk in dest.history() {
        for image in power_losses(&disk).into_iter().chain([disk]) {
            if !seen.insert(fingerprint(&image)) {
                continue;
            }
            match Store::open(Arc::new(image.clone().mount()), Access::Read) {
                Ok(_) => {
                    whole += 1;
                    assert_eq!(rows(Arc::new(image.mount())).unwrap().len(), 9);
                }
                Err(Error::NotFound { .. } | Error::Corrupt { .. } | Error::NotAStore { .. }) => {
                    nothing += 1
                }
                Err(e) => panic!("{e}"),
            }
        }
    }
    assert!(
        whole > 0 && nothing > 50,
        "{whole} whole, {nothing} nothing"
    );
    let last = dest.disk().crash(|_| false, proxime_storage::Fill::Nothing);
    assert_eq!(
        rows(Arc::new(last.mount())).unwrap().len(),
        9,
        "what was reported done is durable"
    );
}
