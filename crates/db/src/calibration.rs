//! How wide a beam a query needs for a recall, as measured in a segment.
//!
//! A segment is calibrated when a recall is first asked of it: queries made of its own rows are answered exactly and by ever
//! wider beams. Queries differ in how hard they are, so each is first searched for with a narrow beam, and what that finds says how hard it is:
//! where the nearest rows are all about as far, many others are as good, and most of them have to be looked at. That is what the local
//! intrinsic dimension measures (Levina and Bickel 2004; Aumüller and Ceccarello 2021 show that it tells hard queries from easy ones
//! whatever they are). The query then gets the beam that queries as hard needed, or every vector is looked at where none was wide enough.
//! Nothing is stored.

use std::borrow::Cow;
use std::sync::OnceLock;

use proxime_core::Neighbor;
use proxime_simd::Metric;
use rayon::prelude::*;

use crate::pool::Workers;
use crate::recall::{mean_and_error, share};
use crate::search::{Plan, search_graph};
use crate::segment::GraphIndex;
use crate::snapshot::{Part, View};
use crate::{Result, Rows};

/// Calibrated numbers of hits. Who wants fewer has the next of these searched for, and as many candidates compared by their
/// vectors; the recall of the first few hits alone is looked after too.
const KS: [usize; 3] = [10, 100, 1000];
/// Sample queries are made of so many rows, spread over all: two of each.
const ROWS: usize = 192;
/// The nearest row and this one of a row's nearest say in which direction neighbours differ.
const NEIGHBOR: usize = 10;
/// Queries answered exactly at once.
const TASK: usize = 16;
/// Beams are tried up to this, each a quarter wider than the one before.
const EF_MAX: usize = 4096;
/// The beam that says how hard a query is: of those tried, this one.
const FIRST: usize = 2;
/// Queries about as hard that are taken together.
const ALIKE: usize = 48;
/// So many of one kind among those say something of their kind.
const FEW: usize = 8;
/// Components of a shuffled query lie so far from each other in the row; a prime.
const STRIDE: usize = 7919;
/// To what a distance's logarithm may differ from the last one's: one row that is the query itself says nothing of the others.
const LOG_MAX: f32 = 3.0;

/// What beams of a segment find, by number of hits; filled when first needed.
#[derive(Debug, Default)]
pub(crate) struct Calibration([OnceLock<Beams>; KS.len()]);

impl Calibration {
    /// The numbers of hits that somebody has asked for.
    pub(crate) fn classes(&self) -> impl Iterator<Item = usize> {
        let classes = KS.into_iter().zip(&self.0);
        classes.filter_map(|(class, beams)| beams.get().map(|_| class))
    }

    fn of(&self, k: usize) -> Option<(usize, &OnceLock<Beams>)> {
        let mut classes = KS.into_iter().zip(&self.0);
        classes.find(|(class, _)| k <= *class)
    }
}

/// Beams by width, and what they find for queries by how hard they are.
#[derive(Debug)]
pub(crate) struct Beams {
    efs: Vec<usize>,
    /// From the easiest.
    bins: Vec<Bin>,
}

/// Queries about as hard.
#[derive(Debug)]
struct Bin {
    hardness: f32,
    /// That each beam can be trusted to give to these, and easier ones.
    recalls: Vec<f64>,
}

/// How wide a beam a query needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Beam(usize),
    /// No beam is known to find enough.
    EveryVector,
}

impl Beams {
    /// For a query that is so hard, by what the first beam found.
    pub(crate) fn need(&self, hardness: f32, recall: f64) -> Need {
        let harder = self.bins.partition_point(|bin| bin.hardness <= hardness);
        let bin = self.bins.get(harder.saturating_sub(1));
        let recalls = bin.map_or(&[][..], |bin| &bin.recalls);
        let mut beams = self.efs.iter().zip(recalls).skip(FIRST);
        let enough = beams.find(|(_, found)| **found >= recall);
        enough.map_or(Need::EveryVector, |(&ef, _)| Need::Beam(ef))
    }
}

/// The plan that gives a recall@k: it begins with a beam that says what a query needs.
///
/// Cost: the first time for a segment, some 400 exact searches and a few thousand by graph.
pub(crate) fn plan_for(
    view: &View,
    part: &Part,
    index: &GraphIndex,
    workers: &Workers,
    (k, recall): (usize, f64),
) -> Result<Plan> {
    let Some((class, beams)) = index.calibration.of(k) else {
        return Ok(Plan::exact(k));
    };
    // Two threads may both calibrate, to the same result; one that waited inside the pool could wait for itself.
    let beams = match beams.get() {
        Some(beams) => beams,
        None => {
            let segment = Calibrated {
                view,
                part,
                index,
                workers,
                k: class,
            };
            let measured = segment.beams()?;
            beams.get_or_init(|| measured)
        }
    };
    Ok(beams.efs.get(FIRST).map_or(Plan::exact(k), |&ef| Plan {
        recall: Some(recall),
        thorough: true,
        ..Plan::beam(class, ef)
    }))
}

