//! The Python side: a virtual environment under the target directory and the package installed into it as a fresh wheel.
//!
//! Nothing is installed into the user's own Python, and nothing is taken from it but the interpreter. The wheel is built
//! every time it is used: cargo makes a build without changes cheap, and a stale extension has fooled benchmarks before.

use std::{env, ffi::OsString, fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail, ensure};

use crate::{shell, workspace::Workspace};

/// What the tools and tests need from the package index.
const REQUIREMENTS: &str = include_str!("../requirements.txt");
/// The oldest minor version of Python 3 that the wheel (stable ABI) loads into.
const MINOR_MIN: u32 = 11;
/// Every name under which a usable interpreter may be found, the usual one first.
const INTERPRETERS: [&str; 6] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python",
];

/// A virtual environment that holds [`REQUIREMENTS`].
pub(crate) struct Venv<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
}

impl<'a> Venv<'a> {
    /// Opens the environment, making it anew when it is missing, unfinished or made for something else.
    pub(crate) fn open(workspace: &'a Workspace) -> Result<Self> {
        let venv = Self {
            workspace,
            folder: workspace.target.join("venv"),
        };
        let interpreter = find_interpreter(workspace)?;
        // Written last, so an environment whose making was interrupted has none.
        let stamp = venv.folder.join("made-for");
        let made_for = format!("{}\n{REQUIREMENTS}", interpreter.identity);
        if fs::read_to_string(&stamp).is_ok_and(|text| text == made_for) {
            return Ok(venv);
        }
        shell::run(
            shell::command(interpreter.program, &workspace.root)
                .args(["-m", "venv", "--clear"])
                .arg(&venv.folder),
        )
        .context("no virtual environment; on Debian and Ubuntu install the package python3-venv")?;
        shell::run(venv.python().args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "-r",
            "xtask/requirements.txt",
        ]))
        .context("the Python tools could not be installed; is the package index within reach?")?;
        fs::write(&stamp, made_for).with_context(|| format!("cannot write {}", stamp.display()))?;
        Ok(venv)
    }

    /// The environment's interpreter, in the root of the tree.
    pub(crate) fn python(&self) -> Command {
        shell::command(self.folder.join("bin").join("python"), &self.workspace.root)
    }

    /// Builds the wheel from the tree as it is, optimised, and installs it in place of any other.
    pub(crate) fn install_package(&self) -> Result<()> {
        check_c_compiler(self.workspace)?;
        let wheels = self.workspace.target.join("wheels");
        if wheels.exists() {
            fs::remove_dir_all(&wheels)
                .with_context(|| format!("cannot remove {}", wheels.display()))?;
        }
        let interpreter = self.folder.join("bin").join("python");
        let build = [
            "-m",
            "maturin",
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--manifest-path",
            "crates/py/Cargo.toml",
        ];
        shell::run(
            self.python()
                .args(build)
                .arg("--interpreter")
                .arg(interpreter)
                .arg("--out")
                .arg(&wheels),
        )?;
        let built = fs::read_dir(&wheels)
            .with_context(|| format!("maturin left no {}", wheels.display()))?;
        let built: Vec<PathBuf> = built
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        ensure!(
            built.len() == 1,
            "maturin built {} wheels, not one",
            built.len()
        );
        let install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-index",
            "--no-deps",
            "--force-reinstall",
        ];
        shell::run(self.python().args(install).args(built))
    }
}

struct Interpreter {
    program: &'static str,
    /// Path and version: an environment made with another one does not serve.
    identity: String,
}

fn find_interpreter(workspace: &Workspace) -> Result<Interpreter> {
    let ask = "import sys; print(sys.version_info.major, sys.version_info.minor, sys.executable, sys.version)";
    let mut too_old = Vec::new();
    for program in INTERPRETERS {
        let Ok(identity) =
            shell::capture(shell::command(program, &workspace.root).args(["-c", ask]))
        else {
            continue;
        };
        match version(&identity) {
            Some((3, minor)) if minor >= MINOR_MIN => return Ok(Interpreter { program, identity }),
            Some((major, minor)) => too_old.push(format!("{program} is {major}.{minor}")),
            None => {}
        }
    }
    let found = if too_old.is_empty() {
        "none was found".to_owned()
    } else {
        too_old.join(", ")
    };
    bail!(
        "Python 3.{MINOR_MIN} or newer is needed and {found}; install it (Debian and Ubuntu: python3 and python3-venv) or put it on PATH"
    )
}

/// The first two words: major and minor version.
fn version(identity: &str) -> Option<(u32, u32)> {
    let mut words = identity.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// The allocator is built from C. Without this check the complaint would come from deep inside a build script.
fn check_c_compiler(workspace: &Workspace) -> Result<()> {
    let compiler = env::var_os("CC").unwrap_or_else(|| OsString::from("cc"));
    shell::capture(shell::command(&compiler, &workspace.root).arg("--version")).with_context(
        || {
            format!(
                "a C compiler is needed and `{}` does not run; install gcc or clang, or set CC",
                compiler.display()
            )
        },
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_first_two_words() {
        assert_eq!(version("3 11 python3 3.11.7 (main)"), Some((3, 11)));
        assert_eq!(version("Python was not found"), None);
        assert_eq!(version(""), None);
    }
}
