//! Search by words, and by words and a vector together.
//!
//! Every text in the metadata can be searched, without a word about it beforehand: the words of a part are an index like
//! those of filters, made from the encoded metadata at the first search and kept in memory. What counts, what a filter lets through and
//! what a crash leaves is therefore the same for words as for vectors. A tail of small batches is a few parts like others.

mod fusion;
mod index;
mod rank;

use std::collections::HashMap;
use std::sync::Arc;

use proxime_core::Candidate;

pub use fusion::Fusion;
pub(crate) use index::{Fields, WordIndex};
pub use rank::WordCounts;
use rank::{Bm25, Ranked, word_counts};

use crate::collection::choose_by;
use crate::search::{Chosen, Place};
use crate::snapshot::{Part, View};
use crate::{Collection, Error, Progress, Result, Results, Rows, SearchOptions};

/// Bytes that the text of a query may have.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Records of each list that fusion looks at: so many for each that is wanted, and never fewer than `CANDIDATES_MIN`.
const CANDIDATES_PER_HIT: usize = 10;
const CANDIDATES_MIN: usize = 100;

/// What to search for by words.
///
/// ```
/// use proxime::{Batch, CollectionConfig, Database, Metadata, Rows, SearchOptions, TextQuery};
/// let docs = Database::in_memory()?.create_collection("docs", CollectionConfig::new(2))?;
/// let text = |text: &str| Metadata::from([("body".to_owned(), text.into())]);
/// let vectors = [1.0, 0.0, 0.0, 1.0];
/// let vectors = Rows::new(&vectors, 2)?;
/// let batch = Batch::new(vec![1.into(), 2.into()], &vectors)
///     .metadata(vec![text("a red fox"), text("a blue bird")]);
/// docs.upsert(batch)?;
/// let query = TextQuery::new("Red birds or a red fox", ["body"]);
/// let found = docs.search_text(&query, &SearchOptions::k(1))?;
/// assert_eq!(found.hits.hits(0).next().map(|hit| hit.id()), Some(1.into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TextQuery {
    /// Words, in any order; which words they are follows Unicode (UAX #29), in small letters. At most 1 MiB.
    pub text: String,
    /// Where records have their text: fields as [`field`](crate::field) takes them. A text, or a list of texts; several are one.
    pub fields: Vec<String>,
    /// What records shall be near to, as well.
    pub vector: Option<Vec<f32>>,
    /// How what words find and what is near are put together.
    pub fusion: Fusion,
    /// How many of the nearest, and of the best by words, are looked at when both are put together; `None`: `max(10 k, 100)`. What is in neither of
    /// these lists is not found.
    pub depth: Option<usize>,
    /// The counts to score by, where more records than those of this collection are searched as one.
    pub counts: Option<WordCounts>,
}

impl TextQuery {
    /// Words alone.
    pub fn new<S: Into<String>>(
        text: impl Into<String>,
        fields: impl IntoIterator<Item = S>,
    ) -> TextQuery {
        TextQuery {
            text: text.into(),
            fields: fields.into_iter().map(Into::into).collect(),
            vector: None,
            fusion: Fusion::default(),
            depth: None,
            counts: None,
        }
    }

    /// Words and a vector.
    #[must_use]
    pub fn vector(mut self, vector: impl Into<Vec<f32>>, fusion: Fusion) -> TextQuery {
        (self.vector, self.fusion) = (Some(vector.into()), fusion);
        self
    }

    fn check(&self) -> Result<()> {
        self.fusion.check()?;
        match self.text.len() {
            ..=TEXT_BYTES_MAX => Ok(()),
            bytes => Err(Error::Parameter {
                name: "text",
                value: format!("{bytes} bytes"),
                limit: format!("at most {TEXT_BYTES_MAX} bytes"),
            }),
        }
    }
}

/// What a search by words found, best first.
#[derive(Debug)]
pub struct Scored {
    /// The answer to one query, `hits.hits(0)`. Distances are to its vector; not a number, if it has none.
    pub hits: Results,
    /// Of each hit.
    pub scores: Vec<Score>,
}

/// Why a hit is where it is; larger is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// What hits are put in order by: what fusion makes of both, or of words alone `text`.
    pub score: f64,
    /// By words alone: BM25 with `k1 = 1.2`, `b = 0.75`. 0 if the record has none of them.
    pub text: f64,
}

impl Collection {
    /// The records that answer the words best by BM25, or that come first when this and nearness are put together.
    ///
    /// By words alone: always `min(k, records with at least one of the words)` hits. With a vector: `min(k, len)`, or with a filter as many as
    /// it is true of; only `max_distance`, and a `depth` below `k`, make them fewer. Scores depend on the records that are there, not on how they
    /// were written, and not on the filter. Equal scores are in the order of ids.
    ///
    /// Errors: those of [`Collection::search`]; no field, or a wrong one; a text beyond 1 MiB; a weight below 0; `max_distance` without a vector.
    /// Cost: the rows with one of the words are looked at; the first time, all texts in these fields, as by [`index_words`](Collection::index_words).
    /// With a vector, a search for `depth` more.
    pub fn search_text(&self, query: &TextQuery, options: &SearchOptions) -> Result<Scored> {
        query.check()?;
        let fields = Fields::from_paths(&query.fields)?;
        let view = self.view()?;
        let chosen = choose_by(&view, options)?;
        let indexes = self.words_of(&view, &fields, None)?;
        let words = Bm25::new(&view, indexes, &query.text, query.counts.as_ref());
        let scored = match &query.vector {
            None => by_words(&words, chosen.as_deref(), options)?,
            Some(vector) => {
                let depth = options.k.saturating_mul(CANDIDATES_PER_HIT);
                let depth = query.depth.unwrap_or(depth.max(CANDIDATES_MIN));
                let query = (Rows::new(vector, vector.len())?, query.fusion, depth);
                self.by_both(&view, &words, query, chosen.as_deref(), options)?
            }
        };
        let (places, scores) = scored.into_iter().unzip();
        Ok(Scored {
            hits: Results::new(view, vec![places]),
            scores,
        })
    }

