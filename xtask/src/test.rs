//! `cargo xtask test`: every test there is. House rules, Rust, documentation examples, Python.

use std::{env, iter, process::Command};

use anyhow::Result;

use crate::{python::Venv, shell, steps::Steps, tidy, workspace::Workspace};

/// Runs all tests, one kind after another, and says how each went.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::default();
    add_steps(workspace, &mut steps);
    steps.finish()
}

/// The same, as part of a longer list.
pub(crate) fn add_steps(workspace: &Workspace, steps: &mut Steps) {
    steps.step("tidy", || tidy::run(workspace));
    steps.step("rust tests", || {
        shell::run(workspace.cargo("test --workspace --locked --no-fail-fast"))
    });
    steps.step("python tests", || {
        shell::run(workspace.cargo("build --locked --package proxime-cli"))?;
        let venv = Venv::open(workspace)?;
        venv.install_package()?;
        shell::run(venv.python("-m mypy -p proxime"))?;
        // The stub against what is there at run time.
        shell::run(
            venv.python("-m mypy.stubtest proxime._core --mypy-config-file pyproject.toml"),
        )?;
        shell::run(with_command_line(
            workspace,
            venv.python("-m pytest crates/py/tests"),
        )?)
    });
}

/// The same, and what it runs finds the command line that was built from the tree.
fn with_command_line(workspace: &Workspace, mut command: Command) -> Result<Command> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = iter::once(workspace.target.join("debug")).chain(env::split_paths(&path));
    command.env("PATH", env::join_paths(folders)?);
    Ok(command)
}
