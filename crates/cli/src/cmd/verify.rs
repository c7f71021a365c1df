//! `verify`: reads everything again and says what is wrong. Damage is an answer, not a failure: it goes to stdout.

use std::io::{self, Write};

use proxime::{CollectionReport, Database, ErrorKind, VerifyReport};
use serde::Serialize;

use crate::args::{Target, Verify};
use crate::cmd::open_read_only;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};

/// The report on a store too damaged to be opened: the same keys as [`VerifyReport`].
#[derive(Serialize)]
struct Unopened {
    ok: bool,
    manifest: Option<u64>,
    problems: [String; 1],
    collections: [CollectionReport; 0],
}

pub(crate) fn run(args: &Verify, out: &mut impl Write) -> Result<Exit, Error> {
    let Target { db, json } = &args.target;
    let verify = |db: Database| match args.deep {
        true => db.verify_deep(),
        false => db.verify(),
    };
    let ok = match open_read_only(db).and_then(verify) {
        Ok(report) => {
            if *json {
                print::json(out, &report)?;
            } else {
                write_report(out, &report)?;
            }
            report.ok
        }
        Err(e) if e.kind() == ErrorKind::Damaged => {
            write_unopened(out, e.to_string(), *json)?;
            false
        }
        Err(e) => return Err(e.into()),
    };
    Ok(if ok { Exit::Ok } else { Exit::Damaged })
}

fn write_report(out: &mut impl Write, report: &VerifyReport) -> io::Result<()> {
    for collection in &report.collections {
        writeln!(
            out,
            "{}: {} in {}, {} unreachable",
            Clean(&collection.name),
            print::count(collection.live, "record"),
            print::count(collection.segments - collection.unusable, "segment"),
            collection.unreachable
        )?;
        if collection.unusable > 0 {
            writeln!(
                out,
                "  not counted: {} in {} that cannot be read",
                print::count(collection.unusable_rows, "row"),
                print::count(collection.unusable, "segment")
            )?;
        }
        if let Some(deep) = &collection.deep {
            write!(out, "  {} compared", print::count(deep.codes, "code"))?;
            if let Some(recall) = deep.recall {
                let queries = print::count(deep.queries, "stored vector");
                write!(out, "; recall@10 {recall:.3} for {queries}")?;
            }
            writeln!(out)?;
        }
        for problem in &collection.problems {
            writeln!(out, "  {}", Clean(problem))?;
        }
    }
    for problem in &report.problems {
        writeln!(out, "{}", Clean(problem))?;
    }
    writeln!(out, "{}", if report.ok { "ok" } else { "damaged" })
}

fn write_unopened(out: &mut impl Write, problem: String, json: bool) -> io::Result<()> {
    if json {
        let report = Unopened {
            ok: false,
            manifest: None,
            problems: [problem],
            collections: [],
        };
        return print::json(out, &report);
    }
    writeln!(out, "{}\ndamaged", Clean(problem))
}
