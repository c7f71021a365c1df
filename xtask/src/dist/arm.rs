//! Trying a wheel for ARM: Debian's interpreter for it, unpacked under the target directory and run by an emulator.
//!
//! Nothing is installed, and nobody need be root: apt has lists and settings of its own here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::{attempt, emulated};
use crate::{python::Venv, shell, steps::Outcome, workspace::Workspace};

const PYTHON: &str = "python3";
/// Wheels of dependencies that need no newer C library than Debian's.
const PLATFORMS: &str = "--platform manylinux2014_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64 --only-binary :all:";

/// Installs a wheel and what it needs beside the emulated interpreter, and tries it.
pub(super) fn try_there(workspace: &Workspace, tools: &Venv<'_>, wheel: &Path) -> Result<Outcome> {
    let there = Emulated {
        workspace,
        root: workspace.target.join("dist-arm"),
    };
    if let Err(missing) = there.unpack() {
        return Ok(Outcome::Skipped(format!("{missing:#}")));
    }
    let ask = "import sys; print('{}.{}'.format(*sys.version_info))";
    let version = shell::capture(there.python()?.arg("-c").arg(ask))?;
    // Where Debian's interpreter looks for packages.
    let packages = there.root.join("usr/lib/python3/dist-packages");
    let mut install = tools.python("-m pip install --quiet --upgrade --target");
    install.arg(&packages).args(PLATFORMS.split(' '));
    shell::run(install.args(["--python-version", &version]).arg(wheel))?;
    attempt(there.python()?, workspace)?;
    Ok(Outcome::Done)
}

struct Emulated<'a> {
    workspace: &'a Workspace,
    root: PathBuf,
}

impl Emulated<'_> {
    fn python(&self) -> Result<Command> {
        let emulator = format!("qemu-aarch64 -L {}", self.root.display());
        let python = self.root.join("usr/bin").join(PYTHON);
        emulated(&emulator, &python, self.workspace)
    }

    fn unpack(&self) -> Result<()> {
        if self.root.exists() {
            return Ok(());
        }
        let lists = self.workspace.target.join("dist-apt");
        for folder in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(lists.join(folder))?;
        }
        fs::write(lists.join("state/status"), "")?;
        let settings = format!(
            "APT::Architecture \"arm64\"; APT::Architectures \"arm64\"; Dir::State \"{0}/state\"; Dir::State::status \"{0}/state/status\"; Dir::Cache \"{0}/cache\";",
            lists.display()
        );
        fs::write(lists.join("settings"), settings)?;
        let apt = |args: &str| {
            let mut apt = shell::command("apt-get", args, &lists);
            apt.env("APT_CONFIG", lists.join("settings"));
            apt
        };
        shell::run(apt("--quiet=2 update"))?;
        let plan = format!("--simulate --no-install-recommends install {PYTHON}");
        let plan = shell::capture(apt(&plan))?;
        let names = plan.lines().filter_map(|line| line.strip_prefix("Inst "));
        let names = names.filter_map(|rest| rest.split_whitespace().next());
        shell::run(apt("--quiet=2 download").args(names))?;
        // Complete or not there.
        let unfinished = lists.join("root");
        for file in fs::read_dir(&lists)? {
            let path = file?.path();
            if path.extension().is_some_and(|ending| ending == "deb") {
                let mut extract = shell::command("dpkg", "--extract", &lists);
                shell::run(extract.arg(&path).arg(&unfinished))?;
            }
        }
        fs::rename(unfinished, &self.root)?;
        Ok(())
    }
}