/// What a query needs of which the first beam of [`plan_for`] found these, nearest first.
pub(crate) fn need(
    index: &GraphIndex,
    metric: Metric,
    query: &[f32],
    nearest: &[Neighbor],
    (k, recall): (usize, f64),
) -> Need {
    let beams = index.calibration.of(k).and_then(|(_, beams)| beams.get());
    let hardness = hardness(zero(index, metric, query), nearest, k);
    beams.map_or(Need::EveryVector, |beams| beams.need(hardness, recall))
}

/// What is added to distances so that none is below 0. Products have no least, but among rows of one length they order as distances, which
/// have.
fn zero(index: &GraphIndex, metric: Metric, query: &[f32]) -> f32 {
    match metric {
        Metric::L2 | Metric::Cosine => 0.0,
        Metric::Dot => {
            let norm_sq: f64 = query.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            norm_sq.sqrt() as f32 * index.codec.largest_norm()
        }
    }
}

/// Grows as the local intrinsic dimension around a query does, as its `k` nearest say: but for the first third, which may be copies of it.
/// Without these it is more than twice the dimension; of squared distances, as much as it.
fn hardness(zero: f32, nearest: &[Neighbor], k: usize) -> f32 {
    let distance = |n: &Neighbor| (zero + n.distance).max(0.0);
    let some = nearest.get(k / 3..k).and_then(|some| some.split_last());
    let Some((last, others)) = some else {
        return f32::INFINITY;
    };
    let last = distance(last);
    let logs = others
        .iter()
        .map(|n| (last / distance(n)).ln().min(LOG_MAX));
    let mean = logs.sum::<f32>() / others.len() as f32;
    // Rows that are all as far as each other are the hardest; so are those of which nobody knows how far they are.
    if mean > 0.0 && last.is_finite() {
        mean.recip()
    } else {
        f32::INFINITY
    }
}

/// How a sample query is made of a row, from what is like the rows to what is like none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Beside it, in a direction in which its neighbours differ, as new queries of the same kind lie.
    Beside,
    /// Halfway to another row.
    Between,
    /// Each component is another row's.
    Mixed,
    /// Its components in another order.
    Shuffled,
}

const KINDS: [Kind; 4] = [Kind::Beside, Kind::Between, Kind::Mixed, Kind::Shuffled];

/// Of two recalls.
const FIRST_FEW: usize = 0;
const ALL: usize = 1;

/// What beams found for a sample query.
#[derive(Clone, Debug)]
struct Answer {
    kind: Kind,
    hardness: f32,
    /// The recall of the first few hits and of all, by beam. The last holds for those that were not tried.
    shares: Vec<[f64; 2]>,
}

/// A segment that is calibrated.
struct Calibrated<'a> {
    view: &'a View,
    part: &'a Part,
    index: &'a GraphIndex,
    workers: &'a Workers,
    k: usize,
}

