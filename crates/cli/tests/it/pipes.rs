//! A reader that goes away early is no failure: `proxime search ... | head` ends quietly.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::support::{Desk, npy_f32, points};

#[test]
fn a_closed_pipe_ends_quietly() {
    let desk = Desk::new();
    desk.write("x.npy", npy_f32(&points(3_000, 4)));
    desk.run("import db x.npy --json").json();
    for json in [&["--json"][..], &[]] {
        let args = [&["search", "db", "--query", "x.npy", "-k", "100"], json].concat();
        let mut child = desk
            .command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        assert!(!first.is_empty());
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(
            (child.wait().unwrap().code(), said),
            (Some(0), String::new())
        );
    }
}
