//! `list`: the collections by name, each with its aliases.

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
    aliases: Vec<&'a str>,
}

pub(crate) fn run(args: &Target, out: &mut impl Write) -> Result<Exit, Error> {
    let db = open_read_only(&args.db)?;
    let all = db.aliases()?;
    for name in db.collections()? {
        let own = all.iter().filter(|(_, of)| *of == name);
        let aliases: Vec<&str> = own.map(|(alias, _)| alias.as_str()).collect();
        if !args.json {
            write!(out, "{}", Clean(&name))?;
            for alias in aliases {
                write!(out, "  {}", Clean(alias))?;
            }
            writeln!(out)?;
            continue;
        }
        let collection = db.collection(&name)?;
        let listed = Listed {
            name: &name,
            records: collection.len()?,
            dim: collection.config().dim,
            metric: collection.config().metric.to_string(),
            aliases,
        };
        print::json(out, &listed)?;
    }
    Ok(Exit::Ok)
}
