//! `alias`: another name for a collection.

use std::io::Write;

use serde::Serialize;

use crate::args::Alias;
use crate::cmd::open_existing;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};

#[derive(Serialize)]
struct Report<'a> {
    alias: &'a str,
    /// None if it was taken away.
    collection: Option<&'a str>,
}

pub(crate) fn run(args: &Alias, out: &mut impl Write) -> Result<Exit, Error> {
    let db = open_existing(&args.db)?;
    let (alias, collection) = (args.alias.as_str(), args.name.as_deref());
    match collection {
        Some(name) => db.set_alias(alias, name)?,
        None => db.drop_alias(alias)?,
    }
    db.close()?;
    if args.json {
        print::json(out, &Report { alias, collection })?;
    } else {
        let alias = Clean(alias);
        match collection {
            Some(name) => writeln!(out, "{alias} stands for {}", Clean(name))?,
            None => writeln!(out, "{alias} stands for nothing any more")?,
        }
    }
    Ok(Exit::Ok)
}
