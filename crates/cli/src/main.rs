//! `proxime`: the database from a shell.
//!
//! Text in, one call, text out: results on stdout, everything else on stderr, one documented exit code. No logic of the
//! database lives here; what this crate owns is the reading of files ([`array`], [`records`]) and the writing of answers.

mod args;
mod array;
mod cmd;
mod error;
mod format;
mod print;
mod records;
mod rows;
mod typed;

use std::io::{self, BufWriter};
use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let exit = match cmd::run(&args, &mut out) {
        Ok(exit) => exit,
        Err(error) => {
            let exit = error.exit();
            if exit != error::Exit::Ok {
                print::complain(&error);
            }
            exit
        }
    };
    ExitCode::from(exit as u8)
}
