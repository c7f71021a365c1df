//! `cargo xtask conformance`: the suites that other projects wrote for what plugs into them, unmodified, and tests that need
//! the packages of others, types included. Not a part of `cargo xtask test`: they pull in a lot, and change when those projects do.

use anyhow::Result;

use crate::{python::Venv, shell, workspace::Workspace};

/// Installs the pinned suites and the package, and runs `only`, files in the folder of these tests, or all.
pub(crate) fn run(workspace: &Workspace, only: &[String]) -> Result<()> {
    let venv = Venv::for_conformance(workspace)?;
    venv.install_package()?;
    // Against the types of these packages, which `cargo xtask test` has not.
    shell::run(venv.python("-m mypy -p proxime"))?;
    let mut pyright = venv.python("-m pyright --pythonpath");
    shell::run(pyright.arg(venv.interpreter()))?;
    let folder = "crates/py/conformance";
    // With the reason of every skip.
    let mut pytest = venv.python("-m pytest -rs");
    if only.is_empty() {
        pytest.arg(folder);
    }
    pytest.args(only.iter().map(|file| format!("{folder}/{file}")));
    // Guides have its commands.
    shell::run(workspace.with_command_line(pytest)?)
}
