//! `cargo xtask plants`: mistakes, planted one at a time into a copy of the source, each of which the tests have to find.
//!
//! A plant is a few words of source and what stands in their place, and the tests that are to fail then. One whose words are gone
//! is an error here and in `cargo xtask tidy`, so that the list stays true. The same tests have to pass before anything is
//! planted. What hangs is stopped, and counts as found.

mod list;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

pub(crate) use self::list::PLANTS;
use self::list::Plant;
use crate::{shell, workspace::Workspace};

/// Longer than any of these tests takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// Plants all, or those whose words contain one of `only`.
pub(crate) fn run(workspace: &Workspace, only: &[String]) -> Result<()> {
    let tree = copy(workspace)?;
    let mut missed = Vec::new();
    let chosen: Vec<&Plant> = PLANTS
        .iter()
        .filter(|plant| only.is_empty() || only.iter().any(|word| plant.what.contains(word)))
        .collect();
    sound(&tree, &chosen)?;
    for plant in &chosen {
        let found = try_one(&tree, plant).with_context(|| plant.what)?;
        println!("{}: {}", plant.what, found.unwrap_or("MISSED"));
        if found.is_none() {
            missed.push(plant.what);
        }
    }
    println!(
        "plants: {} of {} found",
        chosen.len() - missed.len(),
        chosen.len()
    );
    ensure!(missed.is_empty(), "not found: {}", missed.join("; "));
    Ok(())
}

/// The files that git knows, in the target directory, where there is a build of their own.
fn copy(workspace: &Workspace) -> Result<PathBuf> {
    let tree = workspace.target.join("plants/tree");
    let listed = shell::capture(shell::command("git", "ls-files", &workspace.root))?;
    let mut kept = BTreeSet::new();
    for name in listed.lines() {
        let (from, to) = (workspace.root.join(name), tree.join(name));
        let content = fs::read(&from).with_context(|| from.display().to_string())?;
        // What has not changed keeps its time, and is not compiled again.
        if fs::read(&to).ok().as_ref() != Some(&content) {
            fs::create_dir_all(to.parent().unwrap_or(&tree))?;
            fs::write(&to, content)?;
        }
        kept.insert(to);
    }
    remove_others(&tree, &kept)?;
    Ok(tree)
}

/// Removes files of an earlier time: a store with them is another store.
fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// How it was found; `None` if it was not.
fn try_one(tree: &Path, plant: &Plant) -> Result<Option<&'static str>> {
    let file = tree.join(plant.file);
    let sound = fs::read_to_string(&file)?;
    ensure!(
        sound.matches(plant.right).count() == 1,
        "{}: what is to be replaced is there {} times",
        plant.file,
        sound.matches(plant.right).count()
    );
    fs::write(&file, sound.replacen(plant.right, plant.wrong, 1))?;
    let outcome = test(tree, plant.target, plant.tests);
    fs::write(&file, sound)?;
    outcome
}

/// The tests pass without a mistake; otherwise they would find anything.
fn sound(tree: &Path, chosen: &[&Plant]) -> Result<()> {
    let mut tests: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for plant in chosen {
        tests
            .entry(plant.target)
            .or_default()
            .extend(plant.tests.split_whitespace());
    }
    for (target, tests) in tests {
        let tests = Vec::from_iter(tests).join(" ");
        if let Some(how) = test(tree, target, &tests)? {
            bail!("{target}: {tests}: {how} something before anything was planted");
        }
    }
    Ok(())
}

/// Why tests did not pass, if they did not.
fn test(tree: &Path, target: &str, tests: &str) -> Result<Option<&'static str>> {
    let args = format!("test --locked --package {target}");
    let cargo = |more: &str| {
        let mut command = shell::command("cargo", &format!("{args} {more}"), tree);
        command
            .env("CARGO_TARGET_DIR", tree.with_file_name("target"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    if !cargo("--no-run").status()?.success() {
        bail!("it does not compile");
    }
    finished(cargo(&format!("-- {}", tests)))
}

fn finished(mut command: Command) -> Result<Option<&'static str>> {
    let started = Instant::now();
    // A group of its own: what hangs is a child of this child.
    let mut child = command.process_group(0).spawn()?;
    while started.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok((!status.success()).then_some("found"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let group = format!("-9 -- -{}", child.id());
    shell::run(shell::command("kill", &group, Path::new(".")))?;
    child.wait()?;
    Ok(Some("found: it hangs"))
}
