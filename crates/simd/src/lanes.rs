//! The loop that all kernels share: one query against `N` rows, a register at a time.
//!
//! Two things make such a loop fast, and both are parameters here. `WAYS` accumulators per row take turns, so that
//! one addition need not wait for the one before; `N` rows at a time load the query once and keep `N` streams of
//! memory in flight. What is multiplied and how it is added is the business of a [`Lanes`]; what is left at the end
//! of a row is the caller's.

/// How a tier multiplies and adds one kind of number, a register at a time.
pub trait Lanes: Copy {
    /// A register of components.
    type Block: Copy;
    /// A register of sums, or several that grow together.
    type Sums: Copy;

    fn zero(self) -> Self::Sums;
    /// `sums` and what `query` and `row` add to them.
    fn add(self, sums: Self::Sums, query: Self::Block, row: Self::Block) -> Self::Sums;
}

/// The sums of every row in `WAYS` parts: block `i` goes to part `i % WAYS`, an incomplete last round to part 0.
///
/// So the order of additions depends on the length alone: a row has the same sums whatever `N` is.
#[inline(always)]
pub(crate) fn accumulate<L: Lanes, const N: usize, const WAYS: usize>(
    lanes: L,
    query: &[L::Block],
    rows: [&[L::Block]; N],
) -> [[L::Sums; WAYS]; N] {
    let (query, query_rest) = query.as_chunks::<WAYS>();
    let mut parts = [(query, query_rest); N];
    for ((rounds, rest), row) in parts.iter_mut().zip(rows) {
        (*rounds, *rest) = row.as_chunks();
        // As long as the query's, which the callers have asserted; said again so that no index is checked below.
        (*rounds, *rest) = (&rounds[..query.len()], &rest[..query_rest.len()]);
    }

    // Indexed, not zipped: what the compiler unrolls, and so keeps in registers, for every `N`.
    let mut sums = [[lanes.zero(); WAYS]; N];
    for (i, query) in query.iter().enumerate() {
        for n in 0..N {
            for way in 0..WAYS {
                sums[n][way] = lanes.add(sums[n][way], query[way], parts[n].0[i][way]);
            }
        }
    }
    for (i, &query) in query_rest.iter().enumerate() {
        for n in 0..N {
            sums[n][0] = lanes.add(sums[n][0], query, parts[n].1[i]);
        }
    }
    sums
}

/// Asserts that rows are as long as the query they are compared with.
#[inline(always)]
pub(crate) fn assert_same_length<T, const N: usize>(query: &[T], rows: &[&[T]; N]) {
    for row in rows {
        assert_eq!(
            row.len(),
            query.len(),
            "a row and a query of different length"
        );
    }
}
