//! `info`: what a database holds, in numbers.

use std::io::Write;
use std::path::Path;

use indicatif::{HumanBytes, HumanCount};
use proxime::Stats;
use serde::Serialize;

use crate::args::Target;
use crate::cmd::open_read_only;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};

/// Version of the keys below: a key may be added without a new one, never renamed or dropped.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Info<'a> {
    version: u32,
    path: &'a str,
    collections: &'a [Stats],
}

pub(crate) fn run(args: &Target, out: &mut impl Write) -> Result<Exit, Error> {
    let db = open_read_only(&args.db)?;
    let collections = db
        .collections()?
        .iter()
        .map(|name| db.collection(name)?.stats())
        .collect::<proxime::Result<Vec<_>>>()?;
    if args.json {
        let info = Info {
            version: VERSION,
            path: &args.db.to_string_lossy(),
            collections: &collections,
        };
        print::json(out, &info)?;
    } else {
        write_info(out, &args.db, &collections)?;
    }
    Ok(Exit::Ok)
}

fn write_info(out: &mut impl Write, db: &Path, collections: &[Stats]) -> std::io::Result<()> {
    let held = print::count(collections.len(), "collection");
    writeln!(out, "{}: {held}", Clean(db.display()))?;
    for stats in collections {
        let graph = &stats.graph;
        writeln!(out, "\n{}", Clean(&stats.name))?;
        writeln!(
            out,
            "  records   {} of {} components, {}, {}",
            HumanCount(stats.live as u64),
            stats.dim,
            stats.dtype,
            stats.metric
        )?;
        writeln!(
            out,
            "  on disk   {} in {}, {} replaced or deleted",
            HumanBytes(stats.bytes_on_disk),
            print::count(stats.segments, "segment"),
            print::count(stats.rows.saturating_sub(stats.live), "row"),
        )?;
        if stats.tail_rows > 0 {
            writeln!(
                out,
                "  in log    {}",
                print::count(stats.tail_rows, "record")
            )?;
        }
        if graph.graphs > 0 {
            writeln!(
                out,
                "  graph     {}, {:.1} links per node, {} unreachable",
                print::count(graph.levels, "level"),
                graph.mean_degree,
                graph.unreachable
            )?;
        }
        if stats.damaged_graphs > 0 {
            writeln!(
                out,
                "  damaged   {}; answered by exact scan",
                print::count(stats.damaged_graphs, "graph")
            )?;
        }
    }
    Ok(())
}
