//! `cargo xtask torture`: the tests that can go on for as long as there is time, and what they counted.
//!
//! Each is an ignored test whose name begins with `torture_`, and prints one line of counts. A failure says how to run that
//! case again. What they promise together is in `docs/DURABILITY.md`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{
    shell,
    workspace::{Workspace, checked},
};

/// Package, test and its share of the time.
const TESTS: [(&str, &str, f64); 5] = [
    ("proxime-storage", "log::random::torture_crash_images", 0.3),
    ("proxime", "kill::torture_kills", 0.2),
    ("proxime", "campaign::torture_damage_campaign", 0.15),
    ("proxime", "hostile::torture_hostile_stores", 0.15),
    ("proxime", "campaign::torture_every_bit", 0.2),
];

/// How often the tests of orders explore for so many seconds.
const ORDERS: f64 = 16.0;

/// Runs one after another for about so many minutes. The campaigns that have an end go on where they were stopped at this commit.
pub(crate) fn run(workspace: &Workspace, minutes: f64) -> Result<()> {
    let notes = notes(workspace)?;
    for (package, test, share) in TESTS {
        let mut command = test_command(workspace, package, test);
        let seconds = 60.0 * minutes * share;
        command.env("PROXIME_TORTURE_SECONDS", seconds.to_string());
        if let Some(notes) = &notes {
            command.env("PROXIME_TORTURE_NOTES", notes);
        }
        shell::run(command)?;
    }
    orders_of_threads(workspace, minutes)
}

/// Where it is noted how far they are; `None` if there are changes that are not committed: then they begin anew.
fn notes(workspace: &Workspace) -> Result<Option<PathBuf>> {
    let describe = shell::command("git", "describe --always --dirty", &workspace.root);
    let commit = shell::capture(describe)?.trim().to_owned();
    if commit.ends_with("dirty") {
        return Ok(None);
    }
    let notes = workspace.target.join("torture/notes").join(commit);
    fs::create_dir_all(&notes)?;
    Ok(Some(notes))
}

/// With locks that belong to a scheduler, which takes another build of everything. Its tests share a tenth of the time.
fn orders_of_threads(workspace: &Workspace, minutes: f64) -> Result<()> {
    let mut command = workspace.cargo(
        "test --locked --package proxime-storage --package proxime --test it orders -- --nocapture --test-threads 1",
    );
    command
        .env("CARGO_TARGET_DIR", workspace.target.join("shuttle"))
        .env("RUSTFLAGS", "--cfg shuttle")
        .env(
            "PROXIME_TORTURE_SECONDS",
            (60.0 * minutes * 0.1 / ORDERS).to_string(),
        );
    shell::run(command)
}

/// Optimized, for more cases in the same time.
fn test_command(workspace: &Workspace, package: &str, test: &str) -> Command {
    let mut command = workspace.cargo(&format!(
        "test --locked --release --package {package} --test it -- --exact {test} --ignored --nocapture"
    ));
    checked(&mut command).env("CARGO_TARGET_DIR", workspace.target.join("torture"));
    command
}
