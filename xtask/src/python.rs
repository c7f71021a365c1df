//! The Python side: a virtual environment under the target directory and the package installed into it as a fresh wheel.
//!
//! Nothing is installed into the user's own Python, and nothing is taken from it but the interpreter. The wheel is built
//! every time it is used: cargo makes a build without changes cheap, and a stale extension has fooled benchmarks before.

use std::{cmp::Reverse, env, ffi::OsString, fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail, ensure};

use crate::{shell, workspace::Workspace};

/// What the tools and tests need from the package index.
const TOOLS: &[&str] = &["xtask/requirements.txt"];
/// What benchmarks need: the tools, to build the wheel, and the peers.
const TOOLS_AND_PEERS: &[&str] = &["xtask/requirements.txt", "bench-compare/requirements.txt"];
/// What benchmarks of databases need: the same, and the databases, which are large.
const TOOLS_AND_DATABASES: &[&str] = &[
    "xtask/requirements.txt",
    "bench-compare/requirements.txt",
    "bench-compare/requirements-records.txt",
];
/// What the suites of others need: the tools, and the suites.
const TOOLS_AND_SUITES: &[&str] = &[
    "xtask/requirements.txt",
    "xtask/requirements-conformance.txt",
];
/// What building wheels for other machines needs.
const LINKER: &[&str] = &["xtask/requirements-dist.txt"];
/// What web pages need: the tools, and what makes pages.
const TOOLS_AND_PAGES: &[&str] = &["xtask/requirements.txt", "xtask/requirements-docs.txt"];
/// The oldest Python that the wheel (stable ABI) loads into: major and minor version.
const VERSION_MIN: (u32, u32) = (3, 11);
/// Names under which an interpreter may be found, the usual one first.
const NAMES: &str = "python3 python3.14 python3.13 python3.12 python3.11 python";

/// A virtual environment with the packages that some files of requirements name.
pub(crate) struct Venv<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
}

impl<'a> Venv<'a> {
    /// The environment of the tests and the demo.
    pub(crate) fn open(workspace: &'a Workspace) -> Result<Self> {
        Self::holding(workspace, "venv", TOOLS)
    }

    /// That of the benchmarks.
    pub(crate) fn for_benchmarks(workspace: &'a Workspace) -> Result<Self> {
        Self::holding(workspace, "venv-bench", TOOLS_AND_PEERS)
    }

    /// That of the benchmarks of databases.
    pub(crate) fn for_databases(workspace: &'a Workspace) -> Result<Self> {
        Self::holding(workspace, "venv-databases", TOOLS_AND_DATABASES)
    }

    /// That of the suites of other projects.
    pub(crate) fn for_conformance(workspace: &'a Workspace) -> Result<Self> {
        Self::holding(workspace, "venv-conformance", TOOLS_AND_SUITES)
    }

    /// That of web pages.
    pub(crate) fn for_docs(workspace: &'a Workspace) -> Result<Self> {
        Self::holding(workspace, "venv-docs", TOOLS_AND_PAGES)
    }

    /// That of wheels to be handed out.
    pub(crate) fn for_dist(workspace: &'a Workspace) -> Result<Self> {
        Self::holding(workspace, "venv-dist", LINKER)
    }

    /// New ones with nothing in them, one for each version of Python that is here and new enough, the newest first.
    pub(crate) fn new_ones(workspace: &'a Workspace, name: &str) -> Result<Vec<Self>> {
        let mut found: Vec<_> = interpreters(workspace).flatten().collect();
        found.sort_by_key(|interpreter| Reverse(interpreter.version));
        found.dedup_by(|a, b| a.version == b.version);
        let make = |interpreter: Interpreter| {
            let (major, minor) = interpreter.version;
            let folder = workspace.target.join(format!("{name}-{major}.{minor}"));
            let venv = Self { workspace, folder };
            venv.create(&interpreter).map(|()| venv)
        };
        found.into_iter().map(make).collect()
    }

