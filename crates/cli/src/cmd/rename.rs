//! `rename`: a collection under another name.

use std::io::Write;

use serde::Serialize;

use crate::args::Rename;
use crate::cmd::open_existing;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};

#[derive(Serialize)]
struct Report<'a> {
    collection: &'a str,
}

pub(crate) fn run(args: &Rename, out: &mut impl Write) -> Result<Exit, Error> {
    let db = open_existing(&args.db)?;
    db.rename_collection(&args.name, &args.new_name)?;
    db.close()?;
    if args.json {
        let collection = &args.new_name;
        print::json(out, &Report { collection })?;
    } else {
        writeln!(
            out,
            "{} is now {}",
            Clean(&args.name),
            Clean(&args.new_name)
        )?;
    }
    Ok(Exit::Ok)
}
