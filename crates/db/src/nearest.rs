//! Names that somebody may have meant who asked for one that is not there.

/// Names that are told: more would hide them.
const TOLD_MAX: usize = 5;
/// Names that are compared: a thousand take less than a millisecond.
pub(crate) const NAMES_MAX: usize = 1_000;
/// Characters of a name that are compared.
const CHARS_MAX: usize = 32;

/// Some of these names, those first that least has to be changed of; and how many more there are.
pub(crate) fn nearest(wanted: &str, mut names: Vec<String>) -> (Vec<String>, usize) {
    let all = names.len();
    names.truncate(NAMES_MAX);
    names.sort_by_cached_key(|name| edits(wanted, name));
    names.truncate(TOLD_MAX);
    let more = all - names.len();
    (names, more)
}

/// How many characters of one have to be inserted, deleted or replaced until it is the other.
///
/// Source: Wagner, Fischer 1974; one row of their table at a time.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(CHARS_MAX).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().take(CHARS_MAX).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&other) {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        row.first_mut().into_iter().for_each(|cell| *cell = i + 1);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_those_of_the_definition() {
        /// The definition, without a table.
        fn naive(one: &[char], other: &[char]) -> usize {
            match (one, other) {
                ([], rest) | (rest, []) => rest.len(),
                ([a, one_left @ ..], [b, other_left @ ..]) => {
                    let replaced = naive(one_left, other_left) + usize::from(a != b);
                    let deleted = naive(one_left, other) + 1;
                    replaced.min(deleted).min(naive(one, other_left) + 1)
                }
            }
        }
        let words = ["", "a", "b", "lang", "lnag", "language", "länge", "year"];
        for (one, other) in words.iter().flat_map(|one| words.map(|other| (one, other))) {
            let chars = [*one, other].map(|word| word.chars().collect::<Vec<char>>());
            assert_eq!(
                edits(one, other),
                naive(&chars[0], &chars[1]),
                "{one} {other}"
            );
        }
    }

    #[test]
    fn few_are_told_the_nearest_first() {
        let names = |n: usize| (0..n).map(|i| format!("name {i}")).collect::<Vec<_>>();
        let (told, more) = nearest("name 7x", names(20));
        assert_eq!((told[0].as_str(), told.len(), more), ("name 7", 5, 15));
        assert_eq!(nearest("x", names(2)), (names(2), 0), "else as they come");
        assert_eq!(nearest("x", names(5_000)).1, 4_995);
    }
}
