//! `facets`: the values of a field, and how many records have each.

use std::io::Write;

use proxime::field;
use serde_json::json;

use crate::args::Facets;
use crate::cmd::{open_read_only, tell_unknown};
use crate::error::{Error, Exit};
use crate::print::{self, Clean};
use crate::typed;

pub(crate) fn run(args: &Facets, out: &mut impl Write) -> Result<Exit, Error> {
    let collection = open_read_only(&args.db)?.collection(&args.collection)?;
    let field = field(&args.field).exists();
    tell_unknown(&collection, args.filter.iter().chain([&field]))?;
    for (value, count) in collection.facets(&args.field, args.filter.as_ref())? {
        let value = typed::value_to_json(&value);
        match args.json {
            true => print::json(out, &json!({ "value": value, "count": count }))?,
            false => writeln!(out, "{count:>10}  {}", Clean(value))?,
        }
    }
    Ok(Exit::Ok)
}