    /// What scores of this query depend on besides the record: see [`WordCounts`]. Whether the query has a vector, and counts of its own, makes no difference.
    ///
    /// Errors and cost: those of [`search_text`](Collection::search_text) by words alone.
    pub fn word_counts(&self, query: &TextQuery) -> Result<WordCounts> {
        query.check()?;
        let fields = Fields::from_paths(&query.fields)?;
        let view = self.view()?;
        let indexes = self.words_of(&view, &fields, None)?;
        Ok(word_counts(&view, &indexes, &query.text))
    }

    /// Reads all texts in these fields, which the first search by words in them does otherwise. That they were read is forgotten when there is not room for
    /// the words of all fields that were searched.
    ///
    /// Errors: no field, or a wrong one; interrupted by `progress`, which is told of each segment from the start.
    pub fn index_words<S: AsRef<str>>(
        &self,
        fields: &[S],
        progress: Option<Progress<'_>>,
    ) -> Result<()> {
        let fields = Fields::from_paths(fields)?;
        self.words_of(&*self.view()?, &fields, progress).map(drop)
    }

    /// Whether a search by words in these fields has no text to read before.
    ///
    /// Errors: no field, or a wrong one.
    pub fn has_words_indexed<S: AsRef<str>>(&self, fields: &[S]) -> Result<bool> {
        let fields = Fields::from_paths(fields)?;
        let view = self.view()?;
        Ok(view
            .parts
            .iter()
            .all(|part| part.segment.has_words(&fields)))
    }

    /// Of each part of a view.
    fn words_of(
        &self,
        view: &View,
        fields: &Fields,
        progress: Option<Progress<'_>>,
    ) -> Result<Vec<Arc<WordIndex>>> {
        let workers = self.database.pool.workers()?;
        let words = |part: &Part| part.segment.words(fields, &workers, progress);
        view.parts.iter().map(words).collect()
    }

    fn by_both(
        &self,
        view: &View,
        words: &Bm25<'_>,
        (vector, fusion, depth): (Rows<'_, f32>, Fusion, usize),
        chosen: Option<&[Chosen]>,
        options: &SearchOptions,
    ) -> Result<Vec<(Place, Score)>> {
        let plan = self.plan(vector, options)?;
        let near = self.run(view, vector, plan.with_k(depth), options.recall, chosen)?;
        let near: Vec<Place> = near.into_iter().flatten().collect();
        let mut also: Vec<Ranked> = near.iter().map(Ranked::unscored).collect();
        let best = words.best(depth, chosen, &mut also);

        let nearness: Vec<f64> = near
            .iter()
            .map(|place| -f64::from(place.distance))
            .collect();
        let texts: Vec<f64> = best.iter().map(|ranked| ranked.score).collect();
        let mut fused: HashMap<(u32, u32), (Place, Score)> = HashMap::new();
        for ((place, ranked), score) in near.iter().zip(&also).zip(fusion.of_vectors(&nearness)) {
            let text = ranked.score;
            fused.insert((place.part, place.row), (*place, Score { score, text }));
        }
        for (ranked, score) in best.iter().zip(fusion.of_texts(&texts)) {
            let at = (ranked.part, ranked.row);
            if let Some((_, both)) = fused.get_mut(&at) {
                both.score += score;
                continue;
            }
            let place = self.measured(view, vector, ranked)?;
            let text = ranked.score;
            if place.distance <= plan.max_distance {
                fused.insert(at, (place, Score { score, text }));
            }
        }
        let mut scored: Vec<_> = fused.into_values().collect();
        let id = |place: &Place| {
            let part = view.parts.get(place.part as usize);
            part.map(|part| part.segment.id(place.row))
        };
        scored.sort_unstable_by(|(a, one), (b, other)| {
            let by_score = other.score.total_cmp(&one.score);
            by_score.then_with(|| id(a).cmp(&id(b)))
        });
        scored.truncate(options.k);
        Ok(scored)
    }

    /// A place that words found, with its distance.
    fn measured(&self, view: &View, vector: Rows<'_, f32>, ranked: &Ranked) -> Result<Place> {
        let mut place = ranked.place(f32::INFINITY);
        if let Some(part) = view.parts.get(place.part as usize) {
            let (node, metric) = (place.row, self.config.metric);
            let vectors = part.segment.vectors_of(std::iter::once(node))?;
            let one = std::iter::once(Candidate { key: 0, node });
            let query = vector.iter().next().unwrap_or_default();
            let found = vectors.rerank(metric, query, one, 1)?;
            found
                .iter()
                .for_each(|found| place.distance = found.distance);
        }
        Ok(place)
    }
}

fn by_words(
    words: &Bm25<'_>,
    chosen: Option<&[Chosen]>,
    options: &SearchOptions,
) -> Result<Vec<(Place, Score)>> {
    if let Some(max) = options.max_distance {
        return Err(Error::Parameter {
            name: "max_distance",
            value: max.to_string(),
            limit: "given with a vector".to_owned(),
        });
    }
    let best = words.best(options.k, chosen, &mut []);
    let scored = best.iter().map(|ranked| {
        let (score, text) = (ranked.score, ranked.score);
        (ranked.place(f32::NAN), Score { score, text })
    });
    Ok(scored.collect())
}
