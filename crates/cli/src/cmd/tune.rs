//! `tune`: the narrowest beam that gives a recall on the caller's own queries, and whether it is fast enough.

use std::io::Write;

use serde::Serialize;

use crate::args::Tune;
use crate::cmd::measure::{Bench, HEAD, Measured};
use crate::error::{Error, Exit};
use crate::print;

/// Beams are not tried beyond this.
const EF_MAX: usize = 1 << 14;

#[derive(Serialize)]
struct Report<'a> {
    /// Every beam that was measured, narrowest first.
    tried: &'a [Measured],
    /// The one to use; none if there is none.
    ef: Option<usize>,
}

pub(crate) fn run(args: &Tune, out: &mut impl Write) -> Result<Exit, Error> {
    let of = &args.measured;
    let bench = Bench::new(of)?;
    let found = narrowest(of.k.get(), |ef| {
        Ok::<_, Error>(bench.recall(Some(ef))?.recall >= args.recall)
    })?;
    let mut efs = vec![of.k.get(), bench.default_ef()];
    efs.extend(found.map_or(vec![EF_MAX], |ef| vec![ef, 2 * ef]));
    efs.sort_unstable();
    efs.dedup();
    let mut tried = Vec::new();
    for ef in efs {
        tried.push(bench.measure(Some(ef))?);
    }
    let measured = |ef: usize| tried.iter().find(|m| m.ef == Some(ef));
    let chosen = found.and_then(measured);
    let too_slow = |m: &Measured| args.p99_us.is_some_and(|limit| m.p99_us > limit);
    let good = chosen.filter(|m| !too_slow(m));
    let report = Report {
        tried: &tried,
        ef: good.and_then(|m| m.ef),
    };
    if of.json {
        print::json(out, &report)?;
    } else {
        writeln!(out, "{HEAD}")?;
        for measured in &tried {
            writeln!(out, "{measured}")?;
        }
        writeln!(out, "{}", verdict(args, chosen, good.is_some()))?;
    }
    Ok(match good {
        Some(_) => Exit::Ok,
        None => Exit::Other,
    })
}

fn verdict(args: &Tune, chosen: Option<&Measured>, good: bool) -> String {
    let Some(Measured {
        ef: Some(ef),
        recall,
        p99_us,
        ..
    }) = chosen
    else {
        return format!(
            "no beam up to {EF_MAX} gives a recall of {}; search exactly, or store the collection with --preset high",
            args.recall
        );
    };
    match good {
        true => format!("use ef = {ef}: recall {recall:.4}, p99 {p99_us:.0} us"),
        false => format!(
            "a recall of {} takes ef = {ef}, and that {p99_us:.0} us: ask for less recall, or for more time",
            args.recall
        ),
    }
}

/// The narrowest beam from `k` on that is enough, taking wider ones to find no less.
fn narrowest<E>(k: usize, enough: impl Fn(usize) -> Result<bool, E>) -> Result<Option<usize>, E> {
    let (mut low, mut high) = (k.saturating_sub(1), k);
    while !enough(high)? {
        if high >= EF_MAX {
            return Ok(None);
        }
        (low, high) = (high, (2 * high).min(EF_MAX));
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match enough(middle)? {
            true => high = middle,
            false => low = middle,
        }
    }
    Ok(Some(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_is_found() {
        for needed in [1, 10, 11, 100, 4097, EF_MAX] {
            let found = narrowest(10, |ef| Ok::<_, ()>(ef >= needed));
            assert_eq!(found, Ok(Some(needed.max(10))));
        }
        assert_eq!(narrowest(10, |_| Ok::<_, ()>(false)), Ok(None));
        assert_eq!(narrowest(10, |_| Err(())), Err(()));
    }
}
