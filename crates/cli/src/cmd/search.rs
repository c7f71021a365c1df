//! `search`: the nearest records of each query, as a table or as JSON Lines.
//!
//! Queries are read and answered in groups, so a file of any length needs little memory and the first answers come early.

use std::io::Write;
use std::path::Path;

use proxime::{
    Collection, Diversity, Explanation, Filter, GroupBy, Hit, Key, Metadata, Record, Rows, Score,
    SearchOptions, TextQuery, VectorSource, field, metadata_to_json,
};
use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use crate::args::Search;
use crate::array::Array;
use crate::cmd::{open_read_only, tell_unknown};
use crate::error::{Error, Exit};
use crate::print::{self, Clean};
use crate::{records, typed};

/// Hits held at once.
const HITS_MAX: usize = 1 << 20;
/// Queries answered at once: enough to keep every thread busy.
const QUERIES_MAX: usize = 1024;
/// Components of queries held at once: 64 MiB.
const COMPONENTS_MAX: usize = 1 << 24;

/// The hits of one query.
#[derive(Serialize)]
struct Answer {
    query: usize,
    /// The value of its records, if it is a group of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Json>,
    #[serde(serialize_with = "ids_as_json")]
    ids: Vec<Key>,
    distances: Vec<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_scores: Option<Vec<f64>>,
    #[serde(serialize_with = "metadata_as_json")]
    metadata: Vec<Metadata>,
}

impl Answer {
    fn of<'a>(
        query: usize,
        hits: impl Iterator<Item = Hit<'a>>,
        scores: Option<&[Score]>,
    ) -> Result<Answer, Error> {
        let each = |number: fn(&Score) -> f64| scores.map(|all| all.iter().map(number).collect());
        let mut answer = Answer {
            query,
            group: None,
            ids: Vec::new(),
            distances: Vec::new(),
            scores: each(|score| score.score),
            text_scores: each(|score| score.text),
            metadata: Vec::new(),
        };
        for hit in hits {
            answer.ids.push(hit.id());
            answer.distances.push(hit.distance());
            answer.metadata.push(hit.metadata()?);
        }
        Ok(answer)
    }
}

fn ids_as_json<S: Serializer>(ids: &[Key], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().map(typed::key_to_json))
}

fn metadata_as_json<S: Serializer>(all: &[Metadata], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(all.iter().map(typed::metadata_to_json))
}

/// What is searched for, besides words.
enum Queries {
    /// Words alone, or what is like some records and unlike others.
    None,
    Vectors(Array),
    /// Stored records, which are not to find themselves.
    Stored(Vec<Record>),
}

impl Queries {
    fn read(args: &Search, collection: &Collection) -> Result<Queries, Error> {
        if let Some(file) = &args.query {
            let queries = match file == Path::new("-") {
                true => Array::from_stdin(),
                false => Array::open_queries(file, args.array.as_deref()),
            }?;
            queries.check_dim(collection)?;
            return Ok(Queries::Vectors(queries));
        }
        let ids = records::named(&args.id, args.id_type)?;
        let stored = collection.get_many(&ids)?.into_iter().zip(ids).enumerate();
        let stored: Result<Vec<Record>, _> = stored
            .map(|(row, (record, id))| record.ok_or(proxime::Error::IdNotFound { id, row }))
            .collect();
        Ok(match stored? {
            none if none.is_empty() => Queries::None,
            stored => Queries::Stored(stored),
        })
    }

