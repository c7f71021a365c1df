//! cargo-deny: licences, sources, banned and doubled crates, and known advisories where their database can be fetched.
//!
//! Whatever cargo-deny is on PATH serves. Otherwise a pinned one is compiled under the target directory, without
//! optimisation: that takes a quarter of the time and it still answers in half a second.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{
    shell,
    steps::{Outcome, Steps},
    workspace::Workspace,
};

const VERSION: &str = "0.20.2";

/// Two steps: what can always be checked, and the advisories, whose database is fetched from the network.
pub(crate) fn add_steps(workspace: &Workspace, steps: &mut Steps) {
    let mut program = None;
    steps.step("deny", || {
        let found = program.insert(find_or_install(workspace)?);
        shell::run(
            shell::command(found, &workspace.root).args(["check", "bans", "licenses", "sources"]),
        )?;
        Ok(Outcome::Done)
    });
    steps.step("advisories", || {
        let program = program.context("there is no cargo-deny")?;
        let fetched =
            shell::capture(shell::command(&program, &workspace.root).args(["fetch", "db"]));
        if fetched.is_err() {
            return Ok(Outcome::Skipped(
                "the advisory database cannot be fetched from here: NOTHING was checked against it"
                    .to_owned(),
            ));
        }
        shell::run(shell::command(&program, &workspace.root).args([
            "check",
            "--disable-fetch",
            "advisories",
        ]))?;
        Ok(Outcome::Done)
    });
}

fn find_or_install(workspace: &Workspace) -> Result<PathBuf> {
    let on_path = PathBuf::from("cargo-deny");
    if runs(workspace, &on_path) {
        return Ok(on_path);
    }
    let tools = workspace.target.join("tools");
    let own = tools.join("bin").join("cargo-deny");
    if !runs(workspace, &own) {
        let mut install = workspace.cargo();
        install
            .args([
                "install",
                "cargo-deny",
                "--version",
                VERSION,
                "--locked",
                "--quiet",
                "--root",
            ])
            .arg(&tools);
        // Its own release profile is optimised to the utmost and takes minutes.
        for (setting, value) in [("OPT_LEVEL", "0"), ("LTO", "off"), ("CODEGEN_UNITS", "16")] {
            install.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
        }
        shell::run(&mut install)?;
    }
    Ok(own)
}

fn runs(workspace: &Workspace, program: &PathBuf) -> bool {
    shell::capture(shell::command(program, &workspace.root).arg("--version")).is_ok()
}
