//! The disk: only the storage crate's backend touches it, so that one simulator of crashes covers all that is ever written.
//!
//! The command line reads and writes its users' own files, and tests do as they like; neither is a store.

use super::{Problem, code::code_only, tree::Tree};

/// Sources that the rule is for …
const BELOW: [&str; 6] = [
    "crates/simd/src/",
    "crates/quant/src/",
    "crates/core/src/",
    "crates/storage/src/",
    "crates/db/src/",
    "crates/py/src/",
];
/// … except these.
const EXCEPT: [&str; 2] = ["crates/storage/src/backend/", "crates/storage/src/mmap.rs"];

/// Nothing else names the file system.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let within = |path: &str, places: &[&str]| places.iter().any(|place| path.starts_with(place));
    let mut problems = Vec::new();
    for file in tree.ending(".rs") {
        if !within(&file.path, &BELOW) || within(&file.path, &EXCEPT) {
            continue;
        }
        for (index, line) in code_only(&file.text).lines().enumerate() {
            if line.contains("std::fs") || line.contains("rustix::fs") {
                problems.push(Problem {
                    path: file.path.clone(),
                    line: index + 1,
                    what: "files are opened in crates/storage/src/backend/ only".to_owned(),
                });
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opened_elsewhere_fails() {
        let tree = Tree::of(&[
            ("crates/core/src/graph.rs", "//! std::fs\nuse std::fs;"),
            ("crates/storage/src/lib.rs", "rustix::fs::fsync(file)"),
            ("crates/storage/src/backend/os.rs", "use std::fs::File;"),
            ("crates/cli/src/npy.rs", "use std::fs::File;"),
            ("crates/db/tests/it/main.rs", "use std::fs::File;"),
        ]);
        let found: Vec<_> = check(&tree)
            .iter()
            .map(|p| (p.path.clone(), p.line))
            .collect();
        let expected = [
            ("crates/core/src/graph.rs", 2),
            ("crates/storage/src/lib.rs", 1),
        ];
        assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
    }
}