    /// A search for each of them, with what it is told to find.
    fn each<T>(
        &self,
        options: &SearchOptions,
        search: impl Fn(&[f32], &SearchOptions) -> proxime::Result<T>,
        mut print: impl FnMut(usize, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self {
            Queries::None => Ok(()),
            Queries::Vectors(queries) => (0..queries.rows()).try_for_each(|row| {
                let mut vector = vec![0.0; queries.dim()];
                queries.read_rows(row, &mut vector)?;
                let found = search(&vector, options);
                print(
                    row,
                    found.map_err(|e| Error::from_vectors(queries.name(), row, e))?,
                )
            }),
            Queries::Stored(records) => records.iter().enumerate().try_for_each(|(row, record)| {
                let options = SearchOptions {
                    without: vec![record.id.clone()],
                    ..options.clone()
                };
                print(row, search(&record.vector, &options)?)
            }),
        }
    }
}

pub(crate) fn run(args: &Search, out: &mut impl Write) -> Result<Exit, Error> {
    let collection = open_read_only(&args.db)?.collection(&args.collection)?;
    let queries = Queries::read(args, &collection)?;
    let options = args.options();
    let words = args.text.as_ref().map(|text| TextQuery {
        fusion: args.fusion,
        ..TextQuery::new(text, &args.fields)
    });
    tell_unknown(&collection, &named_fields(args))?;
    // Not over an error: what is wrong with a query is known once it is searched for.
    let mut has_head = args.json;
    let mut print = |answer: Answer| {
        if !has_head {
            write_head(out, words.is_some())?;
            has_head = true;
        }
        match args.json {
            true => Ok(print::json(out, &answer)?),
            false => write_table(out, &answer),
        }
    };
    match (&words, &queries) {
        (Some(words), Queries::None) => {
            let found = collection.search_text(words, &options)?;
            print(Answer::of(0, found.hits.hits(0), Some(&found.scores))?)?;
        }
        (Some(words), queries) => by_both(&collection, words, queries, &options, print)?,
        (None, queries) if args.group_by.is_some() => {
            in_groups(&collection, queries, args, &options, print)?;
        }
        (None, queries) if args.relevance.is_some() => {
            that_differ(&collection, queries, args, &options, print)?;
        }
        (None, Queries::Vectors(queries)) => {
            let explained = by_vectors(&collection, queries, args, &options, print)?;
            for how in explained {
                match args.json {
                    true => print::json(out, &json!({ "explanation": how }))?,
                    false => write_explanation(out, &how)?,
                }
            }
        }
        (None, Queries::Stored(_) | Queries::None) => {
            by_stored(&collection, args, &options, print)?;
        }
    }
    Ok(Exit::Ok)
}

/// Conditions with all fields that are asked about.
fn named_fields(args: &Search) -> Vec<Filter> {
    let texts = args.text.iter().flat_map(|_| &args.fields);
    let fields = args.group_by.iter().chain(texts);
    let mut named: Vec<Filter> = fields.map(|name| field(name).exists()).collect();
    named.extend(args.filter.clone());
    named
}

/// Group by group; each is explained if that is asked for.
fn by_vectors(
    collection: &Collection,
    queries: &Array,
    args: &Search,
    options: &SearchOptions,
    mut print: impl FnMut(Answer) -> Result<(), Error>,
) -> Result<Vec<Explanation>, Error> {
    let mut explained = Vec::new();
    let filters = args.where_each.as_deref();
    let filters = filters.map(|file| records::filters(file, queries.rows()));
    let filters = filters.transpose()?;
    tell_unknown(collection, filters.iter().flatten().flatten())?;
    let hits = options.k.min(collection.len()?).max(1);
    let group = (HITS_MAX / hits)
        .min(COMPONENTS_MAX / queries.dim())
        .clamp(1, QUERIES_MAX);
    for first in (0..queries.rows()).step_by(group) {
        let n = group.min(queries.rows() - first);
        let mut vectors = vec![0.0; n * queries.dim()];
        queries.read_rows(first, &mut vectors)?;
        let results = Rows::new(&vectors, queries.dim())
            .map_err(proxime::Error::from)
            .and_then(|rows| match &filters {
                Some(filters) => collection.search_each(rows, some(filters, first, n), options),
                None if !args.explain => collection.search(rows, options),
                None => {
                    let (results, how) = collection.explain(rows, options)?;
                    explained.push(how);
                    Ok(results)
                }
            })
            .map_err(|e| Error::from_vectors(queries.name(), first, e))?;
        for i in 0..n {
            print(Answer::of(first + i, results.hits(i), None)?)?;
        }
    }
    Ok(explained)
}

fn some<T>(all: &[T], first: usize, n: usize) -> &[T] {
    all.get(first..first + n).unwrap_or_default()
}

/// The same words with each query.
fn by_both(
    collection: &Collection,
    words: &TextQuery,
    queries: &Queries,
    options: &SearchOptions,
    mut print: impl FnMut(Answer) -> Result<(), Error>,
) -> Result<(), Error> {
    let search = |vector: &[f32], options: &SearchOptions| {
        collection.search_text(&words.clone().vector(vector, words.fusion), options)
    };
    queries.each(options, search, |row, found| {
        print(Answer::of(row, found.hits.hits(0), Some(&found.scores))?)
    })
}

/// An answer for each group.
fn in_groups(
    collection: &Collection,
    queries: &Queries,
    args: &Search,
    options: &SearchOptions,
    mut print: impl FnMut(Answer) -> Result<(), Error>,
) -> Result<(), Error> {
    let by = GroupBy {
        field: args.group_by.clone().unwrap_or_default(),
        size: args.group_size.get(),
    };
    let search =
        |vector: &[f32], options: &SearchOptions| collection.search_groups(vector, &by, options);
    queries.each(options, search, |row, found| {
        for (number, value) in found.values.iter().enumerate() {
            print(Answer {
                group: Some(typed::value_to_json(value)),
                ..Answer::of(row, found.hits.hits(number), None)?
            })?;
        }
        Ok(())
    })
}

fn that_differ(
    collection: &Collection,
    queries: &Queries,
    args: &Search,
    options: &SearchOptions,
    mut print: impl FnMut(Answer) -> Result<(), Error>,
) -> Result<(), Error> {
    let by = Diversity::default();
    let by = Diversity {
        relevance: args.relevance.unwrap_or(by.relevance),
        ..by
    };
    let search =
        |vector: &[f32], options: &SearchOptions| collection.search_diverse(vector, by, options);
    queries.each(options, search, |row, found| {
        print(Answer::of(row, found.hits(0), None)?)
    })
}

/// From stored records: a query each, or one of several.
fn by_stored(
    collection: &Collection,
    args: &Search,
    options: &SearchOptions,
    mut print: impl FnMut(Answer) -> Result<(), Error>,
) -> Result<(), Error> {
    let named = |words| records::named(words, args.id_type);
    let found = match args.like.is_empty() {
        true => collection.search_by_id(&named(&args.id)?, options)?,
        false => collection.recommend(&named(&args.like)?, &named(&args.unlike)?, options)?,
    };
    for query in 0..found.queries() {
        print(Answer::of(query, found.hits(query), None)?)?;
    }
    Ok(())
}

fn write_head(out: &mut impl Write, scored: bool) -> Result<(), Error> {
    write!(out, "{:>6} {:>5} ", "query", "rank")?;
    if scored {
        write!(out, "{:>11} {:>11} ", "score", "text score")?;
    }
    Ok(writeln!(out, "{:>14}  id", "distance")?)
}

fn write_table(out: &mut impl Write, answer: &Answer) -> Result<(), Error> {
    if let Some(group) = &answer.group {
        writeln!(out, "{:>6} {}", answer.query, Clean(group))?;
    }
    let hits = answer.ids.iter().zip(&answer.distances);
    for (rank, ((id, distance), metadata)) in hits.zip(&answer.metadata).enumerate() {
        write!(out, "{:>6} {rank:>5} ", answer.query)?;
        for scores in [&answer.scores, &answer.text_scores] {
            if let Some(score) = scores.as_ref().and_then(|scores| scores.get(rank)) {
                write!(out, "{score:>11.6} ")?;
            }
        }
        // Searched by words alone there is none.
        match distance.is_nan() {
            true => write!(out, "{:>14}  {id}", "-")?,
            false => write!(out, "{distance:>14.6}  {id}")?,
        }
        if !metadata.is_empty() {
            write!(out, "  {}", Clean(metadata_to_json(metadata)))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_explanation(out: &mut impl Write, how: &Explanation) -> Result<(), Error> {
    let ms = |seconds: f64| format!("{:.3} ms", 1e3 * seconds);
    writeln!(
        out,
        "\nqueries {}: {} for the filter, {} for what is made at first use, {} to search",
        how.queries,
        ms(how.filter_seconds),
        ms(how.prepare_seconds),
        ms(how.search_seconds)
    )?;
    for segment in &how.segments {
        let (effort, count) = (&segment.effort, |n, noun| print::count(n, noun));
        writeln!(
            out,
            "{}\n  {} of {} may be found; {}, {} from match to match, {} of codes, {} of vectors",
            Clean(&segment.name),
            indicatif::HumanCount(segment.available as u64),
            count(segment.rows, "row"),
            count(effort.walks, "walk"),
            count(effort.filtered_walks, "walk"),
            count(effort.code_scans, "scan"),
            count(effort.vector_scans, "scan")
        )?;
        writeln!(
            out,
            "  ef {}: {} met, {} to codes, {} screened by signs, {}\n  {} read, {} to vectors, {} to rerank, {} to scan",
            effort.ef,
            count(effort.nodes as usize, "node"),
            count(effort.code_distances as usize, "distance"),
            indicatif::HumanCount(effort.screened),
            ms(effort.codes_seconds),
            count(effort.vectors_read as usize, "vector"),
            count(effort.vector_distances as usize, "distance"),
            ms(effort.rerank_seconds),
            ms(effort.scan_seconds)
        )?;
    }
    Ok(())
}
