//! `get`: records by id, in the order in which they were asked for.

use std::io::{self, Write};

use proxime::{Record, metadata_to_json};

use crate::args::Get;
use crate::cmd::open_read_only;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};
use crate::{records, typed};

/// Components that a person is shown.
const SHOWN_MAX: usize = 6;

pub(crate) fn run(args: &Get, out: &mut impl Write) -> Result<Exit, Error> {
    let ids = records::wanted(&args.ids)?;
    let collection = open_read_only(&args.db)?.collection(&args.collection)?;
    let mut exit = Exit::Ok;
    for id in &ids {
        match collection.get(id)? {
            Some(record) => show(out, &record, args.json)?,
            None => {
                print::complain(&format_args!("there is no record {id}"));
                exit = Exit::NotFound;
            }
        }
    }
    Ok(exit)
}

pub(crate) fn show(out: &mut impl Write, record: &Record, json: bool) -> io::Result<()> {
    if json {
        return print::json(out, &typed::record_to_json(record));
    }
    write!(out, "{}  [", Clean(&record.id))?;
    for (i, x) in record.vector.iter().take(SHOWN_MAX).enumerate() {
        write!(out, "{}{x}", if i == 0 { "" } else { ", " })?;
    }
    if record.vector.len() > SHOWN_MAX {
        write!(out, ", ... {} in all", record.vector.len())?;
    }
    writeln!(out, "]  {}", Clean(metadata_to_json(&record.metadata)))
}