impl Calibrated<'_> {
    fn beams(&self) -> Result<Beams> {
        let widest = EF_MAX.min(self.part.segment.rows().saturating_sub(1) as usize);
        let wider = |ef: &usize| Some(ef + ef.div_ceil(4));
        let efs = std::iter::successors(Some(self.k), wider).take_while(|&ef| ef <= widest);
        let efs: Vec<usize> = efs.collect();
        // Every vector is looked at then, whatever beams would find.
        if efs.len() <= FIRST {
            return Ok(Beams {
                efs,
                bins: Vec::new(),
            });
        }
        let (kinds, queries) = self.sample()?;
        let dim = self.view.config.dim;
        let some = |(kinds, queries): (&[Kind], &[f32])| -> Result<Vec<Answer>> {
            let queries = Rows::new(queries, dim)?;
            let truth = self.truth(queries)?;
            let all = kinds.iter().zip(queries.iter()).zip(&truth);
            all.map(|((&kind, query), truth)| self.answer(kind, query, truth, &efs))
                .collect()
        };
        let answers: Result<Vec<Vec<Answer>>> = self.workers.threads.install(|| {
            let tasks = kinds.par_chunks(TASK).zip(queries.par_chunks(TASK * dim));
            tasks.map(some).collect()
        });
        let bins = bins(answers?.into_iter().flatten().collect(), efs.len());
        Ok(Beams { efs, bins })
    }

    fn truth(&self, queries: Rows<'_, f32>) -> Result<Vec<Vec<Neighbor>>> {
        let vectors = self.part.segment.vectors()?;
        let is_live = |row| self.part.is_live(row);
        vectors.nearest(self.view.config.metric, queries, self.k, is_live)
    }

    fn search(&self, query: &[f32], ef: usize) -> Result<Vec<Neighbor>> {
        let scratches = &self.workers.scratches;
        let plan = Plan {
            thorough: true,
            ..Plan::beam(self.k, ef)
        };
        search_graph(self.view, self.part, self.index, scratches, query, plan)
    }

    /// By ever wider beams, until one finds all there is.
    fn answer(
        &self,
        kind: Kind,
        query: &[f32],
        truth: &[Neighbor],
        efs: &[usize],
    ) -> Result<Answer> {
        let (mut hardness, mut shares) = (f32::INFINITY, Vec::new());
        for (beam, &ef) in efs.iter().enumerate() {
            let found = self.search(query, ef)?;
            if beam == FIRST {
                let zero = zero(self.index, self.view.config.metric, query);
                hardness = self::hardness(zero, &found, self.k);
            }
            let found = shares_of(&found, truth, self.k);
            shares.push(found);
            if beam >= FIRST && found == [1.0; 2] {
                break;
            }
        }
        Ok(Answer {
            kind,
            hardness,
            shares,
        })
    }

    /// Queries, row after row: of each row used one beside it, and one that is like no row.
    fn sample(&self) -> Result<(Vec<Kind>, Vec<f32>)> {
        let n = u64::from(self.part.segment.rows());
        let (mut kinds, mut queries) = (Vec::new(), Vec::new());
        for i in 0..ROWS {
            let row = self.vector(i as u64 * n / ROWS as u64)?;
            for kind in [Kind::Beside, KINDS[1 + i % 3]] {
                let query = self.made(kind, i as u64 + 1, &row)?;
                // What overflows or has no direction is no query.
                let usable = query.iter().all(|x| x.is_finite()) && query.iter().any(|&x| x != 0.0);
                queries.extend_from_slice(if usable { &query } else { &row });
                kinds.push(kind);
            }
        }
        Ok((kinds, queries))
    }

    fn made(&self, kind: Kind, i: u64, row: &[f32]) -> Result<Vec<f32>> {
        let n = u64::from(self.part.segment.rows());
        let other = |j: u64| {
            let from = i.wrapping_mul(0x9E37_79B9).wrapping_add(j * 0x85EB_CA6B);
            self.vector(from % n)
        };
        Ok(match kind {
            Kind::Beside => {
                let near = self.search(row, 4 * self.k)?;
                let [a, b] = [near.get(NEIGHBOR), near.get(1)]
                    .map(|n| n.map_or(Ok(row.into()), |n| self.vector(n.node.into())));
                // As far off as a neighbour is.
                let beside = |(x, (a, b))| x + std::f32::consts::FRAC_1_SQRT_2 * (a - b);
                row.iter().zip(a?.iter().zip(&*b?)).map(beside).collect()
            }
            Kind::Between => {
                let halfway = |(a, b): (&f32, &f32)| 0.5 * a + 0.5 * b;
                row.iter().zip(&*other(0)?).map(halfway).collect()
            }
            Kind::Mixed => (0..row.len())
                .map(|j| Ok(other(j as u64)?.get(j).copied().unwrap_or_default()))
                .collect::<Result<_>>()?,
            Kind::Shuffled => (0..row.len())
                .map(|j| row[(j * STRIDE + i as usize) % row.len()])
                .collect(),
        })
    }

    fn vector(&self, row: u64) -> Result<Cow<'_, [f32]>> {
        self.part.segment.vector(row as u32)
    }
}

/// The recall of the first few hits and of all.
fn shares_of(found: &[Neighbor], truth: &[Neighbor], k: usize) -> [f64; 2] {
    [k.div_ceil(3), k].map(|k| {
        let nearest =
            |list: &[Neighbor]| -> Vec<f32> { list.iter().take(k).map(|n| n.distance).collect() };
        share(nearest(found).into_iter(), nearest(truth).into_iter())
    })
}

