//! `cargo xtask torture`: the tests that can go on for as long as there is time, and what they counted.
//!
//! Each is an ignored test whose name begins with `torture_`, and prints one line of counts. A failure says how to run that
//! case again. What they promise together is in `docs/DURABILITY.md`.

use anyhow::Result;

use crate::{shell, workspace::Workspace};

/// Package, test and its share of the time; none for one that goes through all it has.
const TESTS: [(&str, &str, Option<f64>); 4] = [
    (
        "proxime-storage",
        "log::random::torture_crash_images",
        Some(0.4),
    ),
    ("proxime", "kill::torture_kills", Some(0.3)),
    ("proxime", "campaign::torture_damage_campaign", Some(0.3)),
    ("proxime", "campaign::torture_every_bit", None),
];

/// Runs one after another for about so many minutes, and then looks at every bit, which takes some more.
pub(crate) fn run(workspace: &Workspace, minutes: f64) -> Result<()> {
    for (package, test, share) in TESTS {
        let line = format!(
            "test --locked --package {package} --test it -- --exact {test} --ignored --nocapture"
        );
        let mut command = workspace.cargo(&line);
        if let Some(share) = share {
            command.env(
                "PROXIME_TORTURE_SECONDS",
                (60.0 * minutes * share).to_string(),
            );
        }
        shell::run(command)?;
    }
    Ok(())
}
