//! `list`: the collections by name.

use std::io::Write;

use serde::Serialize;

use crate::args::Target;
use crate::cmd::open_read_only;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    records: usize,
    dim: usize,
    metric: String,
}

pub(crate) fn run(args: &Target, out: &mut impl Write) -> Result<Exit, Error> {
    let db = open_read_only(&args.db)?;
    for name in db.collections()? {
        if !args.json {
            writeln!(out, "{}", Clean(name))?;
            continue;
        }
        let collection = db.collection(&name)?;
        let listed = Listed {
            name: &name,
            records: collection.len()?,
            dim: collection.config().dim,
            metric: collection.config().metric.to_string(),
        };
        print::json(out, &listed)?;
    }
    Ok(Exit::Ok)
}
