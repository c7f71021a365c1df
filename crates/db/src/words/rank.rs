//! BM25: how well records answer a few words.
//!
//! For each word of the query that `df` of `n` texts have: `ln(1 + (n - df + 0.5) / (df + 0.5))`, times
//! `tf (k1 + 1) / (tf + k1 (1 - b + b length / mean length))` of a text that has it `tf` times; a word that the query has twice counts
//! twice. Source: Robertson and Zaragoza 2009, with the logarithm that Lucene keeps above zero.
//!
//! `n`, `df` and the mean are of all records that count and have a text: deleted ones are in none of them, filtered ones are, and
//! how records are spread over segments cannot be told from a score; nor over collections, if the query brings the counts of all.

use std::collections::BTreeMap;
use std::sync::Arc;

use proxime_core::Matches;

use super::index::{WordIndex, split};
use crate::search::{Chosen, Place};
use crate::snapshot::{Part, View};

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// How often words are in the texts of a collection, or of several: what scores of BM25 depend on besides a record.
///
/// Counts of collections are added up with [`add`](WordCounts::add); with the sum in [`TextQuery::counts`](crate::TextQuery) each of them gives the
/// scores of one collection that has all records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordCounts {
    /// Records with any word at all in these fields.
    pub texts: u64,
    /// All their words, repeated ones too.
    pub words: u64,
    /// Of each word of the query, how many records have it.
    pub texts_with: BTreeMap<String, u64>,
}

impl WordCounts {
    /// Adds those of other records. Sums that are beyond 64 bits stay at the limit.
    pub fn add(&mut self, other: &WordCounts) {
        self.texts = self.texts.saturating_add(other.texts);
        self.words = self.words.saturating_add(other.words);
        for (word, texts) in &other.texts_with {
            let sum = self.texts_with.entry(word.clone()).or_default();
            *sum = sum.saturating_add(*texts);
        }
    }
}

/// A record with at least one of the words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranked {
    pub(crate) score: f64,
    pub(crate) part: u32,
    pub(crate) row: u32,
}

impl Ranked {
    /// Where its score is not known yet.
    pub(crate) fn unscored(place: &Place) -> Ranked {
        Ranked {
            score: 0.0,
            part: place.part,
            row: place.row,
        }
    }

    pub(crate) fn place(&self, distance: f32) -> Place {
        Place {
            distance,
            part: self.part,
            row: self.row,
        }
    }
}

/// A query over the texts of a view.
pub(crate) struct Bm25<'a> {
    view: &'a View,
    indexes: Vec<Arc<WordIndex>>,
    /// Each different word and what it weighs.
    words: Vec<(String, f64)>,
    mean_length: f64,
}

/// The words of a query, and how often it has each.
fn wanted(text: &str) -> BTreeMap<String, f64> {
    let mut wanted: BTreeMap<String, f64> = BTreeMap::new();
    split(text, |word| {
        *wanted.entry(word.to_owned()).or_default() += 1.0
    });
    wanted
}

/// Cost: the rows with these words are read.
pub(crate) fn word_counts(view: &View, indexes: &[Arc<WordIndex>], text: &str) -> WordCounts {
    counted(view, indexes, wanted(text).keys())
}

fn counted<'w>(
    view: &View,
    indexes: &[Arc<WordIndex>],
    words: impl Iterator<Item = &'w String>,
) -> WordCounts {
    let parts = || view.parts.iter().zip(indexes);
    let sizes = parts().map(|(part, index)| index.texts_and_words(part.hidden.iter()));
    let (texts, all) = sizes.fold((0, 0), |all, some| (all.0 + some.0, all.1 + some.1));
    let with = |word: &String| {
        let some = parts().map(|(part, index)| rows_with(part, index, word).count() as u64);
        (word.clone(), some.sum())
    };
    WordCounts {
        texts,
        words: all,
        texts_with: words.map(with).collect(),
    }
}

impl<'a> Bm25<'a> {
    /// `indexes` are those of the view's parts. `counts`: those to score by, unless they are the view's own. Cost: that of `word_counts`.
    pub(crate) fn new(
        view: &'a View,
        indexes: Vec<Arc<WordIndex>>,
        text: &str,
        counts: Option<&WordCounts>,
    ) -> Bm25<'a> {
        let wanted = wanted(text);
        let counts = match counts {
            Some(counts) => counts,
            None => &counted(view, &indexes, wanted.keys()),
        };
        let n = counts.texts as f64;
        let weighed = wanted.into_iter().map(|(word, count)| {
            let df = counts.texts_with.get(&word).copied().unwrap_or_default() as f64;
            // Of a caller's counts, `df` may be larger than `n`.
            let idf = (1.0 + ((n - df + 0.5) / (df + 0.5)).max(0.0)).ln();
            (word, count * idf)
        });
        Bm25 {
            view,
            indexes,
            words: weighed.collect(),
            mean_length: counts.words as f64 / n.max(1.0),
        }
    }

    /// The best `most` records, best first, equal ones in the order of their ids; of the chosen rows of each part, if any were. `also`
    /// gets the scores of its places.
    pub(crate) fn best(
        &self,
        most: usize,
        chosen: Option<&[Chosen]>,
        also: &mut [Ranked],
    ) -> Vec<Ranked> {
        let mut found = Vec::new();
        for number in 0..self.view.parts.len() {
            let chosen = chosen.and_then(|chosen| chosen.get(number));
            let scores = self.scores(number);
            for place in also
                .iter_mut()
                .filter(|place| place.part as usize == number)
            {
                place.score = scores.get(place.row as usize).copied().unwrap_or_default();
            }
            let some = scores.iter().zip(0u32..).filter(|&(&score, row)| {
                score > 0.0 && chosen.is_none_or(|chosen| chosen.contains(row))
            });
            found.extend(some.map(|(&score, row)| Ranked {
                score,
                part: number as u32,
                row,
            }));
        }
        let id = |place: &Ranked| {
            let part = self.view.parts.get(place.part as usize);
            part.map(|part| part.segment.id(place.row))
        };
        let order = |a: &Ranked, b: &Ranked| {
            let by_score = b.score.total_cmp(&a.score);
            by_score.then_with(|| id(a).cmp(&id(b)))
        };
        if let Some(last) = most.checked_sub(1).filter(|&last| last < found.len()) {
            found.select_nth_unstable_by(last, order);
        }
        found.truncate(most);
        found.sort_unstable_by(order);
        found
    }

    /// The score of each row of a part; 0 where it has none of the words, or does not count.
    fn scores(&self, number: usize) -> Vec<f64> {
        let (Some(part), Some(index)) = (self.view.parts.get(number), self.indexes.get(number))
        else {
            return Vec::new();
        };
        let mut scores = vec![0.0; part.segment.rows() as usize];
        for (word, weight) in &self.words {
            for (row, count) in rows_with(part, index, word) {
                let length = f64::from(index.length(row)) / self.mean_length;
                let count = f64::from(count);
                let share = count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length));
                if let Some(score) = scores.get_mut(row as usize) {
                    *score += weight * share;
                }
            }
        }
        scores
    }
}

fn rows_with<'a>(
    part: &'a Part,
    index: &'a WordIndex,
    word: &str,
) -> impl Iterator<Item = (u32, u32)> + use<'a> {
    index.rows_with(word).filter(|(row, _)| part.is_live(*row))
}
