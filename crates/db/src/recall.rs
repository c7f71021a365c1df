//! What recall a user's own queries get.

use crate::Results;

/// What a collection finds of what there is, as measured on somebody's queries.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Recall {
    /// Queries that were answered both ways.
    pub queries: usize,
    /// The mean share of the true nearest that were found, 0 to 1. 1 without queries.
    pub recall: f64,
    /// Half the width of the 95 % confidence interval of that mean.
    pub interval: f64,
}

impl Recall {
    /// Compares answers with exact ones to the same queries. A hit as near as the last true one counts, whichever of equals it is.
    pub fn of(found: &Results, exact: &Results) -> Recall {
        let distances = |results: &Results, query| -> Vec<f32> {
            results.hits(query).map(|hit| hit.distance()).collect()
        };
        let shares: Vec<f64> = (0..exact.queries())
            .map(|query| {
                share(
                    distances(found, query).into_iter(),
                    distances(exact, query).into_iter(),
                )
            })
            .collect();
        let (recall, error) = mean_and_error(&shares);
        Recall {
            queries: shares.len(),
            recall,
            interval: 1.96 * error,
        }
    }
}

/// How much of the truth, nearest first, was found.
pub(crate) fn share(
    found: impl Iterator<Item = f32>,
    truth: impl ExactSizeIterator<Item = f32>,
) -> f64 {
    let wanted = truth.len();
    let Some(farthest) = truth.last() else {
        return 1.0;
    };
    let hits = found.filter(|&distance| distance <= farthest).count();
    hits.min(wanted) as f64 / wanted as f64
}

/// The mean, and its standard error.
pub(crate) fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (1.0, 0.0);
    }
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, (variance / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_of_the_last_count_and_no_more_than_there_are() {
        let of = |found: &[f32], truth: &[f32]| share(found.iter().copied(), truth.iter().copied());
        assert_eq!(of(&[1.0, 2.0], &[1.0, 2.0, 2.0, 3.0]), 0.5);
        assert_eq!(of(&[1.0, 2.0, 2.0], &[1.0, 2.0]), 1.0);
        assert_eq!(of(&[4.0], &[1.0]), 0.0);
        assert_eq!(of(&[], &[]), 1.0);
    }

    #[test]
    fn the_error_is_that_of_the_mean() {
        let (mean, error) = mean_and_error(&[0.0, 1.0, 0.0, 1.0]);
        assert_eq!(mean, 0.5);
        assert!((error - (1.0f64 / 3.0 / 4.0).sqrt()).abs() < 1e-12);
    }
}
