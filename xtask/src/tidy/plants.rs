//! The list of mistakes that `cargo xtask plants` plants: the words that each replaces are in its file, once.

use super::{Problem, tree::Tree};
use crate::plants::PLANTS;

/// A change of those words is a change of the list.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let stale = PLANTS.iter().filter_map(|plant| {
        let file = tree.files.iter().find(|file| file.path == plant.file);
        let times = file.map_or(0, |file| file.text.matches(plant.right).count());
        (times != 1).then(|| Problem {
            path: plant.file.to_owned(),
            line: 1,
            what: format!(
                "what `cargo xtask plants` replaces for {:?} is there {times} times: {:?}",
                plant.what, plant.right
            ),
        })
    });
    stale.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_gone_or_twice_there_fail() {
        let plant = &PLANTS[0];
        let stale = |text: &str| {
            check(&Tree::of(&[(plant.file, text)]))
                .iter()
                .any(|problem| problem.what.contains(plant.what))
        };
        assert!(!stale(plant.right));
        assert!(stale("something else"));
        assert!(stale(&plant.right.repeat(2)));
    }
}
