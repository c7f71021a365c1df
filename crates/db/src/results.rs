//! What a search found.
//!
//! Results hold the snapshot they were found in: ids, metadata and vectors of the hits stay what they were, whatever is
//! written or closed meanwhile. They are looked up only when asked for.

use std::borrow::Cow;
use std::sync::Arc;

use crate::search::Place;
use crate::segment::Segment;
use crate::snapshot::View;
use crate::{Key, Metadata, Result};

/// The hits of a batch of queries, nearest first.
#[derive(Debug)]
pub struct Results {
    view: Arc<View>,
    found: Vec<Vec<Place>>,
}

impl Results {
    pub(crate) fn new(view: Arc<View>, found: Vec<Vec<Place>>) -> Results {
        Results { view, found }
    }

    /// Queries answered.
    pub fn queries(&self) -> usize {
        self.found.len()
    }

    /// Hits of one query, nearest first; equal distances in the order of their ids. Empty for a query that was not asked.
    pub fn hits(&self, query: usize) -> impl ExactSizeIterator<Item = Hit<'_>> {
        let places = self.found.get(query).map_or(&[][..], Vec::as_slice);
        places.iter().map(|&place| Hit {
            view: &self.view,
            place,
        })
    }
}

/// One hit of one query, borrowed from its [`Results`].
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    view: &'a View,
    place: Place,
}

impl<'a> Hit<'a> {
    /// Distance to the query; smaller is nearer. See [`Metric`](crate::Metric).
    pub fn distance(&self) -> f32 {
        self.place.distance
    }

    /// The record's id.
    pub fn id(&self) -> Key {
        self.segment()
            .map_or(Key::Int(0), |segment| segment.id(self.place.row).to_key())
    }

    /// The record's metadata; empty if it was stored without.
    ///
    /// Errors: damaged bytes.
    pub fn metadata(&self) -> Result<Metadata> {
        self.segment().map_or(Ok(Metadata::new()), |segment| {
            segment.metadata(self.place.row)
        })
    }

    /// The record's vector, as it was stored: borrowed if it is float32. Empty if it is damaged, which a search by words alone of a
    /// database that was opened lazily has not met.
    pub fn vector(&self) -> Cow<'a, [f32]> {
        // By nearness: it was read, and so checked, when it was found.
        self.segment()
            .and_then(|segment| segment.vector(self.place.row).ok())
            .unwrap_or_default()
    }

    /// Always there: the place was found in this view.
    fn segment(&self) -> Option<&'a Segment> {
        self.view
            .parts
            .get(self.place.part as usize)
            .map(|part| &*part.segment)
    }
}
