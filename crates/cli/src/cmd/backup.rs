//! `backup` and `restore`: a database copied while it is in use, and a copy copied back.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use proxime::{Database, Progress, Stage};
use serde::Serialize;

use crate::args::Copy;
use crate::cmd::open_read_only;
use crate::error::{Error, Exit};
use crate::print::{self, Clean};

#[derive(Serialize)]
struct Report<'a> {
    dest: &'a str,
    /// Of segment files.
    bytes: u64,
}

pub(crate) fn back_up(args: &Copy, out: &mut impl Write) -> Result<Exit, Error> {
    run(args, out, |source, dest, progress| {
        open_read_only(source)?.backup(dest, Some(progress))
    })
}

pub(crate) fn restore(args: &Copy, out: &mut impl Write) -> Result<Exit, Error> {
    run(args, out, |source, dest, progress| {
        Database::restore(source, dest, Some(progress))
    })
}

/// Copies with a bar on stderr, hidden when that is not a terminal.
fn run(
    args: &Copy,
    out: &mut impl Write,
    copy: impl FnOnce(&Path, &Path, Progress<'_>) -> proxime::Result<()>,
) -> Result<Exit, Error> {
    let template = "copy [{bar:32}] {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    let bar = ProgressBar::new(0).with_style(style);
    let show = |_: Stage, done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        ControlFlow::Continue(())
    };
    let copied = copy(&args.source, &args.dest, &show);
    bar.finish_and_clear();
    copied?;
    let bytes = bar.position();
    if args.json {
        let dest = &args.dest.to_string_lossy();
        print::json(out, &Report { dest, bytes })?;
    } else {
        writeln!(
            out,
            "{} of segments copied to {}",
            HumanBytes(bytes),
            Clean(args.dest.display())
        )?;
    }
    Ok(Exit::Ok)
}
