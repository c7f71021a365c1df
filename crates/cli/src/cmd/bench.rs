//! `bench`: what the caller's own queries get from the caller's own collection, at several settings.

use std::io::Write;

use indicatif::HumanCount;

use crate::args::Bench;
use crate::cmd::measure::{self, HEAD};
use crate::error::{Error, Exit};
use crate::print;

/// Beams of this many times `k`, unless some are asked for.
const TIMES_K: [usize; 6] = [1, 2, 4, 8, 16, 32];

pub(crate) fn run(args: &Bench, out: &mut impl Write) -> Result<Exit, Error> {
    let of = &args.measured;
    let bench = measure::Bench::new(of)?;
    let mut settings: Vec<Option<usize>> = match &args.ef[..] {
        [] => TIMES_K.map(|times| Some(times * of.k.get())).to_vec(),
        asked => asked.iter().map(|ef| Some(ef.get())).collect(),
    };
    settings.push(None);
    if !of.json {
        writeln!(
            out,
            "{} queries of {}, k = {}",
            HumanCount(bench.queries() as u64),
            print::count(bench.records()?, "record"),
            of.k
        )?;
        writeln!(out, "{HEAD}")?;
    }
    for ef in settings {
        let measured = bench.measure(ef)?;
        match of.json {
            true => print::json(out, &measured)?,
            false => writeln!(out, "{measured}")?,
        }
        // A setting may take a while: what is known is shown.
        out.flush()?;
    }
    Ok(Exit::Ok)
}
