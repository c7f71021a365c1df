//! `cargo xtask demo`: builds the package, then runs `demo.py`, which does the main job on real data and prints a table.

use std::{env, path::Path};

use anyhow::{Context, Result, ensure};

use crate::{python::Venv, shell, workspace::Workspace};

/// Runs the demo on the bundled images, or on `data`. An error when recall is too low.
pub(crate) fn run(workspace: &Workspace, data: Option<&Path>) -> Result<()> {
    // The demo runs in the root of the tree; a path typed elsewhere means what it meant there.
    let folder = env::current_dir().context("the current folder is gone")?;
    let data = data.map(|path| folder.join(path));
    if let Some(data) = &data {
        ensure!(data.is_file(), "there is no file {}", data.display());
    }
    let venv = Venv::open(workspace)?;
    venv.install_package()?;
    let revision = workspace
        .revision()
        .unwrap_or_else(|| "no git checkout".to_owned());
    let mut demo = venv.python("xtask/demo.py --revision");
    demo.arg(revision);
    if let Some(data) = data {
        demo.arg("--data").arg(data);
    }
    shell::run(&mut demo)
}
