//! `cargo xtask tidy`: the house rules, as code. Also a test, so that `cargo test` keeps them.
//!
//! A rule is a function from the tree to its violations, and each has a test that feeds it a bad sample: a check that
//! cannot fail proves nothing. What the compiler or clippy can say is left to them.

mod code;
mod disk;
mod docs;
mod layers;
mod leaks;
mod manifests;
mod plants;
mod tree;
mod unsafety;

use std::fmt;

use anyhow::{Result, bail};
use tree::Tree;

use crate::workspace::Workspace;

/// One violation, at a place an editor can jump to.
#[derive(Clone, Debug, PartialEq)]
struct Problem {
    path: String,
    /// Counted from one.
    line: usize,
    what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Checks every rule and prints what breaks one. An error when anything does.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let tree = Tree::read(&workspace.root)?;
    let problems = check(workspace, &tree);
    for problem in &problems {
        println!("{problem}");
    }
    if !problems.is_empty() {
        bail!("{} house rules broken", problems.len());
    }
    println!("{} files tidy", tree.files.len());
    Ok(())
}

fn check(workspace: &Workspace, tree: &Tree) -> Vec<Problem> {
    [
        layers::check(&workspace.packages),
        manifests::check(tree),
        docs::check_modules(tree),
        docs::check_paths(tree),
        unsafety::check(tree),
        disk::check(tree),
        leaks::check(tree),
        plants::check(tree),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let workspace = Workspace::find().unwrap();
        let tree = Tree::read(&workspace.root).unwrap();
        let problems: Vec<_> = check(&workspace, &tree)
            .iter()
            .map(Problem::to_string)
            .collect();
        assert!(
            problems.is_empty(),
            "house rules broken:\n{}",
            problems.join("\n")
        );
    }
}
