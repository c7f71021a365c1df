//! cargo-deny: licences, sources, banned and doubled crates, and known advisories where their database can be fetched.
//!
//! Whatever cargo-deny is on PATH serves. Otherwise a pinned one is compiled under the target directory, without
//! optimisation: that takes a fraction of the time, and it still answers in half a second.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{
    shell,
    steps::{Outcome, Steps},
    workspace::Workspace,
};

const INSTALL: &str = "install cargo-deny --version 0.20.2 --locked --quiet --root";
/// Its own release profile is optimised to the utmost and takes minutes.
const UNOPTIMISED: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
];

/// Two steps: what can always be checked, and the advisories, whose database is fetched from the network.
pub(crate) fn add_steps(workspace: &Workspace, steps: &mut Steps) {
    let root = &workspace.root;
    let mut found = None;
    steps.step("deny", || {
        let program = found.insert(find_or_install(workspace)?);
        shell::run(shell::command(program, "check bans licenses sources", root))
    });
    steps.step("advisories", || {
        let program = found.context("there is no cargo-deny")?;
        if let Err(error) = shell::capture(shell::command(&program, "fetch db", root)) {
            println!("{error:#}");
            let why = "no advisory database within reach: NOTHING was checked against it";
            return Ok(Outcome::Skipped(why.to_owned()));
        }
        let check = "check --disable-fetch advisories";
        shell::run(shell::command(&program, check, root))?;
        Ok(Outcome::Done)
    });
}

fn find_or_install(workspace: &Workspace) -> Result<PathBuf> {
    let runs = |program: &Path| {
        shell::capture(shell::command(program, "--version", &workspace.root)).is_ok()
    };
    let on_path = PathBuf::from("cargo-deny");
    if runs(&on_path) {
        return Ok(on_path);
    }
    let tools = workspace.target.join("tools");
    let own = tools.join("bin").join("cargo-deny");
    if !runs(&own) {
        shell::run(workspace.cargo(INSTALL).arg(&tools).envs(UNOPTIMISED))?;
    }
    Ok(own)
}
