//! What searches with given options find, and how long they take: for `bench` and `tune`.

use std::time::{Duration, Instant};

use proxime::{Collection, Recall, Results, Rows, SearchOptions, VectorSource};
use serde::Serialize;

use crate::args;
use crate::array::Array;
use crate::cmd::{open_read_only, tell_unknown};
use crate::error::Error;

/// A batch is answered again and again for so long.
const BATCH_TIME: Duration = Duration::from_millis(500);
/// Queries answered one at a time, at least, so that a 99th percentile means something; each is asked once more often if there are few.
const SINGLES_MIN: usize = 1000;

/// One setting, measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    /// The beam width; none if every vector was looked at.
    pub(crate) ef: Option<usize>,
    pub(crate) recall: f64,
    /// Half the width of the 95 % confidence interval.
    pub(crate) interval: f64,
    /// All queries in one call, on all threads.
    pub(crate) queries_per_s: f64,
    /// One query at a time.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// A collection, and queries with their true answers.
pub(crate) struct Bench {
    collection: Collection,
    queries: Vec<f32>,
    options: SearchOptions,
    exact: Results,
}

impl Bench {
    /// Reads the queries and answers them exactly.
    pub(crate) fn new(of: &args::Measured) -> Result<Bench, Error> {
        let (limit, options) = (of.queries.get(), of.options());
        let queries = Array::open_queries(&of.query, of.array.as_deref())?;
        let collection = open_read_only(&of.db)?.collection(&of.collection)?;
        queries.check_dim(&collection)?;
        tell_unknown(&collection, &options.filter)?;
        let mut vectors = vec![0.0; queries.rows().min(limit) * queries.dim()];
        queries.read_rows(0, &mut vectors)?;
        let exact = SearchOptions {
            exact: true,
            ..options.clone()
        };
        let exact = Rows::new(&vectors, queries.dim())
            .map_err(proxime::Error::from)
            .and_then(|rows| collection.search(rows, &exact))
            .map_err(|e| Error::from_vectors(queries.name(), 0, e))?;
        if (0..exact.queries()).all(|query| exact.hits(query).next().is_none()) {
            return Err(Error::NothingToMeasure);
        }
        Ok(Bench {
            collection,
            queries: vectors,
            options,
            exact,
        })
    }

    pub(crate) fn queries(&self) -> usize {
        self.exact.queries()
    }

    pub(crate) fn records(&self) -> Result<usize, Error> {
        Ok(self.collection.len()?)
    }

    /// The collection's own beam width.
    pub(crate) fn default_ef(&self) -> usize {
        self.collection
            .config()
            .params
            .ef_search()
            .max(self.options.k)
    }

    /// What a beam of this width finds, or an exact search.
    pub(crate) fn recall(&self, ef: Option<usize>) -> Result<Recall, Error> {
        let found = self.search(&self.queries, &self.with(ef))?;
        Ok(Recall::of(&found, &self.exact))
    }

    /// The same, and how long it takes.
    pub(crate) fn measure(&self, ef: Option<usize>) -> Result<Measured, Error> {
        // Also what warms up.
        let recall = self.recall(ef)?;
        let options = self.with(ef);
        let (mut batches, started) = (0, Instant::now());
        while batches == 0 || started.elapsed() < BATCH_TIME {
            self.search(&self.queries, &options)?;
            batches += 1;
        }
        let queries_per_s = (batches * self.queries()) as f64 / started.elapsed().as_secs_f64();
        let dim = self.collection.config().dim;
        let mut times = Vec::new();
        for query in self.queries.chunks_exact(dim).cycle() {
            if times.len() >= SINGLES_MIN.max(self.queries()) {
                break;
            }
            let started = Instant::now();
            self.search(query, &options)?;
            times.push(started.elapsed().as_secs_f64() * 1e6);
        }
        times.sort_by(f64::total_cmp);
        Ok(Measured {
            ef,
            recall: recall.recall,
            interval: recall.interval,
            queries_per_s,
            p50_us: percentile(&times, 0.5),
            p99_us: percentile(&times, 0.99),
        })
    }

    fn with(&self, ef: Option<usize>) -> SearchOptions {
        SearchOptions {
            ef,
            exact: ef.is_none(),
            ..self.options.clone()
        }
    }

    fn search(&self, queries: &[f32], options: &SearchOptions) -> Result<Results, Error> {
        let rows = Rows::new(queries, self.collection.config().dim);
        let rows = rows.map_err(proxime::Error::from)?;
        Ok(self.collection.search(rows, options)?)
    }
}

/// Of sorted values, the one that so many of them do not exceed.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// The table's head, and a line of it.
pub(crate) const HEAD: &str = "     ef   recall               queries/s      p50 us      p99 us";

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ef = self.ef.map_or("exact".to_owned(), |ef| ef.to_string());
        write!(
            f,
            "{ef:>7}   {:.4} +- {:.4}   {:>12.0} {:>11.0} {:>11.0}",
            self.recall, self.interval, self.queries_per_s, self.p50_us, self.p99_us
        )
    }
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn a_percentile_is_a_value_that_was_there() {
        let times: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(
            (percentile(&times, 0.5), percentile(&times, 0.99)),
            (50.0, 99.0)
        );
        assert_eq!((percentile(&[7.0], 0.99), percentile(&[], 0.5)), (7.0, 0.0));
    }
}
