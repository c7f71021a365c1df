//! `delete`: records taken out by id or by filter, all in one commit.

use std::io::Write;

use serde::Serialize;

use crate::args::Delete;
use crate::cmd::{open_existing, tell_unknown};
use crate::error::{Error, Exit};
use crate::print::{self, Clean};
use crate::records;

#[derive(Serialize)]
struct Report<'a> {
    collection: &'a str,
    deleted: usize,
    records: usize,
}

pub(crate) fn run(args: &Delete, out: &mut impl Write) -> Result<Exit, Error> {
    let ids = records::wanted(&args.ids)?;
    let db = open_existing(&args.db)?;
    let collection = db.collection(&args.collection)?;
    tell_unknown(&collection, &args.filter)?;
    let deleted = match &args.filter {
        Some(filter) => collection.delete_where(filter)?,
        None => collection.delete(&ids)?,
    };
    let report = Report {
        collection: collection.name(),
        deleted,
        records: collection.len()?,
    };
    db.close()?;
    if args.json {
        print::json(out, &report)?;
    } else {
        writeln!(
            out,
            "{}: {} deleted, {} left",
            Clean(report.collection),
            print::count(report.deleted, "record"),
            print::count(report.records, "record")
        )?;
    }
    Ok(Exit::Ok)
}
