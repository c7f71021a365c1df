//! `update`: new vectors or new metadata for records that are there, in one commit.

use std::io::Write;

use proxime::{Update as Change, VectorSource};
use serde::Serialize;

use crate::args::Update;
use crate::array::Array;
use crate::cmd::open_existing;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};
use crate::records;

#[derive(Serialize)]
struct Report<'a> {
    collection: &'a str,
    updated: usize,
}

pub(crate) fn run(args: &Update, out: &mut impl Write) -> Result<Exit, Error> {
    let ids = records::wanted(&args.ids)?;
    let updated = ids.len();
    let open = |file| Array::open(file, args.array.as_deref());
    let vectors = args.vectors.as_deref().map(open).transpose()?;
    if let (Some(vectors), Some(file)) = (&vectors, &args.vectors)
        && vectors.rows() != updated
    {
        return Err(Error::one_per_row(file, "vectors", vectors.rows(), updated));
    }
    let mut change = Change::new(ids);
    if let Some(vectors) = &vectors {
        change = change.vectors(vectors);
    }
    if let Some(file) = &args.metadata {
        change = change.metadata(records::metadata(file, updated)?);
    }
    let db = open_existing(&args.db)?;
    let changed = db.collection(&args.collection)?.update(change);
    changed.map_err(|e| match &vectors {
        Some(vectors) => Error::from_vectors(vectors.name(), 0, e),
        None => e.into(),
    })?;
    db.close()?;
    let report = Report {
        collection: &args.collection,
        updated,
    };
    if args.json {
        print::json(out, &report)?;
    } else {
        let records = print::count(updated, "record");
        writeln!(out, "{}: {records} updated", Clean(report.collection))?;
    }
    Ok(Exit::Ok)
}
