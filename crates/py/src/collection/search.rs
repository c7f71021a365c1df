//! Searching: by vectors and by stored records, in groups, and what a search misses.

use std::sync::Arc;

use proxime::{
    Diversity, Explanation, Filter, GroupBy, Presence, Results, SearchOptions, TextQuery,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{Collection, one_or_more, unwrapped};
use crate::hits::{Answers, Hits, Include};
use crate::words::How;
use crate::{args, arrays, call, error, filters, keys, options, text, values, words};

/// Whether texts were read, for who interrupts a search by words.
const INDEXED: [&str; 2] = [
    "the texts are indexed, and the next search by words finds them so",
    "the texts are not indexed yet: the next search by words does it",
];

impl Collection {
    /// What the first search by words does before: it takes long where there are many texts, so it can be stopped.
    fn index_words(&self, py: Python<'_>, query: &TextQuery) -> PyResult<()> {
        let fields = &query.fields;
        if call::detached(py, || self.inner.has_words_indexed(fields))? {
            return Ok(());
        }
        call::interruptible(py, None, INDEXED, |progress| {
            self.inner.index_words(fields, Some(progress))
        })
    }

    /// Of one vector alone.
    fn one_query(&self, query: &Bound<'_, PyAny>) -> PyResult<Vec<f32>> {
        let queries = arrays::queries(query, self.dim())?;
        if !queries.single {
            return Err(error::wrong_type("query", "one vector", query));
        }
        let rows = queries.rows(query.py(), self.dim())?;
        Ok(rows.iter().flatten().copied().collect())
    }

    /// `Hits` for each query.
    fn all_hits<'py>(&self, py: Python<'py>, results: Results) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let (results, dim) = (Arc::new(results), self.dim());
        let hits =
            |query| Ok(Bound::new(py, Hits::new(Arc::clone(&results), query, dim))?.into_any());
        (0..results.queries()).map(hits).collect()
    }

    fn answer<'py>(
        &self,
        queries: &Bound<'py, PyAny>,
        options: &SearchOptions,
        include: &[Include],
        explain: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, dim) = (queries.py(), self.dim());
        let queries = arrays::queries(queries, dim)?;
        let rows = queries.rows(py, dim)?;
        let search = || match explain {
            false => Ok((self.inner.search(rows, options)?, None)),
            true => {
                let (results, how) = self.inner.explain(rows, options)?;
                Ok((results, Some(how)))
            }
        };
        if queries.single || options.max_distance.is_some() {
            let (results, how) = call::detached(py, search)?;
            let answer = unwrapped(py, self.all_hits(py, results)?, queries.single)?;
            return with_explanation(answer, how);
        }
        let (answers, how) = call::detached(py, || {
            let (results, how) = search()?;
            let available = match &options.filter {
                Some(filter) if results.queries() == 0 => self.inner.count(filter)?,
                _ => self.inner.len()?,
            };
            let answers = Answers::gather(&results, include, options.k.min(available))?;
            Ok((answers, how))
        })?;
        with_explanation(answers.into_py(py, dim)?.into_any(), how)
    }
}

/// A tuple of both, if there is one.
fn with_explanation<'py>(
    answer: Bound<'py, PyAny>,
    how: Option<Explanation>,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(how) = how else { return Ok(answer) };
    let py = answer.py();
    let how = text::from_json(py, serde_json::to_string(&how))?;
    Ok((answer, how).into_pyobject(py)?.into_any())
}

