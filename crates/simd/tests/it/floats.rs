//! Sums of `f32` are within the stated tolerance of their definition on every tier; NaN and infinity go through.

use proptest::prelude::*;
use proxime_simd::{Level, Metric, Rows, batch, reference};

use crate::{OnLevel, Random, SumsF32, lengths, levels};

/// The tolerance of [`reference`], as it is written there.
fn tolerance(dim: usize, terms: f64) -> f64 {
    (dim as f64 / 4.0 + 16.0) * 2f64.powi(-24) * terms
}

fn check(level: Level, query: &[f32], row: &[f32]) {
    let absolute = |v: &[f32]| v.iter().map(|x| x.abs()).collect::<Vec<f32>>();
    let dot_terms = reference::dot(&absolute(query), &absolute(row));
    let (dot, l2_sq, norm_sq) = (
        reference::dot(query, row),
        reference::l2_sq(query, row),
        reference::norm_sq(row),
    );
    let near = |name: &str, got: f32, expected: f64, terms: f64| {
        let error = (f64::from(got) - expected).abs();
        let allowed = tolerance(row.len(), terms);
        assert!(
            error <= allowed,
            "{level}, {name} of {} components: {got} for {expected}, off by {error:e}, allowed {allowed:e}",
            row.len(),
        );
    };
    let got = level.sums_f32(query, row);
    near("dot", got.dot, dot, dot_terms);
    near("l2_sq", got.l2_sq, l2_sq, l2_sq);
    near("norm_sq", got.norm_sq, norm_sq, norm_sq);
    near(
        "dot of dot_and_norm_sq",
        got.dot_and_norm_sq.0,
        dot,
        dot_terms,
    );
    near(
        "norm_sq of dot_and_norm_sq",
        got.dot_and_norm_sq.1,
        norm_sq,
        norm_sq,
    );
}

#[test]
fn every_length_and_offset() {
    let mut random = Random::new(4);
    for len in lengths() {
        for offset in [0, 1, 5] {
            let query = random.floats(len + offset);
            let row = random.floats(len + 2 * offset + 16);
            for &level in levels() {
                check(level, &query[offset..], &row[2 * offset..][..len]);
            }
        }
    }
}

#[test]
fn terms_that_cancel() {
    let mut random = Random::new(5);
    for half in [1, 8, 31, 100, 768] {
        let (query, row) = (random.floats(half), random.floats(half));
        let query: Vec<f32> = query
            .iter()
            .copied()
            .chain(query.iter().map(|x| -x))
            .collect();
        let row: Vec<f32> = row.iter().copied().cycle().take(2 * half).collect();
        for &level in levels() {
            check(level, &query, &row);
            check(level, &row, &row);
        }
    }
}

proptest! {
    #[test]
    fn any_components(pairs in prop::collection::vec((-1e3f32..1e3, -1e3f32..1e3), 0..600)) {
        let (query, row): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        for &level in levels() {
            check(level, &query, &row);
        }
    }
}

/// The kernel gives NaN where the definition does, and the same infinity.
fn check_class(level: Level, query: &[f32], row: &[f32], what: &str) {
    let same = |name: &str, got: f32, expected: f64| {
        let expected = expected as f32;
        let agrees = match expected.is_finite() {
            true => got.is_finite(),
            false => got.is_nan() == expected.is_nan() && (got.is_nan() || got == expected),
        };
        assert!(agrees, "{level}, {what}: {name} is {got}, not {expected}");
    };
    let SumsF32 {
        dot,
        l2_sq,
        norm_sq,
        dot_and_norm_sq,
    } = level.sums_f32(query, row);
    same("dot", dot, reference::dot(query, row));
    same("l2_sq", l2_sq, reference::l2_sq(query, row));
    same("norm_sq", norm_sq, reference::norm_sq(row));
    same(
        "dot of dot_and_norm_sq",
        dot_and_norm_sq.0,
        reference::dot(query, row),
    );
    same(
        "norm_sq of dot_and_norm_sq",
        dot_and_norm_sq.1,
        reference::norm_sq(row),
    );
}

