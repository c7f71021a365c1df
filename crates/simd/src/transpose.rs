//! Squares of 16 by 16 words turned over, a register at a time.

use crate::block::I8Tiles;

/// The words of a line.
pub(crate) type Words = [i32; WORDS];

const WORDS: usize = 16;

/// Line `i` of the result holds word `i` of each line.
///
/// Four rounds of the perfect shuffle: lines `i` and `i + 8` are dealt into lines `2i` and `2i + 1`. A round moves one bit of
/// a word's place from its line's number to its own, so after four all have changed sides.
#[inline(always)]
pub(crate) fn transpose<T: I8Tiles>(tiles: T, mut square: [Words; WORDS]) -> [Words; WORDS] {
    for _ in 0..WORDS.ilog2() {
        let before = square;
        for i in 0..WORDS / 2 {
            (square[2 * i], square[2 * i + 1]) = tiles.deal(before[i], before[i + WORDS / 2]);
        }
    }
    square
}

/// [`I8Tiles::deal`] for tiers that have no instruction for it.
#[inline(always)]
pub(crate) fn deal(a: &Words, b: &Words) -> (Words, Words) {
    let from = |half: usize| {
        std::array::from_fn(|i| {
            let word = half * (WORDS / 2) + i / 2;
            if i % 2 == 0 { a[word] } else { b[word] }
        })
    };
    (from(0), from(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Level, WithIsa};

    struct Turn([Words; WORDS]);

    impl WithIsa for Turn {
        type Output = [Words; WORDS];

        #[inline(always)]
        fn with_isa<I: Isa>(self, isa: I) -> Self::Output {
            transpose(isa, self.0)
        }
    }

    #[test]
    fn rows_become_columns() {
        let words: [Words; WORDS] =
            std::array::from_fn(|i| std::array::from_fn(|j| (100 * i + j) as i32));
        for level in Level::available() {
            let turned = level.dispatch(Turn(words));
            for (i, line) in turned.iter().enumerate() {
                for (j, &word) in line.iter().enumerate() {
                    assert_eq!(word, words[j][i], "{level}");
                }
            }
        }
    }
}
