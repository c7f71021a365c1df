//! The definitions, one line each: the oracle that every tier is tested against, and the meaning of the
//! kernels' names.
//!
//! Slow on purpose and independent of the kernels. Sums are taken in `f64` or `i64`, where they are exact
//! enough (`f64`) or exact (`i64`) for any row that fits in memory.
//!
//! **Tolerance.** An `f32` kernel differs from its definition by at most `(dim / 4 + 16) * 2^-24` times the sum
//! of the terms' absolute values, as long as nothing overflows `f32` or falls below its normal range: at worst
//! (one lane) a sum of `dim / 4` roundings per accumulator, the rest for the terms and the final additions.
//! Wider tiers do better. NaN and infinity go through as they do in the definition.

/// `sum(a[j] * b[j])`.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum()
}

/// `sum(a[j]^2)`.
pub fn norm_sq(a: &[f32]) -> f64 {
    a.iter().map(|&a| f64::from(a).powi(2)).sum()
}

/// `sum((a[j] - b[j])^2)`.
pub fn l2_sq(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
        .sum()
}

/// `1 - dot / (|a| * |b|)`; 1 where a vector is zero.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let norms = norm_sq(a).sqrt() * norm_sq(b).sqrt();
    if norms == 0.0 {
        1.0
    } else {
        1.0 - dot(a, b) / norms
    }
}

/// The distance by `metric`.
pub fn distance(metric: crate::Metric, a: &[f32], b: &[f32]) -> f64 {
    match metric {
        crate::Metric::L2 => l2_sq(a, b),
        crate::Metric::Cosine => cosine(a, b),
        crate::Metric::Dot => -dot(a, b),
    }
}

/// `sum(a[j] * b[j])` of codes.
pub fn dot_i8(a: &[i8], b: &[i8]) -> i64 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| i64::from(a) * i64::from(b))
        .sum()
}
