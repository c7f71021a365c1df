//! `why-not`: what keeps a record from being found.

use std::io::Write;

use proxime::{Presence, UnknownField, VectorSource, WhyNot};
use serde::Serialize;

use crate::args;
use crate::array::Array;
use crate::cmd::open_read_only;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};
use crate::records;

#[derive(Serialize)]
struct Told {
    found: bool,
    presence: &'static str,
    rejected_by: Vec<String>,
    unknown_fields: Vec<UnknownField>,
    distance: Option<f32>,
    rank: Option<usize>,
    too_far: bool,
    ef: Option<usize>,
}

impl From<WhyNot> for Told {
    fn from(why: WhyNot) -> Told {
        Told {
            found: why.found,
            presence: match why.presence {
                Presence::Stored => "stored",
                Presence::Deleted => "deleted",
                Presence::Unknown => "unknown",
            },
            rejected_by: why.rejected_by.iter().map(ToString::to_string).collect(),
            unknown_fields: why.unknown_fields,
            distance: why.distance,
            rank: why.rank,
            too_far: why.too_far,
            ef: why.ef,
        }
    }
}

pub(crate) fn run(args: &args::WhyNot, out: &mut impl Write) -> Result<Exit, Error> {
    let id = records::one(&args.id, args.id_type)?;
    let queries = Array::open_queries(&args.query, args.array.as_deref())?;
    let collection = open_read_only(&args.db)?.collection(&args.collection)?;
    queries.check_dim(&collection)?;
    if args.row >= queries.rows() {
        return Err(Error::NoRow {
            name: queries.name().to_owned(),
            row: args.row,
            rows: queries.rows(),
        });
    }
    let mut query = vec![0.0; queries.dim()];
    queries.read_rows(args.row, &mut query)?;
    let why = collection.why_not(&query, &id, &args.options());
    let why = why.map_err(|e| Error::from_vectors(queries.name(), args.row, e))?;
    match args.json {
        true => print::json(out, &Told::from(why))?,
        false => write_told(out, &why.into(), args.k)?,
    }
    Ok(Exit::Ok)
}

fn write_told(out: &mut impl Write, told: &Told, k: usize) -> Result<(), Error> {
    if told.found {
        writeln!(out, "it is found")?;
    }
    match told.presence {
        "deleted" => writeln!(out, "it was deleted")?,
        "unknown" => writeln!(out, "it was never stored, or deleted long ago")?,
        _ => {}
    }
    for clause in &told.rejected_by {
        writeln!(out, "this is false of it: {}", Clean(clause))?;
    }
    for unknown in &told.unknown_fields {
        writeln!(out, "{}", Clean(unknown))?;
    }
    if let (Some(rank), Some(distance)) = (told.rank, told.distance) {
        writeln!(
            out,
            "its rank is {rank}, with k {k}; its distance {distance}"
        )?;
    }
    if told.too_far {
        writeln!(out, "that is too far")?;
    }
    if let Some(ef) = told.ef {
        writeln!(out, "ef {ef} finds it, with a k of at least its rank")?;
    }
    Ok(())
}
