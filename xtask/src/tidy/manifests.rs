//! Manifests: every package takes the workspace's lints. One that forgets is checked by nothing, and says nothing.

use super::{Problem, tree::Tree};

/// Every `Cargo.toml` below the root has `[lints] workspace = true`.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    tree.ending("/Cargo.toml")
        .filter(|file| !inherits_lints(&file.text))
        .map(|file| Problem {
            path: file.path.clone(),
            line: 1,
            what: "does not inherit the workspace's lints".to_owned(),
        })
        .collect()
}

fn inherits_lints(manifest: &str) -> bool {
    let section = manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[lints]")
        .skip(1);
    section
        .take_while(|line| !line.starts_with('['))
        .any(|line| line == "workspace = true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_the_lints_fails() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]"),
            (
                "crates/good/Cargo.toml",
                "[package]\n[lints]\nworkspace = true\n[dependencies]",
            ),
            ("crates/none/Cargo.toml", "[package]\n[dependencies]"),
            (
                "crates/own/Cargo.toml",
                "[lints]\nrust.unsafe_code = \"allow\"\n[x]\nworkspace = true",
            ),
        ]);
        let found: Vec<_> = check(&tree)
            .into_iter()
            .map(|problem| problem.path)
            .collect();
        assert_eq!(found, ["crates/none/Cargo.toml", "crates/own/Cargo.toml"]);
    }
}
