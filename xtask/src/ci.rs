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
    steps.step("format", || cargo(workspace, &["fmt", "--all", "--check"]));
    steps.step("clippy", || {
        cargo(
            workspace,
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ],
        )
    });
    deny::add_steps(workspace, &mut steps);
    test::add_steps(workspace, &mut steps);
    steps.step("demo", || {
        demo::run(workspace, None).map(|()| Outcome::Done)
    });
    steps.step("neon", || match neon::prepare(workspace) {
        Ok(()) => neon::test(workspace).map(|()| Outcome::Done),
        Err(missing) => Ok(Outcome::Skipped(format!("{missing:#}"))),
    });
    steps.finish()
}

fn cargo(workspace: &Workspace, args: &[&str]) -> Result<Outcome> {
    shell::run(workspace.cargo().args(args))?;
    Ok(Outcome::Done)
}
