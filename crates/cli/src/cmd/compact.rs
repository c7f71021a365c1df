//! `compact`: each collection in one segment.

use std::io::Write;

use indicatif::HumanBytes;
use proxime::Database;
use serde::Serialize;

use crate::args::{Compact, Target};
use crate::cmd::open_existing;
use crate::error::{Error, Exit};
use crate::print;

#[derive(Serialize)]
struct Report {
    bytes_before: u64,
    bytes_after: u64,
}

pub(crate) fn run(args: &Compact, out: &mut impl Write) -> Result<Exit, Error> {
    let Target { db, json } = &args.target;
    let db = open_existing(db)?;
    let names = match &args.collection {
        Some(name) => vec![name.clone()],
        None => db.collections()?,
    };
    let bytes_before = bytes(&db, &names)?;
    for name in &names {
        db.collection(name)?.compact(None)?;
    }
    let report = Report {
        bytes_before,
        bytes_after: bytes(&db, &names)?,
    };
    db.close()?;
    if *json {
        print::json(out, &report)?;
    } else {
        let (before, after) = (
            HumanBytes(report.bytes_before),
            HumanBytes(report.bytes_after),
        );
        writeln!(out, "{before} of segments before, {after} now")?;
    }
    Ok(Exit::Ok)
}

fn bytes(db: &Database, names: &[String]) -> Result<u64, Error> {
    let mut all = 0;
    for name in names {
        all += db.collection(name)?.stats()?.bytes_on_disk;
    }
    Ok(all)
}
