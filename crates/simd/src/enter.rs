//! What the vector tiers of all architectures have in common: the way in, and prefetch. No kernel.

use crate::isa::{Isa, WithIsa};
use crate::raw::{LINE_BYTES, prefetch_line};

/// Rows up to this size are prefetched whole.
const WHOLE_BYTES_MAX: usize = 1024;

/// Of longer rows this much: where the hardware prefetcher has seen the direction, it does the rest.
const HEAD_BYTES: usize = 4 * LINE_BYTES;

/// Prefetches a short row, or the head of a long one.
#[inline(always)]
pub(crate) fn prefetch_row<T>(row: &[T]) {
    let bytes = size_of_val(row);
    let bytes = if bytes <= WHOLE_BYTES_MAX {
        bytes
    } else {
        HEAD_BYTES
    };
    let start = row.as_ptr().cast::<u8>();
    for offset in (0..bytes).step_by(LINE_BYTES) {
        prefetch_line(start.wrapping_add(offset));
    }
}

/// Implements [`Isa`] for a token of pulp's making.
macro_rules! enter {
    ($token:ty) => {
        impl $crate::isa::Isa for $token {
            #[inline(always)]
            fn vectorize<O: $crate::isa::WithIsa>(self, op: O) -> O::Output {
                // The token's own method: that of `pulp::Simd` would enter a lesser tier.
                <$token>::vectorize(self, $crate::enter::Entered(self, op))
            }

            #[inline(always)]
            fn prefetch<T>(self, row: &[T]) {
                $crate::enter::prefetch_row(row);
            }
        }
    };
}
pub(crate) use enter;

/// A computation on its way through pulp's door, which admits functions without arguments.
pub(crate) struct Entered<I, O>(pub(crate) I, pub(crate) O);

impl<I: Isa, O: WithIsa> pulp::NullaryFnOnce for Entered<I, O> {
    type Output = O::Output;

    #[inline(always)]
    fn call(self) -> O::Output {
        self.1.with_isa(self.0)
    }
}
