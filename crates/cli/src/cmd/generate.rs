//! `completions` and `man`: made from the definition of the arguments, so they cannot be out of date.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::error::{Error, Exit};

pub(crate) fn completions(shell: Shell, out: &mut impl Write) -> Result<Exit, Error> {
    clap_complete::generate(shell, &mut Args::command(), "proxime", out);
    Ok(Exit::Ok)
}

pub(crate) fn man(dir: &Path, out: &mut impl Write) -> Result<Exit, Error> {
    if !dir.is_dir() {
        return Err(Error::NotADirectory {
            dir: dir.to_owned(),
        });
    }
    clap_mangen::generate_to(Args::command(), dir).map_err(|source| Error::Write {
        file: dir.to_owned(),
        source,
    })?;
    writeln!(out, "manual pages are in {}", dir.display())?;
    Ok(Exit::Ok)
}
