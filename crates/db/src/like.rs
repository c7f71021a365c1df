//! Searches that start from stored records: what is near to one, and what is like some and unlike others.

use std::borrow::Cow;

use crate::search::Place;
use crate::snapshot::View;
use crate::{Collection, Error, Key, Metric, Result, Results, Rows, SearchOptions};

impl Collection {
    /// The records nearest to each of these, which itself is left out: `k` of them where there are so many others. Otherwise as
    /// [`Collection::search`].
    ///
    /// Errors: an id that has no record; those of `search`.
    pub fn search_by_id(&self, ids: &[Key], options: &SearchOptions) -> Result<Results> {
        let view = self.view()?;
        let stored = stored(&view, ids)?;
        let queries: Vec<f32> = stored
            .iter()
            .flat_map(|(_, vector)| vector.iter().copied())
            .collect();
        let queries = Rows::new(&queries, self.config.dim)?;
        let mut found = self.search_in(&view, queries, &with_more(options, 1))?;
        for (list, (own, _)) in found.iter_mut().zip(&stored) {
            list.retain(|place| (place.part, place.row) != *own);
            list.truncate(options.k);
        }
        Ok(Results::new(view, found))
    }

    /// The records like these and unlike those, none of which comes back: one answer, nearest first. The query is the mean of the
    /// positive ones' vectors, and as far again away from the mean of the negative ones'; under cosine each counts with length 1.
    ///
    /// Errors: no positive id; an id that has no record; those of `search`, so under cosine means that cancel out.
    pub fn recommend(
        &self,
        positive: &[Key],
        negative: &[Key],
        options: &SearchOptions,
    ) -> Result<Results> {
        if positive.is_empty() {
            return Err(Error::Parameter {
                name: "positive",
                value: "[]".to_owned(),
                limit: "at least one id".to_owned(),
            });
        }
        let view = self.view()?;
        let (liked, disliked) = (stored(&view, positive)?, stored(&view, negative)?);
        let (query, away) = (self.mean(&liked), self.mean(&disliked));
        let query: Vec<f32> = match disliked.is_empty() {
            true => query,
            false => query
                .iter()
                .zip(&away)
                .map(|(to, from)| 2.0 * to - from)
                .collect(),
        };
        let given: Vec<(u32, u32)> = liked.iter().chain(&disliked).map(|(own, _)| *own).collect();
        let query = Rows::new(&query, self.config.dim)?;
        let mut found = self.search_in(&view, query, &with_more(options, given.len()))?;
        for list in &mut found {
            list.retain(|Place { part, row, .. }| !given.contains(&(*part, *row)));
            list.truncate(options.k);
        }
        Ok(Results::new(view, found))
    }

    fn mean(&self, stored: &[Stored<'_>]) -> Vec<f32> {
        let mut mean = vec![0.0f32; self.config.dim];
        for (_, vector) in stored {
            let norm = vector
                .iter()
                .map(|x| f64::from(*x).powi(2))
                .sum::<f64>()
                .sqrt();
            let weight = match self.config.metric {
                Metric::Cosine => 1.0 / (norm * stored.len() as f64),
                _ => 1.0 / stored.len() as f64,
            };
            let weighted = vector.iter().map(|x| (f64::from(*x) * weight) as f32);
            mean.iter_mut()
                .zip(weighted)
                .for_each(|(mean, x)| *mean += x);
        }
        mean
    }
}

/// The place of a record, part and row, and its vector.
type Stored<'a> = ((u32, u32), Cow<'a, [f32]>);

/// Errors: an id that has no record.
fn stored<'a>(view: &'a View, ids: &[Key]) -> Result<Vec<Stored<'a>>> {
    let one = |(row, id): (usize, &Key)| {
        let missing = || Error::IdNotFound {
            id: id.clone(),
            row,
        };
        let (number, place) = view.place(&id.to_bytes()).ok_or_else(missing)?;
        let part = view.parts.get(number as usize).ok_or_else(missing)?;
        Ok(((number, place), part.segment.vector(place)?))
    };
    ids.iter().enumerate().map(one).collect()
}

/// The same, for as many more hits as may have to go.
fn with_more(options: &SearchOptions, more: usize) -> SearchOptions {
    SearchOptions {
        k: options.k.saturating_add(more),
        ..options.clone()
    }
}
