//! What takes computing: whether codes are those of their vectors, ids lead to their rows, and searches tell the truth.
//!
//! Quick verification proves that bytes are what was written; this asks whether what was written is right. Codes are encoded again
//! from the vectors and compared byte by byte. Every live row must be what its id leads to. Then some of the stored
//! vectors are searched for, by the graphs and exactly: each distance is compared with one computed in float64, and the share of
//! the true nearest that the graphs find is reported. No recall is called a problem: what is enough is the user's to say.

use proxime_quant::Codes;
use proxime_simd::reference;
use rayon::prelude::*;

use crate::pool::Workers;
use crate::search::{self, Place, Plan};
use crate::segment::Segment;
use crate::snapshot::View;
use crate::{DeepReport, Metric, Result, Rows};

/// Stored vectors that are searched for, spread evenly over the records.
const QUERIES_MAX: usize = 200;
/// Neighbours asked for.
const K: usize = 10;
/// Rows that one task encodes at once.
const CHUNK_ROWS: usize = 1024;

/// Cost: every vector encoded; one lookup per row; 200 exact searches.
pub(super) fn verify(
    view: &View,
    workers: &Workers,
    problems: &mut Vec<String>,
) -> Result<DeepReport> {
    let mut report = DeepReport::default();
    for part in &view.parts {
        report.codes += part.segment.graph().map_or(0, |index| index.graph.n());
        problems.extend(workers.threads.install(|| wrong_codes(&part.segment)));
    }
    problems.extend(lost_id(view));
    sample(view, workers, &mut report, problems)?;
    Ok(report)
}

/// The first row whose codes are not those of its vector.
pub(crate) fn wrong_codes(segment: &Segment) -> Option<String> {
    let index = segment.graph()?;
    let (vectors, codes) = (segment.vectors().ok()?, segment.codes());
    let (n, dim) = (vectors.n(), index.codec.dim());
    let stride = codes.len() / n.max(1);
    let starts: Vec<usize> = (0..n).step_by(CHUNK_ROWS).collect();
    let wrong = |start: usize| {
        let rows = start..n.min(start + CHUNK_ROWS);
        let stored = codes.get(rows.start * stride..rows.end * stride)?;
        let some = vectors.get(rows.clone());
        let what = match Codes::encode(&index.codec, Rows::new(&some, dim).ok()?) {
            Ok(again) => {
                let both = again.as_bytes().chunks(stride).zip(stored.chunks(stride));
                let row = rows.start
                    + both
                        .into_iter()
                        .position(|(again, stored)| again != stored)?;
                format!("the code of row {row} is not that of its vector")
            }
            Err(e) => format!("rows {rows:?} cannot be encoded: {e}"),
        };
        Some(format!("{}: {what}", segment.name()))
    };
    starts.into_par_iter().find_map_first(wrong)
}

/// The first live row that its id does not lead to: then two records have the same id, or one cannot be found by it.
fn lost_id(view: &View) -> Option<String> {
    view.parts.iter().find_map(|part| {
        let segment = &part.segment;
        let leads_elsewhere = |&row: &u32| match view.find(segment.ids.bytes(row)) {
            Some((found, at)) => !std::ptr::eq(found, part) || at != row,
            None => true,
        };
        let row = part.live_rows().find(leads_elsewhere)?;
        Some(format!(
            "{}: row {row} is not what id {} leads to",
            segment.name(),
            segment.id(row).to_key()
        ))
    })
}

/// Searches for some of the stored vectors.
fn sample(
    view: &View,
    workers: &Workers,
    report: &mut DeepReport,
    problems: &mut Vec<String>,
) -> Result<()> {
    let live = view.live();
    let step = live.div_ceil(QUERIES_MAX).max(1);
    let all = view
        .parts
        .iter()
        .flat_map(|part| part.live_rows().map(|row| part.segment.vector(row)));
    let queries = all.step_by(step).collect::<Result<Vec<_>>>()?.concat();
    let queries = Rows::new(&queries, view.config.dim)?;
    if queries.n() == 0 {
        return Ok(());
    }
    let run = |exact| {
        let (k, ef) = (K.min(live), view.config.params.ef_search());
        let plan = Plan {
            exact,
            ..Plan::beam(k, ef)
        };
        search::search(view, workers, queries, plan, None, None).map(|found| found.places)
    };
    let (found, exact) = (run(false)?, run(true)?);
    let mut hits = 0;
    for (row, (query, (found, exact))) in queries.iter().zip(found.iter().zip(&exact)).enumerate() {
        let farthest = exact.last().map_or(f32::MIN, |place| place.distance);
        hits += found.iter().filter(|f| f.distance <= farthest).count();
        report.distances += found.len() + exact.len();
        let wrong = found
            .iter()
            .chain(exact)
            .find_map(|place| wrong_distance(view, query, place));
        problems.extend(wrong.map(|what| format!("sampled query {row}: {what}")));
        if found.len() != exact.len() {
            problems.push(format!(
                "sampled query {row}: {} records found of {}",
                found.len(),
                exact.len()
            ));
        }
    }
    report.queries = queries.n();
    report.recall = Some(hits as f64 / exact.iter().map(Vec::len).sum::<usize>().max(1) as f64);
    Ok(())
}

fn wrong_distance(view: &View, query: &[f32], place: &Place) -> Option<String> {
    let segment = &view.parts.get(place.part as usize)?.segment;
    let vector = segment.vector(place.row).ok()?;
    let expected = reference::distance(view.config.metric, query, &vector);
    // Float32 sums err by at most this share of the terms' size for each of them.
    let size = match view.config.metric {
        Metric::Cosine => 1.0,
        Metric::L2 | Metric::Dot => reference::norm_sq(query) + reference::norm_sq(&vector),
    };
    let tolerance = f64::from(f32::EPSILON) * (16 + query.len()) as f64 * size;
    let got = f64::from(place.distance);
    ((got - expected).abs() > tolerance).then(|| {
        format!(
            "row {} of {} is at {expected}, the search says {got}",
            place.row,
            segment.name()
        )
    })
}
