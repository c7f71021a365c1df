//! Searches whose hits differ: near to the query, and not near to each other.

use proxime_simd::{Level, batch};

use crate::search::Place;
use crate::{Collection, Error, Result, Results, Rows, SearchOptions};

/// How much hits are to differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diversity {
    /// What nearness to the query counts, 0 to 1; distance to the hits chosen before counts the rest. At 1 the answer is that of
    /// [`Collection::search`].
    pub relevance: f32,
    /// How many of the nearest records are chosen from; at least `k` are.
    pub candidates: usize,
}

impl Default for Diversity {
    fn default() -> Self {
        Diversity {
            relevance: 0.5,
            candidates: 50,
        }
    }
}

impl Collection {
    /// `k` of the records nearest to the query that differ from each other, in the order in which they are chosen: first the nearest, and
    /// then each time the one whose distance to the query, weighted, exceeds that to its nearest chosen one least. `k` of them where
    /// there are so many.
    ///
    /// Errors: as [`Collection::search`]; a relevance outside of 0 to 1. Cost: a search for the candidates, reading their vectors, and a
    /// distance from each hit to each candidate.
    /// Source: Carbonell, Goldstein 1998, maximal marginal relevance.
    ///
    /// ```
    /// use proxime::{Batch, CollectionConfig, Database, Diversity, Key, Metric, Rows, SearchOptions};
    /// let db = Database::in_memory()?;
    /// let c = db.create_collection("c", CollectionConfig::new(2).metric(Metric::L2))?;
    /// let ids = [1, 2, 3].map(Key::Int).to_vec();
    /// c.upsert(Batch::new(ids, &Rows::new(&[1.0, 0.0, 1.1, 0.0, 0.0, 2.0], 2)?))?;
    /// let found = c.search_diverse(&[0.0, 0.0], Diversity::default(), &SearchOptions::k(2))?;
    /// let ids: Vec<Key> = found.hits(0).map(|hit| hit.id()).collect();
    /// assert_eq!(ids, [Key::Int(1), Key::Int(3)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn search_diverse(
        &self,
        query: &[f32],
        diversity: Diversity,
        options: &SearchOptions,
    ) -> Result<Results> {
        let Diversity {
            relevance,
            candidates,
        } = diversity;
        if !(0.0..=1.0).contains(&relevance) {
            return Err(Error::Parameter {
                name: "relevance",
                value: relevance.to_string(),
                limit: "between 0 and 1".to_owned(),
            });
        }
        let view = self.view()?;
        let more = SearchOptions {
            k: candidates.max(options.k),
            ..options.clone()
        };
        let found = self.search_in(&view, Rows::new(query, query.len())?, &more)?;
        let found: Vec<Place> = found.into_iter().flatten().collect();
        let mut vectors = Vec::with_capacity(found.len() * self.config.dim);
        for place in &found {
            if let Some(part) = view.parts.get(place.part as usize) {
                vectors.extend_from_slice(&part.segment.vector(place.row)?);
            }
        }
        let vectors = Rows::new(&vectors, self.config.dim)?;
        let chosen = self.chosen(&found, vectors, relevance, options.k);
        Ok(Results::new(view, vec![chosen]))
    }

    /// Up to `k` of what was found, nearest first, whose vectors these are.
    fn chosen(
        &self,
        found: &[Place],
        vectors: Rows<'_, f32>,
        relevance: f32,
        k: usize,
    ) -> Vec<Place> {
        let (level, metric) = (Level::detect(), self.config.metric);
        let mut apart = vec![f32::INFINITY; found.len()];
        let mut from_last = vec![0.0; found.len()];
        let mut left: Vec<usize> = (0..found.len()).collect();
        let mut chosen = Vec::new();
        while chosen.len() < k && !left.is_empty() {
            let cost = |&i: &usize| match (found.get(i), apart.get(i)) {
                (Some(place), Some(&apart)) if !chosen.is_empty() => {
                    relevance * place.distance - (1.0 - relevance) * apart
                }
                // The nearest is the first.
                _ => 0.0,
            };
            let costs = left.iter().map(cost).enumerate();
            let least = costs.min_by(|(_, a), (_, b)| a.total_cmp(b));
            let next = left.remove(least.map_or(0, |(at, _)| at));
            chosen.extend(found.get(next).copied());
            batch::distances(level, metric, vectors.row(next), vectors, &mut from_last);
            for (apart, from_last) in apart.iter_mut().zip(&from_last) {
                *apart = apart.min(*from_last);
            }
        }
        chosen
    }
}
