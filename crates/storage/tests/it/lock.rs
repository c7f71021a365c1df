//! One writer at a time, in this process and among all; the second learns who the first is, at once.

use std::process::{Command, Stdio};
use std::sync::Arc;

use proxime_storage::{Access, Durability, Error, MemVfs, OsVfs, Store, Vfs};

use crate::sample;

fn assert_locked_by(result: Result<(Store, Vec<proxime_storage::Segment>), Error>, owner: u32) {
    let error = result.unwrap_err();
    assert!(
        matches!(error, Error::Locked { pid: Some(pid), host: Some(_), .. } if pid == owner),
        "{error}"
    );
    assert!(error.to_string().contains(&owner.to_string()), "{error}");
}

#[test]
fn second_writer_in_this_process() {
    let dir = tempfile::tempdir().unwrap();
    let os = || -> Arc<dyn Vfs> { Arc::new(OsVfs::create(dir.path().join("store")).unwrap()) };
    let memory = MemVfs::new();
    for vfs in [&os as &dyn Fn() -> Arc<dyn Vfs>, &|| {
        Arc::new(memory.clone())
    }] {
        let first = Store::open(vfs(), Access::Create).unwrap();
        assert_locked_by(Store::open(vfs(), Access::Write), std::process::id());
        Store::open(vfs(), Access::Read).unwrap();
        drop(first);
        Store::open(vfs(), Access::Write).unwrap();
    }
}

/// Whoever has the log can write, even without the store.
#[test]
fn the_log_keeps_the_lock_until_it_is_closed() {
    let memory = MemVfs::new();
    let vfs = || -> Arc<dyn Vfs> { Arc::new(memory.clone()) };
    let open = || {
        let (mut store, _) = Store::open(vfs(), Access::Create).unwrap();
        let (log, _) = store
            .recover(Durability::Always, |_| Ok::<_, Error>(()))
            .unwrap();
        (store, log)
    };
    let (store, log) = open();
    drop(store);
    log.append(1, 1, &[]).unwrap();
    assert_locked_by(Store::open(vfs(), Access::Write), std::process::id());
    drop(log);
    let (store, log) = open();
    store.close().unwrap();
    Store::open(vfs(), Access::Write).unwrap();
    log.append(1, 1, &[]).unwrap_err();
}

#[test]
fn second_writer_in_another_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    sample::create(Arc::new(OsVfs::create(&path).unwrap())).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "lock::child_holds_the_lock",
            "--ignored",
            "--nocapture",
        ])
        .env("PROXIME_TEST_STORE", &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&mut child, "holding");
    assert_locked_by(
        Store::open(Arc::new(OsVfs::open(&path).unwrap()), Access::Write),
        child.id(),
    );
    // A reader is not kept out, and a killed writer keeps nobody out.
    assert_eq!(
        sample::read(Arc::new(OsVfs::open(&path).unwrap()), Access::Read)
            .unwrap()
            .collections
            .len(),
        2
    );
    child.kill().unwrap();
    child.wait().unwrap();
    Store::open(Arc::new(OsVfs::open(&path).unwrap()), Access::Write).unwrap();
}

fn wait_for(child: &mut std::process::Child, word: &str) {
    use std::io::{BufRead, BufReader};
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains(word)));
}

/// The other process; does nothing unless started by the test above.
#[test]
#[ignore = "started by second_writer_in_another_process"]
fn child_holds_the_lock() {
    let Ok(path) = std::env::var("PROXIME_TEST_STORE") else {
        return;
    };
    let _store = Store::open(Arc::new(OsVfs::open(path).unwrap()), Access::Write).unwrap();
    println!("holding");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}
