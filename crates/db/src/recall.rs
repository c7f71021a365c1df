//! Recall as a knob: how wide a beam a segment needs for a recall, and what recall a user's own queries get.
//!
//! A segment is calibrated when a recall is first asked of it: queries made of its own rows are answered exactly and by ever
//! wider beams. Half of them lie beside a row, in a direction in which its neighbours differ, as new queries of the same kind do; half
//! are put together of components of many rows, so that they are like none of them, and a graph finds its way less easily. The group that fares
//! worse decides, so that queries that differ from the rows get what was asked for too, within reason: for queries that are near
//! nothing no sample of the rows can speak. Queries like them get more, and wait for it; who
//! wants the narrowest beam that does measures ([`Collection::measure_recall`](crate::Collection::measure_recall)) and sets `ef`. Nothing
//! is stored.

use std::sync::OnceLock;

use proxime_core::Neighbor;
use rayon::prelude::*;

use crate::pool::Workers;
use crate::search::{Plan, search_graph};
use crate::segment::GraphIndex;
use crate::snapshot::{Part, View};
use crate::{Result, Results, Rows};

/// Calibrated numbers of hits. Who wants fewer has the next of these searched for, and as many candidates compared by their
/// vectors; the recall of the first hits alone is looked after too.
const KS: [usize; 3] = [10, 100, 1000];
/// Queries of each of the two groups.
const SAMPLES: usize = 128;
/// The nearest row and this one of a row's nearest say in which direction neighbours differ.
const NEIGHBOR: usize = 10;
/// Queries answered exactly at once.
const TASK: usize = 16;
/// Beams are tried up to this.
const EF_MAX: usize = 4096;

/// What beams of a segment find, by number of hits; filled when first needed.
#[derive(Debug, Default)]
pub(crate) struct Calibration([OnceLock<Vec<Beam>>; KS.len()]);

impl Calibration {
    /// The numbers of hits that somebody has asked for.
    pub(crate) fn classes(&self) -> impl Iterator<Item = usize> {
        let classes = KS.into_iter().zip(&self.0);
        classes.filter_map(|(class, beams)| beams.get().map(|_| class))
    }
}

/// A beam and the recall it can be trusted to give.
#[derive(Debug)]
struct Beam {
    ef: usize,
    recall: f64,
}

/// The plan that gives a recall@k with the narrowest calibrated beam. Where none is wide enough every vector is looked at.
///
/// Cost: the first time for a segment, 256 exact searches and a few thousand by graph.
pub(crate) fn plan_for(
    view: &View,
    part: &Part,
    index: &GraphIndex,
    workers: &Workers,
    (k, recall): (usize, f64),
) -> Result<Plan> {
    let Some((class, beams)) = KS
        .into_iter()
        .zip(&index.calibration.0)
        .find(|(class, _)| k <= *class)
    else {
        return Ok(Plan::exact(k));
    };
    // Two threads may both calibrate, to the same result; one that waited inside the pool could wait for itself.
    let beams = match beams.get() {
        Some(beams) => beams,
        None => {
            let measured = calibrate(view, part, index, workers, class)?;
            beams.get_or_init(|| measured)
        }
    };
    let enough = beams.iter().find(|beam| beam.recall >= recall);
    Ok(enough.map_or(Plan::exact(k), |beam| Plan::beam(class, beam.ef)))
}

