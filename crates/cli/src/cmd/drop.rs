//! `drop`: a collection and all its records gone, if that is really meant.

use std::io::Write;

use serde::Serialize;

use crate::args::Drop;
use crate::cmd::open_existing;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};

#[derive(Serialize)]
struct Report<'a> {
    collection: &'a str,
    records: usize,
}

pub(crate) fn run(args: &Drop, out: &mut impl Write) -> Result<Exit, Error> {
    let db = open_existing(&args.db)?;
    let collection = db.collection(&args.name)?;
    if collection.name() != args.name {
        return Err(Error::DropAlias {
            alias: args.name.clone(),
            collection: collection.name().to_owned(),
        });
    }
    let report = Report {
        collection: &args.name,
        records: collection.len()?,
    };
    if !args.yes {
        return Err(Error::Unconfirmed {
            collection: args.name.clone(),
            records: report.records,
        });
    }
    db.drop_collection(&args.name)?;
    db.close()?;
    if args.json {
        print::json(out, &report)?;
    } else {
        let records = print::count(report.records, "record");
        writeln!(out, "{}: dropped, {records}", Clean(report.collection))?;
    }
    Ok(Exit::Ok)
}
