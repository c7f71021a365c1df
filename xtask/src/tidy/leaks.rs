//! Nothing in the tree may name the machine it was made on, or the host that a package came from.
//!
//! Cargo's lock file names its registry by the URL of the index, which is a name and not a host to fetch from.

use super::{Problem, tree::Tree};

/// Split in two so that this file passes its own rule.
const FORBIDDEN: [(&str, &str); 11] = [
    ("/ro", "ot"),
    ("/ho", "me"),
    ("/Us", "ers"),
    ("/wo", "rk"),
    ("/t", "mp"),
    ("index.", "crates.io"),
    ("static.", "crates.io"),
    ("py", "pi.org"),
    ("files.", "pythonhosted.org"),
    ("deb.", "debian.org"),
    ("registry.", "npmjs.org"),
];

/// No text file says any of it, as a word of its own.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let forbidden: Vec<String> = FORBIDDEN
        .iter()
        .map(|(one, two)| format!("{one}{two}"))
        .collect();
    let mut problems = Vec::new();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            for word in forbidden.iter().filter(|word| stands_alone(line, word)) {
                let what =
                    format!("names {word}, which is this machine's business or a registry's");
                problems.push(Problem {
                    path: file.path.clone(),
                    line: index + 1,
                    what,
                });
            }
        }
    }
    problems
}

fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let letter = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(|c| letter(c) || c == '.' || c == '}') && !after.starts_with(letter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_forbidden_word_fails() {
        for (one, two) in FORBIDDEN {
            let text = format!("fine\nsee {one}{two}/somewhere\n");
            let problems = check(&Tree::of(&[("docs/a.md", &text)]));
            assert_eq!(problems.len(), 1, "{text}");
            assert_eq!(problems[0].line, 2);
        }
    }

    #[test]
    fn parts_of_longer_paths_pass() {
        for (one, two) in FORBIDDEN {
            let text = format!("target{one}{two} {one}{two}ing {one}{two}_file ..{one}{two}");
            assert_eq!(check(&Tree::of(&[("docs/a.md", &text)])), [], "{text}");
        }
    }
}
