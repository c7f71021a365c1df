//! `repair`: what can be computed again is, where it is damaged.

use std::io::Write;

use crate::args::{Repair, Target};
use crate::cmd::open_existing;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};

pub(crate) fn run(args: &Repair, out: &mut impl Write) -> Result<Exit, Error> {
    let Target { db, json } = &args.target;
    let report = open_existing(db)?.rebuild_index(None)?;
    if *json {
        print::json(out, &report)?;
        return Ok(Exit::Ok);
    }
    for rebuilt in &report.rebuilt {
        writeln!(
            out,
            "{}: {} indexed again in place of {}, because: {}",
            Clean(&rebuilt.collection),
            print::count(rebuilt.rows, "row"),
            Clean(&rebuilt.file),
            Clean(&rebuilt.problem)
        )?;
    }
    if report.rebuilt.is_empty() {
        writeln!(out, "every index is sound; nothing was changed")?;
    }
    Ok(Exit::Ok)
}
