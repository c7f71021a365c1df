//! `cargo xtask dist`: the wheels that are handed out, in `target/dist`, each looked at and, where it can be, tried.
//!
//! For each processor one for every CPython from 3.11 on, by the stable ABI; one for the free-threaded 3.14, which has none; and one for
//! every free-threaded CPython from 3.15 on. They are linked against so old a C library (glibc 2.17) that any Linux in use has a
//! newer one; zig brings the old one along, and the other processor's. No processor beyond the baseline is assumed: kernels are
//! chosen at run time.
//!
//! The wheels of the stable ABI are tried as a new user would, away from the tree: with every interpreter of this machine, with the
//! oldest NumPy that is allowed, on an emulated processor without AVX, and on an emulated one of the other kind. Free-threaded
//! interpreters are on few machines and come from no package index: where there is none, their wheels are built and looked at only.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{python::Venv, shell, steps::Steps, workspace::Workspace};

mod arm;

const PROCESSORS: [&str; 2] = ["x86_64", "aarch64"];
/// Interpreters by name and what else is said to cargo for them. Maturin knows what it needs of them: none has to be there.
const INTERPRETERS: [(&str, &str); 3] = [
    ("python3.11", ""),
    ("python3.14t", ""),
    ("python3.15t", "--features pyo3/abi3t-py315"),
];
const PLATFORM: &str = "manylinux_2_17";
/// In the names of wheels for every CPython that is not free-threaded.
const STABLE: &str = "-abi3-";
/// The lower bound in `pyproject.toml`.
const OLDEST_NUMPY: &str = "numpy==1.26.0";
/// x86-64 as of 2008, which NumPy wants: the wheel itself takes any. AVX2, which fast kernels want, came five years later.
const OLD_PROCESSOR: &str = "qemu-x86_64 -cpu Nehalem";
/// A batch in, a query, and what is stored found again: what any wheel must be able to do.
const TRY: &str = "
import sys, tempfile, numpy, proxime
rows = numpy.random.default_rng(0).random((2000, 64), dtype='f4')
with tempfile.TemporaryDirectory() as folder:
    with proxime.open(folder + '/store') as store:
        store.create_collection('rows', dim=64).upsert(range(2000), rows, zero_copy='require')
    with proxime.open(folder + '/store') as store:
        ids, _ = store.collection('rows').search(rows[:50], k=1)
assert ids.ravel().tolist() == list(range(50)), ids
print('Python', sys.version.split()[0], 'NumPy', numpy.__version__, 'proxime', proxime.__version__)
";

/// Builds all wheels, looks at them, and tries those that can be.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let folder = workspace.target.join("dist");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let tools = Venv::for_dist(workspace)?;
    for processor in PROCESSORS {
        build(workspace, &tools, processor, &folder)?;
    }
    let wheels = list(&folder)?;
    let stable = |processor: &str| {
        let ends = format!("{PLATFORM}_{processor}.whl");
        let is_stable = |name: &str| name.contains(STABLE) && name.ends_with(&ends);
        let mut found = wheels.iter().filter(|wheel| is_stable(&named(wheel)));
        found.next().with_context(|| format!("no {ends}"))
    };
    let (here, there) = (stable(PROCESSORS[0])?, stable(PROCESSORS[1])?);
    let tried = Venv::new_ones(workspace, "dist-try")?;
    let oldest = tried.last().context("no interpreter")?;
    let mut steps = Steps::default();
    steps.step("contents", || look(&tools, &wheels));
    steps.step("this machine", || {
        tried.iter().try_for_each(|venv| {
            shell::run(venv.python("-m pip install --quiet").arg(here))?;
            attempt(venv.python(""), workspace)
        })
    });
    steps.step("no AVX", || {
        let python = emulated(OLD_PROCESSOR, &oldest.interpreter(), workspace)?;
        attempt(python, workspace)
    });
    steps.step("old NumPy", || {
        shell::run(oldest.python("-m pip install --quiet").arg(OLDEST_NUMPY))?;
        attempt(oldest.python(""), workspace)
    });
    steps.step("aarch64", || arm::try_there(workspace, &tools, there));
    steps.finish()
}

fn build(workspace: &Workspace, tools: &Venv<'_>, processor: &str, folder: &Path) -> Result<()> {
    let target = format!("{processor}-unknown-linux-gnu");
    let add = format!("target add {target}");
    shell::run(shell::command("rustup", &add, &workspace.root))?;
    for (interpreter, more) in INTERPRETERS {
        let build = format!(
            "-m maturin build --release --locked --strip --zig --compatibility {PLATFORM} --target {target} --interpreter {interpreter} {more}"
        );
        let mut build = tools.python(&build);
        // Whose package zig is; otherwise the first Python on the path is asked.
        build.env("CARGO_ZIGBUILD_PYTHON_PATH", tools.interpreter());
        // Lines of the source would be stripped after all, but compiled and linked first.
        build.env("CARGO_PROFILE_RELEASE_DEBUG", "none");
        shell::run(build.arg("--out").arg(folder))?;
    }
    Ok(())
}

/// The wheels in a folder; all that were to be built.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut wheels = Vec::new();
    for file in fs::read_dir(folder).context("maturin left no wheels")? {
        wheels.push(file?.path());
    }
    wheels.sort();
    let expected = PROCESSORS.len() * INTERPRETERS.len();
    ensure!(
        wheels.len() == expected,
        "not {expected} wheels: {wheels:?}"
    );
    Ok(wheels)
}

fn named(wheel: &Path) -> String {
    wheel.file_name().unwrap_or_default().display().to_string()
}

/// What the wheels ask of the C library, and whether those of the stable ABI use nothing else.
fn look(tools: &Venv<'_>, wheels: &[PathBuf]) -> Result<()> {
    for wheel in wheels {
        let said = shell::capture(tools.python("-m auditwheel show").arg(wheel))?;
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = named(wheel);
        ensure!(
            said.contains(&format!("following platform tag: \"{PLATFORM}_")),
            "{name} asks for more than {PLATFORM}: {said}"
        );
        if name.contains(STABLE) {
            shell::run(tools.python("-m abi3audit --strict").arg(wheel))?;
        }
        println!("{name}: {} bytes", fs::metadata(wheel)?.len());
    }
    Ok(())
}

/// Tries what is installed where an interpreter looks for it.
fn attempt(mut python: Command, workspace: &Workspace) -> Result<()> {
    // Not in the tree, where a module of that name is, too.
    let python = python.current_dir(&workspace.target);
    shell::run(python.args(["-I", "-c", TRY]))
}

/// A program run by an emulator.
fn emulated(emulator: &str, program: &Path, workspace: &Workspace) -> Result<Command> {
    let (name, args) = emulator
        .split_once(' ')
        .context("an emulator without options")?;
    let mut command = shell::command(name, args, &workspace.target);
    // Where it is set, it names kernels of the processor that is there, and NumPy dies of them.
    command.arg(program).env_remove("OPENBLAS_CORETYPE");
    Ok(command)
}
