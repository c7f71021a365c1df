//! Selection finds what sorting finds, on every tier.

use proptest::prelude::*;
use proxime_simd::topk::{Few, take_least, threshold};
use proxime_simd::{Isa, Level, WithIsa};

const NONE: u32 = u32::MAX;

struct Threshold<'a>(&'a [u32], usize);

impl WithIsa for Threshold<'_> {
    type Output = u32;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> u32 {
        threshold(isa, self.0, self.1)
    }
}

/// Takes keys until none is left.
struct TakeAll(Vec<u32>);

impl WithIsa for TakeAll {
    type Output = Vec<(u32, usize)>;

    #[inline(always)]
    fn with_isa<I: Isa>(mut self, isa: I) -> Self::Output {
        std::iter::from_fn(|| take_least(isa, &mut self.0)).collect()
    }
}

/// Takes the least of what is at most a limit, and strikes out what is above its row of `others`, until none is left.
struct Choose<'a> {
    keys: &'a [u32],
    limit: u32,
    others: &'a dyn Fn(u32) -> Vec<u32>,
}

impl WithIsa for Choose<'_> {
    type Output = Vec<(u32, u32)>;

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> Self::Output {
        let mut few = Few::<I, 2>::collect(isa, self.keys, self.limit);
        let mut chosen = Vec::new();
        while let Some((key, place)) = few.least(isa) {
            few.strike(isa, place, &(self.others)(place));
            chosen.push((key, place));
        }
        chosen
    }
}

/// The same with a list.
fn chosen_from_a_list(
    keys: &[u32],
    limit: u32,
    others: impl Fn(u32) -> Vec<u32>,
) -> Vec<(u32, u32)> {
    let known = keys
        .iter()
        .copied()
        .zip(0..)
        .filter(|&(key, _)| key <= limit);
    let mut left: Vec<(u32, u32)> = known.take(32).filter(|&(key, _)| key != NONE).collect();
    let mut chosen = Vec::new();
    while let Some(&(key, place)) = left.iter().min() {
        let others = others(place);
        left.retain(|&(key, at)| at != place && others[at as usize] >= key);
        chosen.push((key, place));
    }
    chosen
}

/// Lines of keys: far apart, almost equal, equal, and some that are none.
fn keys() -> impl Strategy<Value = Vec<u32>> {
    let key = prop_oneof![4 => any::<u32>(), 4 => 0u32..50, 2 => 1_000_000u32..1_000_400, 1 => Just(NONE)];
    (1usize..20).prop_flat_map(move |lines| prop::collection::vec(key.clone(), 16 * lines))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_threshold_lets_enough_through(keys in keys(), wanted in 1usize..100) {
        let known = keys.iter().filter(|&&key| key != NONE).count();
        for level in Level::available() {
            let limit = level.dispatch(Threshold(&keys, wanted));
            let count = keys.iter().filter(|&&key| key <= limit).count();
            prop_assert!(count >= wanted.min(known), "{level}: {count} of {known}");
        }
    }

    #[test]
    fn keys_are_taken_in_order(keys in keys()) {
        let mut expected: Vec<(u32, usize)> = keys.iter().copied().zip(0..).filter(|one| one.0 != NONE).collect();
        expected.sort_unstable();
        for level in Level::available() {
            prop_assert_eq!(level.dispatch(TakeAll(keys.clone())), expected.clone(), "{}", level);
        }
    }

    #[test]
    fn few_are_chosen_as_from_a_list(keys in keys(), limit: u32, seed: u32) {
        let n = keys.len() as u32;
        let others = |place: u32| -> Vec<u32> {
            (0..n).map(|at| (place ^ at).wrapping_mul(seed | 1) % 1_000_200).collect()
        };
        for limit in [limit, limit % 60, 1_000_200] {
            let expected = chosen_from_a_list(&keys, limit, others);
            for level in Level::available() {
                let chosen = level.dispatch(Choose { keys: &keys, limit, others: &others });
                prop_assert_eq!(chosen, expected.clone(), "{}", level);
            }
        }
    }
}

#[test]
fn a_threshold_lets_few_more_through_than_wanted() {
    let keys: Vec<u32> = (0..304u32).map(|i| (i * 7919) % 10_007 * 1000).collect();
    for level in Level::available() {
        for wanted in [1, 10, 48, 299, 304, 1000] {
            let limit = level.dispatch(Threshold(&keys, wanted));
            let count = keys.iter().filter(|&&key| key <= limit).count();
            let most = (wanted + wanted / 4 + 2).min(304);
            assert!(
                count >= wanted.min(304) && count <= most,
                "{level}: {count} for {wanted}"
            );
        }
    }
}
