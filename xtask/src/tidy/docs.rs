//! Documents: every source file says what it is, and every file that a document names exists.

use super::{Problem, tree::Tree};

/// A name in a document that begins like this is a path from the root …
const FOLDERS: [&str; 7] = [
    "crates/",
    "xtask/",
    "docs/",
    "data/",
    "bench-compare/",
    ".ci/",
    ".cargo/",
];
/// … and one that ends like this is a file somewhere in the tree.
const ENDS: [&str; 3] = [".rs", ".toml", ".md"];

/// Every `.rs` file begins with a module doc.
pub(super) fn check_modules(tree: &Tree) -> Vec<Problem> {
    tree.ending(".rs")
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| Problem {
            path: file.path.clone(),
            line: 1,
            what: "does not begin with a module doc (//!)".to_owned(),
        })
        .collect()
}

/// Every path between backticks in the documents exists.
pub(super) fn check_paths(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let documents = tree.ending(".md").filter(|file| {
        matches!(file.path.as_str(), "ARCHITECTURE.md" | "README.md")
            || file
                .path
                .strip_prefix("docs/")
                .is_some_and(|name| !name.contains('/'))
    });
    for document in documents {
        for (line, span) in code_spans(&document.text) {
            if names_a_file(span) && !exists(tree, span) {
                problems.push(Problem {
                    path: document.path.clone(),
                    line,
                    what: format!("`{span}` does not exist"),
                });
            }
        }
    }
    problems
}

/// What stands between single backticks outside fenced blocks, with its line counted from one.
fn code_spans(markdown: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    let lines = markdown.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    lines.flat_map(|(index, line)| {
        line.split('`')
            .skip(1)
            .step_by(2)
            .map(move |span| (index + 1, span))
    })
}

fn names_a_file(span: &str) -> bool {
    let plain = span
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    plain
        && (FOLDERS.iter().any(|folder| span.starts_with(folder))
            || ENDS
                .iter()
                .any(|end| span.len() > end.len() && span.ends_with(end)))
}

/// A path from the root, of a file or a folder; without a slash, a file's name anywhere.
fn exists(tree: &Tree, span: &str) -> bool {
    let path = span.trim_end_matches('/');
    tree.files.iter().any(|file| {
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        file.path.strip_prefix(path).is_some_and(below)
            || (!path.contains('/') && file.path.rsplit('/').next() == Some(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_module_doc_fails() {
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", "//! Something.\n"),
            ("crates/a/src/bare.rs", "fn f() {}\n//! Too late.\n"),
            ("crates/a/src/empty.rs", ""),
            ("crates/a/README.md", "# Not Rust"),
        ]);
        let found: Vec<_> = check_modules(&tree)
            .into_iter()
            .map(|problem| problem.path)
            .collect();
        assert_eq!(found, ["crates/a/src/bare.rs", "crates/a/src/empty.rs"]);
    }

    fn check_document(markdown: &str) -> Vec<(usize, String)> {
        let tree = Tree::of(&[
            ("README.md", markdown),
            ("crates/simd/src/x86.rs", ""),
            ("deny.toml", ""),
        ]);
        check_paths(&tree)
            .into_iter()
            .map(|problem| (problem.line, problem.what))
            .collect()
    }

    #[test]
    fn a_path_that_is_gone_fails() {
        let gone = |line, path: &str| (line, format!("`{path}` does not exist"));
        assert_eq!(
            check_document("see\n`crates/simd/src/x87.rs`"),
            [gone(2, "crates/simd/src/x87.rs")]
        );
        assert_eq!(
            check_document("`a` and `x87.rs`, `simd/src/x86.rs`"),
            [gone(1, "x87.rs"), gone(1, "simd/src/x86.rs")]
        );
        assert_eq!(
            check_document("`crates/sim/` and `docs/FORMAT`"),
            [gone(1, "crates/sim/"), gone(1, "docs/FORMAT")]
        );
        assert_eq!(
            check_document("```\n`fenced.rs`\n```\n`after.rs`"),
            [gone(4, "after.rs")]
        );
    }

    #[test]
    fn what_exists_or_is_no_path_passes() {
        let fine = "`crates/simd`, `crates/simd/`, `x86.rs`, `deny.toml`, `README.md`, `cargo test`, `a/b`, `.rs`, `store/LOCK`";
        assert_eq!(check_document(fine), []);
    }
}
