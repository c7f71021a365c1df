//! `unsafe`: only in the files named here, as often as counted here, and never without its reason beside it.
//!
//! The counts are pinned so that one more cannot slip in: whoever adds it changes this table and is seen doing it.

use super::{Problem, code::code_only, tree::Tree};

/// How often the keyword stands in each file that may use it.
const COUNTS: [(&str, usize); 7] = [
    ("crates/py/src/arrow/capsule.rs", 3),
    ("crates/simd/benches/kernels.rs", 8),
    ("crates/simd/src/amx.rs", 4),
    ("crates/simd/src/arm.rs", 2),
    ("crates/simd/src/raw.rs", 4),
    ("crates/simd/src/x86.rs", 3),
    ("crates/storage/src/mmap.rs", 1),
];

/// Counts and reasons, in every `.rs` file.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    check_against(tree, &COUNTS)
}

fn check_against(tree: &Tree, counts: &[(&str, usize)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.ending(".rs") {
        let uses = uses(&file.text);
        let mut complain = |line, what| {
            problems.push(Problem {
                path: file.path.clone(),
                line,
                what,
            })
        };
        match (
            counts.iter().find(|(path, _)| *path == file.path),
            uses.first(),
        ) {
            (None, Some(first)) => complain(
                first.line,
                "unsafe outside the files that may use it".to_owned(),
            ),
            (Some((_, pinned)), _) if *pinned != uses.len() => {
                complain(
                    1,
                    format!(
                        "unsafe stands here {} times, {pinned} were agreed",
                        uses.len()
                    ),
                );
            }
            _ => {}
        }
        for unexplained in uses.iter().filter(|one| !one.explained) {
            complain(
                unexplained.line,
                "unsafe without `// SAFETY:` (a block) or `# Safety` (a function) right above"
                    .to_owned(),
            );
        }
    }
    problems
}

/// One `unsafe` in the code.
struct Use {
    /// Counted from one.
    line: usize,
    explained: bool,
}

fn uses(source: &str) -> Vec<Use> {
    let code = code_only(source);
    let lines: Vec<(&str, &str)> = source.lines().zip(code.lines()).collect();
    let mut uses = Vec::new();
    for (index, (_, code)) in lines.iter().enumerate() {
        for after in after_each_unsafe(code) {
            let promise = if after.starts_with("fn ") || after.starts_with("extern ") {
                "# Safety"
            } else {
                "SAFETY:"
            };
            uses.push(Use {
                line: index + 1,
                explained: explained(&lines[..=index], promise),
            });
        }
    }
    uses
}

/// What follows the keyword, for each time it stands in a line of code.
fn after_each_unsafe(code: &str) -> impl Iterator<Item = &str> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices("unsafe").filter_map(move |(at, found)| {
        let (before, after) = (&code[..at], &code[at + found.len()..]);
        (!before.ends_with(word) && !after.starts_with(word)).then(|| after.trim_start())
    })
}

/// Whether a comment says `promise` on the last line, or above it before any other statement ends.
fn explained(lines: &[(&str, &str)], promise: &str) -> bool {
    for (distance, (source, code)) in lines.iter().rev().enumerate() {
        let code = code.trim();
        let earlier_statement =
            distance > 0 && (code.ends_with([';', '{', '}', ',']) || source.trim().is_empty());
        if earlier_statement {
            return false;
        }
        // Blanked in the code, so it stands in a comment (or a string, which would be perverse).
        if source.contains(promise) && !code.contains(promise) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, source: &str) -> Vec<(usize, String)> {
        let problems = check_against(&Tree::of(&[(path, source)]), &[("x86.rs", 1)]);
        problems
            .into_iter()
            .map(|problem| (problem.line, problem.what))
            .collect()
    }

    #[test]
    fn unsafe_in_another_file_fails() {
        let source = "//! Doc.\n// SAFETY: none\nunsafe { f() }";
        assert_eq!(
            complaints("lib.rs", source),
            [(3, "unsafe outside the files that may use it".to_owned())]
        );
        assert_eq!(complaints("x86.rs", source), []);
    }

    #[test]
    fn another_count_fails() {
        let twice = "// SAFETY: a\nunsafe { f() };\n// SAFETY: b\nunsafe { g() };";
        assert_eq!(
            complaints("x86.rs", twice),
            [(1, "unsafe stands here 2 times, 1 were agreed".to_owned())]
        );
        assert_eq!(
            complaints("x86.rs", "f();"),
            [(1, "unsafe stands here 0 times, 1 were agreed".to_owned())]
        );
    }

    #[test]
    fn unsafe_without_its_reason_fails() {
        for source in [
            "unsafe { f() }",
            "// SAFETY: of another\ng();\nunsafe { f() }",
            "// SAFETY: too far up\n\nunsafe { f() }",
            "// SAFETY: a function promises, it does not argue\nunsafe fn f() {}",
            "/// # Safety\nunsafe impl Send for S {}",
        ] {
            let found = complaints("x86.rs", source);
            assert!(
                found.len() == 1 && found[0].1.starts_with("unsafe without"),
                "{source}: {found:?}"
            );
        }
    }

    #[test]
    fn unsafe_with_its_reason_passes() {
        for source in [
            "// SAFETY: a\n// and b\nlet x =\n    unsafe { f() };",
            "let x = unsafe { f() }; // SAFETY: here",
            "/// Does.\n///\n/// # Safety\n/// Promise.\n#[inline]\npub unsafe fn f() {}",
            "// SAFETY: a\nunsafe impl Send for S {}",
        ] {
            assert_eq!(complaints("x86.rs", source), [], "{source}");
        }
    }

    #[test]
    fn the_word_elsewhere_is_no_unsafe() {
        for source in [
            "// unsafe { }",
            "let s = \"unsafe { }\";",
            "#![expect(unsafe_code)]",
            "not_unsafe();",
        ] {
            assert_eq!(complaints("lib.rs", source), [], "{source}");
        }
    }
}
