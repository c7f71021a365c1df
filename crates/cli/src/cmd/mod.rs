//! The verbs, one file each. Each takes its options and a writer, and says how the process ends.

mod alias;
mod backup;
mod bench;
mod compact;
mod count;
mod delete;
mod doctor;
mod drop;
mod export;
mod facets;
mod generate;
mod get;
mod import;
mod info;
mod list;
mod measure;
mod rename;
mod repair;
mod salvage;
mod scroll;
mod search;
mod tune;
mod update;
mod verify;
mod why_not;

use std::io::Write;
use std::path::Path;

use proxime::{Collection, Database, Filter, Level, OpenOptions, Verify};

use crate::args::{Args, Verb};
use crate::error::{Error, Exit};
use crate::print;

/// Runs the verb; everything it printed has left the buffer when this returns `Ok`.
pub(crate) fn run(args: &Args, out: &mut impl Write) -> Result<Exit, Error> {
    Level::from_env()?;
    let exit = match &args.verb {
        Verb::Import(import) => import::run(import, out),
        Verb::Export(export) => export::run(export, out),
        Verb::Search(search) => search::run(search, out),
        Verb::WhyNot(why_not) => why_not::run(why_not, out),
        Verb::Get(get) => get::run(get, out),
        Verb::Scroll(scroll) => scroll::run(scroll, out),
        Verb::Facets(facets) => facets::run(facets, out),
        Verb::Update(update) => update::run(update, out),
        Verb::Delete(delete) => delete::run(delete, out),
        Verb::Compact(compact) => compact::run(compact, out),
        Verb::Count(count) => count::run(count, out),
        Verb::List(target) => list::run(target, out),
        Verb::Rename(rename) => rename::run(rename, out),
        Verb::Alias(alias) => alias::run(alias, out),
        Verb::Drop(drop) => drop::run(drop, out),
        Verb::Info(target) => info::run(target, out),
        Verb::Verify(verify) => verify::run(verify, out),
        Verb::Repair(repair) => repair::run(repair, out),
        Verb::Salvage(salvage) => salvage::run(salvage, out),
        Verb::Backup(copy) => backup::back_up(copy, out),
        Verb::Restore(copy) => backup::restore(copy, out),
        Verb::Bench(bench) => bench::run(bench, out),
        Verb::Tune(tune) => tune::run(tune, out),
        Verb::Doctor(doctor) => doctor::run(doctor, out),
        Verb::Completions { shell } => generate::completions(*shell, out),
        Verb::Man { dir } => generate::man(dir, out),
    }?;
    out.flush()?;
    Ok(exit)
}

/// Says which fields of what was asked for no record has: so nothing may be found, or everything.
fn tell_unknown<'a>(
    collection: &Collection,
    filters: impl IntoIterator<Item = &'a Filter>,
) -> Result<(), Error> {
    for unknown in collection.unknown_fields(filters)? {
        print::note(&unknown);
    }
    Ok(())
}

/// Opens for changing what is there: nothing is created.
fn open_existing(path: &Path) -> proxime::Result<Database> {
    Database::open_with(
        path,
        &OpenOptions {
            create: false,
            ..OpenOptions::default()
        },
    )
}

/// Opens for looking: no lock, nothing is created, and nothing is read that is not looked at.
fn open_read_only(path: &Path) -> proxime::Result<Database> {
    Database::open_with(
        path,
        &OpenOptions {
            read_only: true,
            create: false,
            verify: Verify::Lazy,
            ..OpenOptions::default()
        },
    )
}
