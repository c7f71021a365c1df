//! The way into a vector tier, the same on every architecture. No kernel.

use crate::isa::{Isa, WithIsa};

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
                $crate::raw::prefetch_row(row);
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