/// Queries by how hard they are, and what each beam can be trusted to find for them.
fn bins(mut answers: Vec<Answer>, beams: usize) -> Vec<Bin> {
    answers.sort_by(|a, b| a.hardness.total_cmp(&b.hardness));
    let mut easier = vec![1.0; beams];
    let bin = |alike: &[Answer]| {
        for (beam, recall) in easier.iter_mut().enumerate() {
            *recall = trusted(alike, beam).min(*recall);
        }
        Bin {
            hardness: alike.first().map_or(0.0, |answer| answer.hardness),
            recalls: easier.clone(),
        }
    };
    answers.chunks(ALIKE).map(bin).collect()
}

/// The recall that is not promised in vain: of all these queries, the first few hits' or all hits', less a standard
/// error; or that of a kind among them that fares worse.
fn trusted(alike: &[Answer], beam: usize) -> f64 {
    let recall = |answers: &mut dyn Iterator<Item = &Answer>, hits: usize| {
        let shares = answers.filter_map(|answer| {
            let found = answer.shares.get(beam).or(answer.shares.last())?;
            found.get(hits).copied()
        });
        mean_and_error(&shares.collect::<Vec<f64>>())
    };
    let all = [FIRST_FEW, ALL].map(|hits| {
        let (mean, error) = recall(&mut alike.iter(), hits);
        mean - error
    });
    let kinds = KINDS.into_iter().filter_map(|kind| {
        let some = || alike.iter().filter(|answer| answer.kind == kind);
        (some().count() >= FEW).then(|| recall(&mut some(), ALL).0)
    });
    all.into_iter().chain(kinds).fold(1.0, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(distances: impl IntoIterator<Item = f32>) -> Vec<Neighbor> {
        let neighbors = distances.into_iter().zip(0..);
        neighbors
            .map(|(distance, node)| Neighbor { node, distance })
            .collect()
    }

    #[test]
    fn the_more_dimensions_the_harder() {
        // Evenly filled, a ball has `i` rows within `i` to the power of one by its dimension.
        let ball = |dim: f32| at((1..=1000).map(|i| (i as f32).powf(1.0 / dim)));
        for dim in [1.0f32, 5.0, 50.0] {
            let found = hardness(0.0, &ball(dim), 1000);
            // The mean of ln(1 / x) for x from a third to 1, inverted.
            assert!((found / dim - 2.219).abs() < 0.03, "{dim}: {found}");
            let moved = at(ball(dim).iter().map(|n| n.distance - 3.0));
            assert!((hardness(3.0, &moved, 1000) / found - 1.0).abs() < 0.01);
        }
        assert_eq!(hardness(0.0, &at([2.0; 10]), 10), f32::INFINITY);
        assert_eq!(hardness(0.0, &at([f32::INFINITY; 10]), 10), f32::INFINITY);
        assert_eq!(hardness(0.0, &at([1.0; 9]), 10), f32::INFINITY);
        // Copies of the query say little; a row that is as near as nothing does not make it easy.
        let copies = at([0.0; 4].into_iter().chain([8.0, 8.1, 8.2, 8.3, 8.4, 8.5]));
        assert!(hardness(0.0, &copies, 10) > 1.5);
    }

    #[test]
    fn harder_queries_get_no_narrower_beams() {
        let answer = |kind, hardness: usize, shares: &[f64]| Answer {
            kind,
            hardness: hardness as f32,
            shares: shares.iter().map(|&share| [share; 2]).collect(),
        };
        let efs = vec![10, 13, 17, 22];
        let easy = (0..ALIKE).map(|i| answer(Kind::Beside, i, &[0.5, 0.5, 1.0]));
        // Eight of a kind that find less than the others decide for these.
        let middle = (0..ALIKE).map(|i| match i < FEW {
            true => answer(Kind::Mixed, 100, &[0.5, 0.5, 0.5, 0.9]),
            false => answer(Kind::Beside, 100, &[1.0, 1.0, 1.0]),
        });
        let lucky = (0..ALIKE).map(|i| answer(Kind::Shuffled, 200 + i, &[1.0, 1.0, 1.0]));
        let beams = Beams {
            bins: bins(easy.chain(middle).chain(lucky).collect(), efs.len()),
            efs,
        };
        let need = |hardness, recall| beams.need(hardness, recall);
        assert_eq!(need(0.0, 0.3), Need::Beam(17), "the first is the third");
        assert_eq!(need(47.0, 1.0), Need::Beam(17));
        assert_eq!(need(100.0, 0.5), Need::Beam(17));
        assert_eq!(need(100.0, 0.9), Need::Beam(22));
        assert_eq!(need(1e9, 0.9), Need::Beam(22));
        assert_eq!(need(f32::INFINITY, 0.95), Need::EveryVector);
        assert_eq!(need(-1.0, 0.9), Need::Beam(17));
    }
}