    /// Opens an environment, making it anew when it is missing, unfinished or made for something else.
    fn holding(workspace: &'a Workspace, name: &str, requirements: &[&str]) -> Result<Self> {
        let folder = workspace.target.join(name);
        let venv = Self { workspace, folder };
        let mut wanted = String::new();
        for file in requirements {
            let path = workspace.root.join(file);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            wanted.push_str(&text);
        }
        let outside = find_interpreter(workspace)?;
        // Written last, so an environment whose making was interrupted has none.
        let stamp = venv.folder.join("made-for");
        let made_for = format!("{}\n{wanted}", outside.identity);
        if fs::read_to_string(&stamp).is_ok_and(|text| text == made_for) {
            return Ok(venv);
        }
        venv.create(&outside)?;
        let files = requirements.iter().flat_map(|&file| ["-r", file]);
        shell::run(venv.python("-m pip install --quiet").args(files))
            .context("no Python tools; is the package index within reach?")?;
        fs::write(&stamp, made_for).with_context(|| format!("cannot write {}", stamp.display()))?;
        Ok(venv)
    }

    /// Makes it with nothing in it, in place of any that is there.
    fn create(&self, interpreter: &Interpreter) -> Result<()> {
        let root = &self.workspace.root;
        let mut create = shell::command(interpreter.program, "-m venv --clear", root);
        shell::run(create.arg(&self.folder))
            .context("no virtual environment (Debian, Ubuntu: install python3-venv)")
    }

    /// The environment's interpreter, in the root of the tree.
    pub(crate) fn python(&self, args: &str) -> Command {
        shell::command(self.interpreter(), args, &self.workspace.root)
    }

    /// Builds the wheel from the tree as it is, optimised, and installs it in place of any other.
    pub(crate) fn install_package(&self) -> Result<()> {
        check_c_compiler(self.workspace)?;
        let wheels = self.workspace.target.join("wheels");
        if wheels.exists() {
            fs::remove_dir_all(&wheels)
                .with_context(|| format!("cannot remove {}", wheels.display()))?;
        }
        // Where the package lies, pyproject.toml in the root says.
        let mut build = self.python("-m maturin build --release --locked --quiet");
        build.arg("--interpreter").arg(self.interpreter());
        shell::run(build.arg("--out").arg(&wheels))?;

        let built = fs::read_dir(&wheels).context("maturin left no wheel")?;
        let built: Vec<PathBuf> = built.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
        ensure!(
            built.len() == 1,
            "maturin left {} wheels, not one",
            built.len()
        );
        let install = "-m pip install --quiet --no-index --no-deps --force-reinstall";
        shell::run(self.python(install).args(built))
    }

    pub(crate) fn interpreter(&self) -> PathBuf {
        self.folder.join("bin").join("python")
    }
}

struct Interpreter {
    program: &'static str,
    version: (u32, u32),
    /// Version and path: an environment made with another interpreter does not serve.
    identity: String,
}

fn find_interpreter(workspace: &Workspace) -> Result<Interpreter> {
    let mut too_old = Vec::new();
    for interpreter in interpreters(workspace) {
        match interpreter {
            Ok(found) => return Ok(found),
            Err(old) => too_old.push(old),
        }
    }
    if too_old.is_empty() {
        too_old.push("none was found".to_owned());
    }
    bail!(
        "Python {}.{} or newer is needed, and {}; install it (Debian, Ubuntu: python3 and python3-venv) or put it on PATH",
        VERSION_MIN.0,
        VERSION_MIN.1,
        too_old.join(", ")
    )
}

/// All that can be run; one that is too old as the words for it.
fn interpreters(workspace: &Workspace) -> impl Iterator<Item = Result<Interpreter, String>> {
    let ask = "import sys; print(*sys.version_info[:3], sys.executable)";
    NAMES.split(' ').filter_map(move |program| {
        let mut python = shell::command(program, "-c", &workspace.root);
        let identity = shell::capture(python.arg(ask)).ok()?;
        let version = version(&identity)?;
        Some(match version >= VERSION_MIN {
            true => Ok(Interpreter {
                program,
                version,
                identity,
            }),
            false => Err(format!("{program} is {}.{}", version.0, version.1)),
        })
    })
}

/// The first two words: major and minor version.
fn version(identity: &str) -> Option<(u32, u32)> {
    let mut words = identity.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// The allocator is built from C. Without this check the complaint would come from deep inside a build script.
fn check_c_compiler(workspace: &Workspace) -> Result<()> {
    let compiler = env::var_os("CC").unwrap_or_else(|| OsString::from("cc"));
    shell::capture(shell::command(compiler, "--version", &workspace.root))
        .context("a C compiler is needed: install gcc or clang, or set CC")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_first_two_words() {
        assert_eq!(version("3 11 7 python3"), Some((3, 11)));
        assert_eq!(version("Python was not found"), None);
        assert_eq!(version(""), None);
    }
}
