//! `cargo xtask ci`: what `.ci/run` calls, no more and no less. Whatever fails there fails here.

use anyhow::Result;

use crate::{
    demo, deny, neon, shell,
    steps::{Outcome, Steps},
    test,
    workspace::Workspace,
};

/// Every check, cheap ones first. An error names those that failed; a skipped one is shouted, not hidden.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::default();
    steps.step("format", || {
        shell::run(workspace.cargo("fmt --all --check"))
    });
    steps.step("clippy", || {
        let clippy = "clippy --workspace --all-targets --locked -- -D warnings";
        shell::run(workspace.cargo(clippy))
    });
    deny::add_steps(workspace, &mut steps);
    test::add_steps(workspace, &mut steps);
    steps.step("demo", || demo::run(workspace, None));
    steps.step("neon", || {
        if let Err(missing) = neon::prepare(workspace) {
            return Ok(Outcome::Skipped(format!("{missing:#}")));
        }
        neon::test(workspace)?;
        Ok(Outcome::Done)
    });
    steps.finish()
}
