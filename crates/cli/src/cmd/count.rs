//! `count`: how many records there are, or how many a filter is true of.

use std::io::Write;

use serde::Serialize;

use crate::args::Count;
use crate::cmd::{open_read_only, tell_unknown};
use crate::error::{Error, Exit};
use crate::print;

#[derive(Serialize)]
struct Counted<'a> {
    collection: &'a str,
    count: usize,
}

pub(crate) fn run(args: &Count, out: &mut impl Write) -> Result<Exit, Error> {
    let collection = open_read_only(&args.db)?.collection(&args.collection)?;
    tell_unknown(&collection, &args.filter)?;
    let count = match &args.filter {
        None => collection.len()?,
        Some(filter) => collection.count(filter)?,
    };
    if args.json {
        let counted = Counted {
            collection: &args.collection,
            count,
        };
        print::json(out, &counted)?;
    } else {
        writeln!(out, "{count}")?;
    }
    Ok(Exit::Ok)
}