#[test]
fn nan_and_infinity_go_through() {
    let mut random = Random::new(6);
    for len in [1, 7, 16, 31, 33, 64, 100, 150] {
        let (query, row) = (random.floats(len), random.floats(len));
        for at in 0..len {
            for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut odd_query = query.clone();
                odd_query[at] = odd;
                let mut odd_row = row.clone();
                odd_row[at] = odd;
                let what = format!("{odd} at {at} of {len}");
                for &level in levels() {
                    check_class(level, &odd_query, &row, &what);
                    check_class(level, &query, &odd_row, &what);
                    check_class(level, &odd_query, &odd_row, &what);
                }
            }
        }
    }
}

#[test]
fn distances_by_every_metric() {
    let mut random = Random::new(7);
    for dim in [1, 2, 31, 100, 784] {
        let (query, data) = (random.floats(dim), random.floats(11 * dim));
        let rows = Rows::new(&data, dim).unwrap();
        for &level in levels() {
            for metric in Metric::ALL {
                let mut out = [f32::NAN; 11];
                batch::distances(level, metric, &query, rows, &mut out);
                for (row, got) in rows.iter().zip(out) {
                    let expected = reference::distance(metric, &query, row);
                    let allowed = match metric {
                        Metric::L2 => tolerance(dim, expected),
                        // The product is at most the product of the lengths.
                        Metric::Dot => tolerance(
                            dim,
                            (reference::norm_sq(&query) * reference::norm_sq(row)).sqrt(),
                        ),
                        // As its documentation says.
                        Metric::Cosine => (dim as f64 / 2.0 + 40.0) * 2f64.powi(-24),
                    };
                    let error = (f64::from(got) - expected).abs();
                    assert!(
                        error <= allowed,
                        "{level}, {metric}, {dim}: {got} for {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_cosine_stays_within_its_range() {
    let mut random = Random::new(8);
    for dim in 1..=100 {
        let row = random.floats(dim);
        let data: Vec<f32> = row
            .iter()
            .copied()
            .chain(row.iter().map(|x| -3.0 * x))
            .collect();
        for &level in levels() {
            let mut out = [f32::NAN; 2];
            batch::distances(
                level,
                Metric::Cosine,
                &row,
                Rows::new(&data, dim).unwrap(),
                &mut out,
            );
            assert!((0.0..=1e-6).contains(&out[0]), "{level}, {dim}: {}", out[0]);
            assert!(
                (2.0 - 1e-6..=2.0).contains(&out[1]),
                "{level}, {dim}: {}",
                out[1]
            );
        }
    }
}

#[test]
fn a_cosine_does_not_depend_on_lengths() {
    let mut random = Random::new(9);
    let scales = [
        1e-44, 1e-36, 1e-25, 1e-14, 1e-11, 1.0, 1e11, 1e14, 1e25, 1e37,
    ];
    for dim in [1, 5, 100] {
        let scaled = |values: &[f32]| -> Vec<Vec<f32>> {
            let by = |scale: f32| values.iter().map(|x| x * scale).collect();
            scales.map(by).to_vec()
        };
        let (queries, rows) = (scaled(&random.floats(dim)), scaled(&random.floats(dim)));
        let data = rows.concat();
        for (&level, query) in levels()
            .iter()
            .flat_map(|level| queries.iter().map(move |query| (level, query)))
        {
            let mut out = [f32::NAN; 10];
            let rows = Rows::new(&data, dim).unwrap();
            batch::distances(level, Metric::Cosine, query, rows, &mut out);
            for (row, got) in rows.iter().zip(out) {
                let expected = reference::cosine(query, row);
                let error = (f64::from(got) - expected).abs();
                let allowed = (dim as f64 / 2.0 + 40.0) * 2f64.powi(-24);
                assert!(
                    error <= allowed,
                    "{level}, {query:?}, {row:?}: {got} for {expected}"
                );
            }
        }
    }
}

#[test]
fn a_cosine_without_direction() {
    for &level in levels() {
        let mut out = [f32::NAN; 3];
        let rows = Rows::new(&[0.0, 0.0, 1.0, 2.0, f32::NAN, 1.0], 2).unwrap();
        batch::distances(level, Metric::Cosine, &[0.0, 0.0], rows, &mut out);
        assert_eq!(out[..2], [1.0, 1.0], "{level}");
        assert!(out[2].is_nan(), "{level}: {}", out[2]);
    }
}
