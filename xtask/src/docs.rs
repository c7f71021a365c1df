//! `cargo xtask docs`: the guides, and Python's docstrings, as web pages.

use std::{env, path::Path};

use anyhow::{Context, Result};

use crate::{python::Venv, shell, workspace::Workspace};

/// Builds the package as it is and writes the pages about it.
pub(crate) fn run(workspace: &Workspace, out: &Path) -> Result<()> {
    let folder = env::current_dir().context("the current folder is gone")?;
    let venv = Venv::for_docs(workspace)?;
    venv.install_package()?;
    shell::run(venv.python("docs/site.py").arg(folder.join(out)))
}
