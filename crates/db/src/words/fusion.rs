//! One list out of two: what a place in each is worth.

use crate::{Error, Result};

/// What keeps the first places of a list from counting for nearly everything. Source: Cormack, Clarke and Büttcher 2009.
const RRF_K: f64 = 60.0;

/// How a search by vector and words puts its two lists together. What a record gets from each is added up; from a list that it
/// is not in, it gets nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fusion {
    /// Reciprocal ranks: `1 / (60 + rank)`, ranks from 1. Needs no comparable scores.
    #[default]
    Rrf,
    /// Scores by their distribution: 0 at three standard deviations below the mean of a list, 1 at three above.
    Dbsf,
    /// Scores from 0, the least of a list, to 1, the best, times these weights.
    Weights {
        /// Of nearness.
        vector: f64,
        /// Of words.
        text: f64,
    },
}

impl Fusion {
    /// Errors: a weight that is negative or no number; none above 0.
    pub(crate) fn check(self) -> Result<()> {
        let Fusion::Weights { vector, text } = self else {
            return Ok(());
        };
        let sound = [vector, text].iter().all(|w| w.is_finite() && *w >= 0.0);
        if sound && vector + text > 0.0 {
            return Ok(());
        }
        Err(Error::Parameter {
            name: "fusion",
            value: format!("({vector}, {text})"),
            limit: "two weights, none of them negative and at least one above 0".to_owned(),
        })
    }

    /// What the members of the list by vector get; `scores` are best first, larger is better: negated distances. For lists of several
    /// collections that are searched as one; [`search_text`](crate::Collection::search_text) does it by itself.
    pub fn of_vectors(self, scores: &[f64]) -> Vec<f64> {
        match self {
            Fusion::Weights { vector, .. } => scaled(scores, vector),
            _ => self.unweighted(scores),
        }
    }

    /// The same of the list by words.
    pub fn of_texts(self, scores: &[f64]) -> Vec<f64> {
        match self {
            Fusion::Weights { text, .. } => scaled(scores, text),
            _ => self.unweighted(scores),
        }
    }

    fn unweighted(self, scores: &[f64]) -> Vec<f64> {
        match self {
            Fusion::Dbsf => by_distribution(scores),
            _ => (1..=scores.len())
                .map(|rank| 1.0 / (RRF_K + rank as f64))
                .collect(),
        }
    }
}

/// Where all are equal, they are the best.
fn scaled(scores: &[f64], weight: f64) -> Vec<f64> {
    let (Some(best), Some(least)) = (scores.first(), scores.last()) else {
        return Vec::new();
    };
    let share = |score: &f64| match best > least {
        true => weight * (score - least) / (best - least),
        false => weight,
    };
    scores.iter().map(share).collect()
}

/// Where all are equal, they are in the middle.
fn by_distribution(scores: &[f64]) -> Vec<f64> {
    let n = scores.len().max(1) as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let variance = scores
        .iter()
        .map(|score| (score - mean).powi(2))
        .sum::<f64>()
        / n;
    let six = 6.0 * variance.sqrt();
    let share = |score: &f64| match six > 0.0 {
        true => 0.5 + (score - mean) / six,
        false => 0.5,
    };
    scores.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_places_are_worth() {
        let scores = [5.0, 3.0, 1.0];
        assert_eq!(
            Fusion::Rrf.of_vectors(&scores),
            [1.0 / 61.0, 1.0 / 62.0, 1.0 / 63.0]
        );
        let weights = Fusion::Weights {
            vector: 2.0,
            text: 4.0,
        };
        assert_eq!(weights.of_vectors(&scores), [2.0, 1.0, 0.0]);
        assert_eq!(weights.of_texts(&scores), [4.0, 2.0, 0.0]);
        assert_eq!(weights.of_texts(&[7.0, 7.0]), [4.0, 4.0]);
        let [high, middle, low] = <[f64; 3]>::try_from(Fusion::Dbsf.of_texts(&scores)).unwrap();
        let deviation = (8.0f64 / 3.0).sqrt();
        assert_eq!(middle, 0.5);
        assert!((high - 0.5 - 2.0 / (6.0 * deviation)).abs() < 1e-12);
        assert!((high + low - 1.0).abs() < 1e-12);
        assert_eq!(Fusion::Dbsf.of_vectors(&[7.0]), [0.5]);
        for fusion in [Fusion::Rrf, Fusion::Dbsf, weights] {
            assert!(fusion.of_vectors(&[]).is_empty());
        }
    }
}
