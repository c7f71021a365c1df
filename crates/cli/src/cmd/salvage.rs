//! `salvage`: what can be read of a damaged database, in a new one. What is lost is an answer, and goes to stdout.

use std::io::{self, Write};

use proxime::{Database, LostRows, SalvageReport};

use crate::args::Copy;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};

pub(crate) fn run(args: &Copy, out: &mut impl Write) -> Result<Exit, Error> {
    let Copy { source, dest, json } = args;
    let report = Database::salvage(source, dest, None)?;
    if *json {
        print::json(out, &report)?;
    } else {
        write_report(out, &report)?;
    }
    Ok(match report.complete {
        true => Exit::Ok,
        false => Exit::Damaged,
    })
}

fn write_report(out: &mut impl Write, report: &SalvageReport) -> io::Result<()> {
    for collection in &report.collections {
        let records = print::count(collection.records, "record");
        writeln!(out, "{}: {records} salvaged", Clean(&collection.name))?;
        write_rows(out, "lost", &collection.lost)?;
        write_rows(out, "without metadata", &collection.without_metadata)?;
    }
    for problem in &report.problems {
        writeln!(out, "{}", Clean(problem))?;
    }
    writeln!(
        out,
        "{}",
        if report.complete {
            "complete"
        } else {
            "incomplete"
        }
    )
}

fn write_rows(out: &mut impl Write, what: &str, runs: &[LostRows]) -> io::Result<()> {
    for run in runs {
        let rows = (run.last_row - run.first_row) as usize + 1;
        write!(
            out,
            "  {what}: {} from row {} of {} on",
            print::count(rows, "row"),
            run.first_row,
            Clean(&run.file)
        )?;
        match (run.ids.first(), run.ids.last()) {
            (Some(first), Some(last)) => {
                writeln!(out, ", ids {} to {}", Clean(first), Clean(last))?
            }
            _ => writeln!(out, ", ids unknown")?,
        }
    }
    Ok(())
}
