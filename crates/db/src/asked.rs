//! What searches have asked of a collection is made of a new segment before readers see it: the first of them, and all that come
//! meanwhile, would wait for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use proxime_quant::ScalarI8;
use roaring::RoaringBitmap;

use crate::calibration;
use crate::filter::Field;
use crate::pool::Workers;
use crate::segment::{GraphIndex, Segment};
use crate::snapshot::{Part, View};
use crate::words::Fields;

/// What is made of a segment when it is first asked for, and has been of one of a collection.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The codec of a graph that is walked.
    walks: Option<ScalarI8>,
    /// Numbers of hits for which beams were calibrated.
    calibrated: Vec<usize>,
    fields: Vec<Field>,
    words: Vec<Fields>,
}

impl Asked {
    pub(crate) fn of(view: &View) -> Asked {
        let segments = || view.parts.iter().map(|part| &*part.segment);
        let graphs = || segments().filter_map(Segment::graph_read);
        Asked {
            walks: view.walked_codec().cloned(),
            calibrated: distinct(graphs().flat_map(|graph| graph.calibration.classes())),
            fields: distinct(segments().flat_map(Segment::indexed_fields)),
            words: distinct(segments().flat_map(Segment::indexed_words)),
        }
    }

    /// Makes it of a segment, which takes the place of others of `view`.
    pub(crate) fn make(&self, view: &View, segment: Segment, workers: &Workers) -> Arc<Segment> {
        let part = Part::new(segment, RoaringBitmap::new());
        let segment = &part.segment;
        if let Some(codec) = &self.walks {
            segment.prepare(workers);
            segment.bound(codec);
        }
        // Whatever goes wrong, those who ask next are told.
        for &k in &self.calibrated {
            let calibrate = |graph: &GraphIndex| {
                calibration::plan_for(view, &part, graph, workers, (k, 1.0)).ok()
            };
            segment.graph().and_then(calibrate);
        }
        for field in &self.fields {
            segment.index(field).ok();
        }
        for fields in &self.words {
            segment.words(fields, workers, None).ok();
        }
        part.segment
    }
}

fn distinct<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let distinct: BTreeSet<T> = all.collect();
    distinct.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::{
        Batch, CollectionConfig, Database, Filter, Key, Metadata, Metric, Rows, SearchOptions,
        TextQuery,
    };

    use super::*;

    #[test]
    fn a_new_segment_has_what_the_searches_before_it_needed_and_no_more() {
        let db = Database::in_memory().unwrap();
        let config = CollectionConfig::new(2).metric(Metric::L2);
        let c = db.create_collection("c", config).unwrap();
        let store = |ids: std::ops::Range<i64>| {
            let vectors: Vec<f32> = ids.clone().flat_map(|id| [id as f32, 1.0]).collect();
            let metadata = ids.clone().map(|id| {
                Metadata::from([("n".into(), id.into()), ("text".into(), "a word".into())])
            });
            let rows = Rows::new(&vectors, 2).unwrap();
            let batch = Batch::new(ids.clone().map(Key::Int).collect(), &rows);
            c.upsert(batch.metadata(metadata.collect())).unwrap();
        };
        let newest = || {
            let view = c.view().unwrap();
            let last = view.parts.last().cloned();
            let alone = View::new(view.id, view.name.clone(), view.config.clone());
            assert!(
                last.as_ref()
                    .is_some_and(|part| part.segment.graph().is_some())
            );
            Asked::of(&alone.with_merged(0..0, last))
        };
        store(0..1500);
        store(1500..2400);
        store(2400..3200);
        db.maintain().unwrap();
        let asked = newest();
        assert!(asked.walks.is_none() && asked.calibrated.is_empty());
        assert!(asked.fields.is_empty() && asked.words.is_empty());

        let (query, options) = ([3.0, 1.0], SearchOptions::k(5));
        let query = Rows::new(&query, 2).unwrap();
        let with_recall = SearchOptions {
            recall: Some(0.9),
            ..options.clone()
        };
        let filtered = SearchOptions {
            filter: Some(Filter::parse("n < 9", &Metadata::new()).unwrap()),
            ..options.clone()
        };
        for options in [&with_recall, &filtered] {
            c.search(query, options).unwrap();
        }
        let words = TextQuery::new("word", &["text".to_owned()]);
        c.search_text(&words, &options).unwrap();
        store(0..900);
        store(900..1800);
        db.maintain().unwrap();
        let asked = newest();
        assert!(asked.walks.is_some());
        assert_eq!(asked.calibrated, [10]);
        assert_eq!((asked.fields.len(), asked.words.len()), (1, 1));
    }

    #[test]
    fn once_graphs_are_walked_rows_without_one_have_codes_that_leave_the_nearest() {
        for metric in Metric::ALL {
            let db = Database::in_memory().unwrap();
            let config = CollectionConfig::new(8).metric(metric);
            let c = db.create_collection("c", config).unwrap();
            let value = |i: usize| (i.wrapping_mul(0x9E37_79B9) >> 8 & 255) as f32 - 99.5;
            let store = |ids: std::ops::Range<i64>, moved: usize| {
                let vectors: Vec<f32> = ids
                    .clone()
                    .flat_map(|id| (0..8).map(move |j| value(id as usize * 8 + j + moved)))
                    .collect();
                let rows = Rows::new(&vectors, 8).unwrap();
                c.upsert(Batch::new(ids.map(Key::Int).collect(), &rows))
                    .unwrap();
            };
            let bounded = || {
                let view = c.view().unwrap();
                let bounded = view
                    .parts
                    .iter()
                    .map(|part| part.segment.bounded().is_some());
                bounded.collect::<Vec<bool>>()
            };
            store(0..1500, 0);
            store(1500..1700, 0);
            assert_eq!(bounded(), [false, false]);
            let query: Vec<f32> = (0..8).map(|j| value(13_000 + j)).collect();
            let query = Rows::new(&query, 8).unwrap();
            let found = |options: &SearchOptions| {
                let found = c.search(query, options).unwrap();
                let hits = found.hits(0).map(|hit| (hit.id(), hit.distance()));
                hits.collect::<Vec<_>>()
            };
            let exact = SearchOptions {
                exact: true,
                ..SearchOptions::k(20)
            };
            assert!(!found(&SearchOptions::k(20)).is_empty());
            // Some of the tail are replaced, some added.
            store(1600..1900, 5);
            assert_eq!(bounded(), [false, true], "{metric}");
            let wide = SearchOptions {
                ef: Some(1000),
                ..SearchOptions::k(20)
            };
            assert_eq!(found(&wide), found(&exact), "{metric}");
            db.0.seal_one(c.id, None).unwrap();
            assert_eq!(bounded(), [false, true], "{metric}: too few for a graph");
            assert_eq!(found(&wide), found(&exact), "{metric}");
        }
    }
}
