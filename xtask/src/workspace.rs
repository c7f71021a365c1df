//! Where things are: the root of the tree, the target directory, the members and what they depend on.
//!
//! `cargo metadata` is asked, so a target directory moved by the environment or by a configuration file is found.

use std::{
    env,
    ffi::OsString,
    iter,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::shell;

/// The workspace this program was built from.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where builds go; everything that this program installs goes there too.
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// A member of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One edge out of a member, whether for building, testing or running.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Set when the other end is in this workspace.
    pub(crate) path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

impl Workspace {
    /// Asks cargo about the workspace that this package is in.
    pub(crate) fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let ask = "metadata --no-deps --format-version 1 --offline";
        let json = shell::capture(cargo(ask, here))?;
        let metadata: Metadata =
            serde_json::from_str(&json).context("`cargo metadata` does not speak format 1")?;
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
            packages: metadata.packages,
        })
    }

    /// Builds the command line, and lets `command` and all that it runs find it.
    pub(crate) fn with_command_line(&self, mut command: Command) -> Result<Command> {
        shell::run(self.cargo("build --locked --package proxime-cli"))?;
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = iter::once(self.target.join("debug")).chain(env::split_paths(&path));
        command.env("PATH", env::join_paths(folders)?);
        Ok(command)
    }

    /// The cargo that runs us, in the root of the tree.
    pub(crate) fn cargo(&self, args: &str) -> Command {
        cargo(args, &self.root)
    }

    /// The short git revision, with a mark when the tree differs from it; `None` outside a git checkout.
    pub(crate) fn revision(&self) -> Option<String> {
        // An export unpacked inside somebody else's repository must not borrow that one's revision.
        if !self.root.join(".git").exists() {
            return None;
        }
        let describe = "describe --always --dirty --abbrev=10 --exclude=*";
        shell::capture(shell::command("git", describe, &self.root)).ok()
    }
}

/// Has cargo's release builds made without what only makes them smaller, but with what the debug profile checks.
pub(crate) fn checked(command: &mut Command) -> &mut Command {
    command
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
        .env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true")
}

fn cargo(args: &str, folder: &Path) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    shell::command(program, args, folder)
}