fn calibrate(
    view: &View,
    part: &Part,
    index: &GraphIndex,
    workers: &Workers,
    k: usize,
) -> Result<Vec<Beam>> {
    let (vectors, dim) = (part.segment.vectors()?, view.config.dim);
    let groups = sample(view, part, index, workers, k)?;
    let queries: Vec<&[f32]> = groups
        .iter()
        .flat_map(|group| group.chunks_exact(dim))
        .collect();
    workers.threads.install(|| {
        let exact = |queries: &[&[f32]]| {
            let queries = queries.concat();
            let queries = Rows::new(&queries, dim)?;
            vectors.nearest(view.config.metric, queries, k, |row| part.is_live(row))
        };
        let truth: Result<Vec<_>> = queries.par_chunks(TASK).map(exact).collect();
        let truth: Vec<Vec<Neighbor>> = truth?.into_iter().flatten().collect();
        let mut beams = Vec::new();
        let mut ef = k;
        while ef <= EF_MAX && ef < part.segment.rows() as usize {
            let plan = Plan::beam(k, ef);
            let found: Result<Vec<Vec<Neighbor>>> = (queries.par_iter())
                .map(|query| search_graph(view, part, index, &workers.scratches, query, plan))
                .collect();
            let recall = trusted(&found?, &truth, k);
            beams.push(Beam { ef, recall });
            if recall >= 1.0 {
                break;
            }
            ef += ef.div_ceil(4);
        }
        Ok(beams)
    })
}

/// The recall that is not promised in vain: the least of both groups, of the first hit's, of the first few and of all, less a standard
/// error.
fn trusted(found: &[Vec<Neighbor>], truth: &[Vec<Neighbor>], k: usize) -> f64 {
    let nearest = |list: &[Neighbor], k| -> Vec<f32> {
        let nearest = list.iter().take(k);
        nearest.map(|n| n.distance).collect()
    };
    let mut least = 1.0f64;
    for (found, truth) in found.chunks(SAMPLES).zip(truth.chunks(SAMPLES)) {
        for k in [1, k.div_ceil(3), k] {
            let pairs = found.iter().zip(truth);
            let share = |(found, truth): (&Vec<_>, &Vec<_>)| {
                share(nearest(found, k).into_iter(), nearest(truth, k).into_iter())
            };
            let (mean, error) = mean_and_error(&pairs.map(share).collect::<Vec<f64>>());
            least = least.min(mean - error);
        }
    }
    least
}

/// The two groups of queries, row after row.
fn sample(
    view: &View,
    part: &Part,
    index: &GraphIndex,
    workers: &Workers,
    k: usize,
) -> Result<[Vec<f32>; 2]> {
    let rows = u64::from(part.segment.rows());
    let mut groups = [const { Vec::new() }; 2];
    for i in 0..SAMPLES as u64 {
        let row = part.segment.vector((i * rows / SAMPLES as u64) as u32)?;
        let plan = Plan::beam(k, 4 * k);
        let near = search_graph(view, part, index, &workers.scratches, &row, plan)?;
        // As far off as a neighbour is, in a direction in which neighbours differ.
        let [a, b] = [near.get(NEIGHBOR), near.get(1)]
            .map(|found| found.map_or(Ok(row.clone()), |n| part.segment.vector(n.node)));
        let (a, b) = (a?, b?);
        let beside: Vec<f32> = (row.iter().zip(a.iter().zip(&*b)))
            .map(|(x, (a, b))| x + std::f32::consts::FRAC_1_SQRT_2 * (a - b))
            .collect();
        let mixed: Vec<f32> = (0..row.len() as u64)
            .map(|j| {
                let from = (i + 1)
                    .wrapping_mul(0x9E37_79B9)
                    .wrapping_add(j * 0x85EB_CA6B)
                    % rows;
                let other = part.segment.vector(from as u32)?;
                Ok(other.get(j as usize).copied().unwrap_or_default())
            })
            .collect::<Result<_>>()?;
        for (group, query) in groups.iter_mut().zip([beside, mixed]) {
            // What overflows or has no direction is no query.
            let usable = query.iter().all(|x| x.is_finite()) && query.iter().any(|&x| x != 0.0);
            group.extend_from_slice(if usable { &query } else { &row });
        }
    }
    Ok(groups)
}

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
fn share(found: impl Iterator<Item = f32>, truth: impl ExactSizeIterator<Item = f32>) -> f64 {
    let wanted = truth.len();
    let Some(farthest) = truth.last() else {
        return 1.0;
    };
    let hits = found.filter(|&distance| distance <= farthest).count();
    hits.min(wanted) as f64 / wanted as f64
}

/// The mean, and its standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
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