#[pymethods]
impl Collection {
    /// The `k` nearest records of each query, nearest first. Smaller distances are nearer: "l2" is squared, "cosine" is
    /// 1 - cos, "dot" is the negated product.
    ///
    /// An array [n, dim] gives `(ids, distances)`, two arrays [n, k]; `include="metadata"` or `"vectors"`, or a list of
    /// these, adds to the tuple in that order. One vector gives `Hits`, which has everything.
    ///
    /// `recall`: the share of the nearest to find, such as 0.95; how widely to look follows from it, by measurements that are made
    /// when it is first asked for. `ef`: how widely to look, for experts; without it, until the codes leave nothing in doubt. `exact=True` compares with every vector. If there are
    /// fewer than `k` records, all are found.
    ///
    /// `where`: find only records whose metadata it is true of: a dict of operators (`{"year": {"$gte": 2020}}`), a text
    /// (`"year >= :y"`, with `params={"y": 2020}`), or an expression (`F("year") >= 2020`). `max_distance`: nothing farther;
    /// several queries then give a list of `Hits`, for each may have another number of them. `without`: ids of records that are not to
    /// be found, such as those that were shown before.
    ///
    /// `text`: search for words, too, or with neither `queries` nor `vector` for words alone: records that have any of them, in the metadata's
    /// `fields`, a str or a list of these, by BM25. `vector`: one query, in place of `queries`. `fusion`: how nearness and
    /// words are put together: "rrf", by ranks; "dbsf", by the distribution of scores; or two weights `(vector, text)` for scores from 0 to 1.
    /// The answer is `Hits` with `scores`, larger first, and `text_scores`. `depth`: how many of the nearest and of the best by words are looked at for both, `max(10 k, 100)` unless given.
    /// `counts`: those to score by, of more records than these; see `word_counts`.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a", "b"], np.eye(2), {"text": ["A red fox.", "The blue bird."]})
    /// >>> list(docs.search(text="BIRD, or plane").ids)
    /// ['b']
    /// >>> list(docs.search(vector=[1, 0], text="bird", fusion=(0.9, 0.1)).ids)
    /// ['a', 'b']
    ///
    /// `explain=True`, without `text`, gives a tuple of the answer and of a dict that tells how it was found: "queries", the seconds of the stages
    /// "filter_seconds", "prepare_seconds" (what is made at first use) and "search_seconds", and "segments", a dict each: "name", "rows",
    /// "available" (rows that may be found); how often it went which way, "walks" along the graph, "filtered_walks" from match to
    /// match, "code_scans" of all matches, "vector_scans" of all vectors; "ef", "nodes" met, "code_distances", of these "screened" by signs alone,
    /// "vector_distances", "vectors_read"; "codes_seconds", "rerank_seconds" and "scan_seconds", summed over threads. "unknown_fields": a dict for each field
    /// of `where` that no record has, "field", and "there", some that records have: a misspelt field is no error.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a", "b"], np.eye(2))
    /// >>> hits, how = docs.search([1, 0], k=1, explain=True)
    /// >>> how["segments"][0]["vector_scans"], how["segments"][0]["vectors_read"]
    /// (1, 2)
    #[pyo3(
        signature = (queries=None, k=None, *, vector=None, text=None, fields=None, fusion=None, depth=None, counts=None, r#where=None, params=None, ef=None, recall=None, exact=false, max_distance=None, without=None, include=None, explain=false),
        text_signature = "($self, queries=None, k=10, *, vector=None, text=None, fields='text', fusion='rrf', depth=None, counts=None, where=None, params=None, ef=None, recall=None, exact=False, max_distance=None, without=(), include=(), explain=False)"
    )]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one of Python's keywords"
    )]
    fn search<'py>(
        &self,
        py: Python<'py>,
        queries: Option<&Bound<'py, PyAny>>,
        k: Option<&Bound<'py, PyAny>>,
        vector: Option<&Bound<'py, PyAny>>,
        text: Option<&Bound<'py, PyAny>>,
        fields: Option<&Bound<'py, PyAny>>,
        fusion: Option<&Bound<'py, PyAny>>,
        depth: Option<&Bound<'py, PyAny>>,
        counts: Option<&Bound<'py, PyAny>>,
        r#where: Option<&Bound<'py, PyAny>>,
        params: Option<&Bound<'py, PyAny>>,
        ef: Option<&Bound<'py, PyAny>>,
        recall: Option<&Bound<'py, PyAny>>,
        exact: bool,
        max_distance: Option<&Bound<'py, PyAny>>,
        without: Option<&Bound<'py, PyAny>>,
        include: Option<&Bound<'py, PyAny>>,
        explain: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let max_distance = args::optional_number("max_distance", max_distance)?;
        let options = SearchOptions {
            filter: filters::from_py(r#where, params)?,
            max_distance: max_distance.map(|max| max as f32),
            without: options::without(without)?,
            ..plain_options(k, ef, recall, exact)?
        };
        let include = Include::from_py(include)?;
        let depth = args::optional_count("depth", depth)?;
        let how = How {
            fusion,
            depth,
            counts,
        };
        if queries.is_some() && vector.is_some() {
            return Err(error::misused(py, "queries or vector, not both"));
        }
        call::guarded(py, || match (text, queries.or(vector)) {
            (Some(_), _) if explain => Err(error::misused(
                py,
                "explain=True is for searches without text",
            )),
            (Some(text), vector) => {
                let vector = vector.map(|vector| self.one_query(vector)).transpose()?;
                let query = words::query(text, fields, vector, &how)?;
                self.index_words(py, &query)?;
                let found = call::detached(py, || self.inner.search_text(&query, &options))?;
                let hits = Hits::scored(found, self.dim());
                Ok(Bound::new(py, hits)?.into_any())
            }
            (None, Some(queries)) => {
                words::check_none(py, fields, &how)?;
                self.answer(queries, &options, &include, explain)
            }
            (None, None) => Err(error::misused(py, "search needs queries, vector or text")),
        })
    }

    /// What scores of a search with this `text` depend on besides the record: `{"texts": records with any words in these fields, "words": how many
    /// words these have, "texts_with": for each word of `text` the records that have it}`. Where several collections are searched as one, each gets the
    /// sum of all as `counts` of `search`, and gives the scores of one that has all records.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a", "b"], np.eye(2), {"text": ["A red fox.", "The blue bird."]})
    /// >>> docs.word_counts("Bird")
    /// {'texts': 2, 'words': 6, 'texts_with': {'bird': 1}}
    #[pyo3(signature = (text, fields=None), text_signature = "($self, text, fields='text')")]
    fn word_counts<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let query = words::query(text, fields, None, &How::default())?;
        call::guarded(py, || {
            self.index_words(py, &query)?;
            let counts = call::detached(py, || self.inner.word_counts(&query))?;
            words::counts_to_py(py, counts)
        })
    }

    /// The records nearest to a stored one, which itself is left out: `Hits`. For a list of ids a list of these.
    ///
    /// `k` and the keywords: as for `search`. An id that is not there is a `NotFoundError`.
    #[pyo3(
        signature = (id, k=None, **options),
        text_signature = "($self, id, k=10, *, where=None, params=None, ef=None, recall=None, exact=False, max_distance=None, without=())"
    )]
    fn search_by_id<'py>(
        &self,
        id: &Bound<'py, PyAny>,
        k: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = id.py();
        call::guarded(py, || {
            let options = options::from_keywords(k, options)?;
            let (ids, single) = one_or_more(id)?;
            let found = call::detached(py, || self.inner.search_by_id(&ids, &options))?;
            unwrapped(py, self.all_hits(py, found)?, single)
        })
    }

    /// The records that are like the `positive` ones and unlike the `negative` ones, none of which comes back: `Hits`.
    ///
    /// The query is the mean of the positive ones' vectors, and as far again away from that of the negative ones'; with "cosine" each
    /// counts with length 1. `positive`, `negative`: ids, as for `upsert`. `k` and the keywords: as for `search`.
    #[pyo3(
        signature = (positive, negative=None, k=None, **options),
        text_signature = "($self, positive, negative=(), k=10, *, where=None, params=None, ef=None, recall=None, exact=False, max_distance=None, without=())"
    )]
    fn recommend(
        &self,
        positive: &Bound<'_, PyAny>,
        negative: Option<&Bound<'_, PyAny>>,
        k: Option<&Bound<'_, PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Hits> {
        let py = positive.py();
        call::guarded(py, || {
            let options = options::from_keywords(k, options)?;
            let positive = keys::from_py(positive, None)?;
            let negative = negative.map(|ids| keys::from_py(ids, None)).transpose()?;
            let negative = negative.unwrap_or_default();
            let found =
                call::detached(py, || self.inner.recommend(&positive, &negative, &options))?;
            Ok(Hits::new(Arc::new(found), 0, self.dim()))
        })
    }

    /// The `k` groups nearest to one query, by the nearest record of each: a list of tuples of a value and `Hits`. A group is the
    /// records with one value in the field `group_by`; those without a single value are in none.
    ///
    /// There are always `k` groups where there are so many values, however many records the nearest have. `group_size`: hits of
    /// each at most. The keywords: as for `search`.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a1", "a2", "b1"], [[1, 0], [1, 0.1], [0, 1]], {"doc": ["a", "a", "b"]})
    /// >>> [(doc, list(hits.ids)) for doc, hits in docs.search_groups([1, 0], "doc")]
    /// [('a', ['a1']), ('b', ['b1'])]
    #[pyo3(
        signature = (query, group_by, k=None, *, group_size=None, **options),
        text_signature = "($self, query, group_by, k=10, *, group_size=1, where=None, params=None, ef=None, recall=None, exact=False, max_distance=None, without=())"
    )]
    fn search_groups<'py>(
        &self,
        query: &Bound<'py, PyAny>,
        group_by: &Bound<'py, PyAny>,
        k: Option<&Bound<'py, PyAny>>,
        group_size: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let py = query.py();
        call::guarded(py, || {
            let options = options::from_keywords(k, options)?;
            let by = GroupBy {
                field: args::text("group_by", group_by)?,
                size: args::optional_count("group_size", group_size)?.unwrap_or(1),
            };
            let query = self.one_query(query)?;
            let found = call::detached(py, || self.inner.search_groups(&query, &by, &options))?;
            let values = found
                .values
                .iter()
                .map(|value| values::value_to_py(py, value));
            let hits = self.all_hits(py, found.hits)?;
            values
                .zip(hits)
                .map(|(value, hits)| Ok((value?, hits)))
                .collect()
        })
    }

    /// Records near to one query that differ from each other, in the order in which they are chosen: `Hits`. First comes the nearest, and
    /// then each time the best of the `candidates` nearest by nearness to the query, weighted by `relevance`, and distance from those chosen
    /// before, weighted by the rest (maximal marginal relevance). At `relevance=1` the answer is that of `search`. The keywords: as there.
    ///
    /// >>> import proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2, metric="l2")
    /// >>> docs.upsert(["a", "as a", "b"], [[1, 0], [1.1, 0], [0, 2]])
    /// >>> list(docs.search_diverse([0, 0], k=2).ids)
    /// ['a', 'b']
    #[pyo3(
        signature = (query, k=None, *, relevance=None, candidates=None, **options),
        text_signature = "($self, query, k=10, *, relevance=0.5, candidates=50, where=None, params=None, ef=None, recall=None, exact=False, max_distance=None, without=())"
    )]
    fn search_diverse(
        &self,
        query: &Bound<'_, PyAny>,
        k: Option<&Bound<'_, PyAny>>,
        relevance: Option<&Bound<'_, PyAny>>,
        candidates: Option<&Bound<'_, PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Hits> {
        let py = query.py();
        call::guarded(py, || {
            let options = options::from_keywords(k, options)?;
            let mut by = Diversity::default();
            if let Some(relevance) = args::optional_number("relevance", relevance)? {
                by.relevance = relevance as f32;
            }
            if let Some(candidates) = args::optional_count("candidates", candidates)? {
                by.candidates = candidates;
            }
            let query = self.one_query(query)?;
            let found = call::detached(py, || self.inner.search_diverse(&query, by, &options))?;
            Ok(Hits::new(Arc::new(found), 0, self.dim()))
        })
    }

    /// The `k` nearest records of each query, of those that its own filter is true of: a list of `Hits`.
    ///
    /// `filters`: one for each query, as for `where` of `search`, or None; `params` are for those that are texts. `where` and the other
    /// keywords are for all queries, as for `search`.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a", "b"], np.eye(2), {"lang": ["en", "de"]})
    /// >>> [list(hits.ids) for hits in docs.search_each(np.eye(2), [{"lang": "de"}, None])]
    /// [['b'], ['b', 'a']]
    #[pyo3(
        signature = (queries, filters, k=None, **options),
        text_signature = "($self, queries, filters, k=10, *, where=None, params=None, ef=None, recall=None, exact=False, max_distance=None, without=())"
    )]
    fn search_each<'py>(
        &self,
        queries: &Bound<'py, PyAny>,
        filters: &Bound<'py, PyAny>,
        k: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let (py, dim) = (queries.py(), self.dim());
        call::guarded(py, || {
            let (filters, options) = options::with_filters(filters, k, options)?;
            let queries = arrays::queries(queries, dim)?;
            let rows = queries.rows(py, dim)?;
            let found = call::detached(py, || self.inner.search_each(rows, &filters, &options))?;
            self.all_hits(py, found)
        })
    }

    /// Why a search for `query` does not return the record `id`: a dict.
    ///
    /// "found": whether it does. "presence": "stored", "deleted" (what is left of it is on disk), or "unknown" (never there, or long
    /// gone). "left_out": whether `without` names it. "rejected_by": the parts of `where` that are false of it, as text. "unknown_fields": as for `search`
    /// with `explain`. "rank": its true place, from 1, among the records that may be found; `where` aside if it rejects it; `k` must be at least that. "distance", "too_far": how far it is, and whether that is beyond
    /// `max_distance`. "ef": a beam that finds it; None if only `exact=True` does. `k` and the keywords: as for `search`.
    ///
    /// >>> import numpy as np, proxime
    /// >>> docs = proxime.open(":memory:").create_collection("docs", dim=2)
    /// >>> docs.upsert(["a", "b"], np.eye(2), {"lang": ["en", "de"]})
    /// >>> docs.why_not([1, 0], "b", where={"lang": "en"})["rejected_by"]
    /// ["lang = 'en'"]
    #[pyo3(
        signature = (query, id, k=None, **options),
        text_signature = "($self, query, id, k=10, *, where=None, params=None, ef=None, recall=None, exact=False, max_distance=None, without=())"
    )]
    fn why_not<'py>(
        &self,
        query: &Bound<'py, PyAny>,
        id: &Bound<'py, PyAny>,
        k: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = query.py();
        call::guarded(py, || {
            let options = options::from_keywords(k, options)?;
            let id = keys::one(id, None)?;
            let query = self.one_query(query)?;
            let why = call::detached(py, || self.inner.why_not(&query, &id, &options))?;
            let dict = PyDict::new(py);
            dict.set_item("found", why.found)?;
            let presence = match why.presence {
                Presence::Stored => "stored",
                Presence::Deleted => "deleted",
                Presence::Unknown => "unknown",
            };
            dict.set_item("presence", presence)?;
            dict.set_item("left_out", why.left_out)?;
            let rejected_by: Vec<String> = why.rejected_by.iter().map(Filter::to_string).collect();
            dict.set_item("rejected_by", rejected_by)?;
            let unknown = text::from_json(py, serde_json::to_string(&why.unknown_fields))?;
            dict.set_item("unknown_fields", unknown)?;
            dict.set_item("distance", why.distance)?;
            dict.set_item("rank", why.rank)?;
            dict.set_item("too_far", why.too_far)?;
            dict.set_item("ef", why.ef)?;
            Ok(dict)
        })
    }

    /// What share of the true `k` nearest these queries get from a search with these options: a dict of "queries", "recall"
    /// (the mean) and "interval" (half its 95 % confidence interval). Each query is answered twice, once by comparing with every
    /// vector.
    #[pyo3(
        signature = (queries, k=None, *, ef=None, recall=None),
        text_signature = "($self, queries, k=10, *, ef=None, recall=None)"
    )]
    fn measure_recall<'py>(
        &self,
        py: Python<'py>,
        queries: &Bound<'py, PyAny>,
        k: Option<&Bound<'py, PyAny>>,
        ef: Option<&Bound<'py, PyAny>>,
        recall: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = plain_options(k, ef, recall, false)?;
        call::guarded(py, || {
            let queries = arrays::queries(queries, self.dim())?;
            let rows = queries.rows(py, self.dim())?;
            let measured = call::detached(py, || self.inner.measure_recall(rows, &options))?;
            text::from_json(py, serde_json::to_string(&measured))
        })
    }
}

fn plain_options(
    k: Option<&Bound<'_, PyAny>>,
    ef: Option<&Bound<'_, PyAny>>,
    recall: Option<&Bound<'_, PyAny>>,
    exact: bool,
) -> PyResult<SearchOptions> {
    let defaults = SearchOptions::default();
    Ok(SearchOptions {
        k: args::optional_count("k", k)?.unwrap_or(defaults.k),
        ef: args::optional_count("ef", ef)?,
        recall: args::optional_number("recall", recall)?,
        exact,
        ..defaults
    })
}
