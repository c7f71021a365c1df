//! Instruction tiers: what the CPU can do, found once, and the kernels as methods of a token.
//!
//! It holds no kernel. A tier is a token type; [`Isa`] is what a token can do, [`Level`] is "some tier" as a
//! value, and [`WithIsa`] is a loop that has not been told its tier yet.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::bits::DotsBits;
use crate::codes::{Dots, I8Query};
use crate::f32::{Dot, DotAndNormSq, L2Sq, Sums};
use crate::u4::DotsU4;

/// The kernels of one tier, as methods of its token. Implemented by the tokens in [`Level`] and nothing else.
///
/// Every method enters the tier's feature region itself: inside [`vectorize`](Isa::vectorize) or
/// [`Level::dispatch`] that is free, outside it costs one to three nanoseconds.
///
/// All kernels assert that their slices are equally long: a difference is a bug of the caller, not bad input.
///
/// ```
/// use proxime_simd::{I8Query, Isa, Scalar};
///
/// assert_eq!(Scalar.dot_f32(&[1.0, 2.0], &[3.0, 4.0]), 11.0);
/// assert_eq!(Scalar.l2_sq_f32(&[1.0, 2.0], &[3.0, 5.0]), 13.0);
/// assert_eq!(Scalar.dots_i8(I8Query::new(&[1, -128]), [&[2, -128], &[0, 1]]), [16_386, -128]);
/// ```
pub trait Isa: sealed::Tier {
    /// Runs `op` inside the tier's feature region, where kernels inline. Nesting is free.
    fn vectorize<O: WithIsa>(self, op: O) -> O::Output;

    /// The products of one query with `N` rows.
    ///
    /// Shapes: `query [dim]`, each row `[dim]`, out `[N]`. `N` is meant to be 1, 4 or 8: eight rows a call keep
    /// eight streams of memory in flight, which is what random rows out of cache need.
    /// Exact for every `i8`, -128 included, up to 131,071 components; beyond, the sum wraps around, on every tier
    /// alike.
    /// Cost: least for rows as [`AlignedRows`](crate::AlignedRows) has them, without split loads and tails.
    #[inline(always)]
    fn dots_i8<const N: usize>(self, query: I8Query<'_>, rows: [&[i8]; N]) -> [i32; N] {
        self.vectorize(Dots { query, rows })
    }

    /// The products of one query with `N` rows of 4-bit codes, 0 to 15, two to a byte.
    ///
    /// Shapes: `query [dim]`, each row `[dim / 2]`, out `[N]`; `dim` is a multiple of 128. Byte `64 l + i` of a row holds
    /// code `128 l + i` in its low half and code `128 l + 64 + i` in its high half.
    /// Exact for every `i8`, -128 included, up to a million components.
    #[inline(always)]
    fn dots_u4<const N: usize>(self, query: I8Query<'_>, rows: [&[u8]; N]) -> [i32; N] {
        self.vectorize(DotsU4 { query, rows })
    }

    /// The products of one query with `N` rows of bits: sums of the components at which a row has a 1.
    ///
    /// Shapes: `query [dim]`, each row `[dim / 8]`, out `[N]`; `dim` is a multiple of 128. Byte `16 l + i` of a row holds
    /// bit `128 l + 16 j + i` as its `j`-th, the least significant being the 0th.
    /// Exact for every `i8`, -128 included, up to a million components.
    #[inline(always)]
    fn dots_bits<const N: usize>(self, query: I8Query<'_>, rows: [&[u8]; N]) -> [i32; N] {
        self.vectorize(DotsBits { query, rows })
    }

    /// Hints that `row` will be read soon. Never faults, never waits.
    ///
    /// A row of up to 1 KiB is fetched whole; of a longer one only the first four cache lines: the hardware follows
    /// from there, and more would evict what is in use. The scalar tier does nothing.
    fn prefetch<T>(self, row: &[T]);

    /// `sum(a[j] * b[j])`, with the contract of [`dots_i8`](Isa::dots_i8), which is faster when `a` is used again.
    #[inline(always)]
    fn dot_i8(self, a: &[i8], b: &[i8]) -> i32 {
        let [dot] = self.dots_i8(I8Query::new(a), [b]);
        dot
    }

    /// `sum(a[j] * b[j])`. Tolerance: see [`reference`](crate::reference).
    #[inline(always)]
    fn dot_f32(self, a: &[f32], b: &[f32]) -> f32 {
        let [[dot]] = self.vectorize(Sums::new(Dot, a, [b]));
        dot
    }

    /// `sum((a[j] - b[j])^2)`: the squared Euclidean distance. Tolerance: see [`reference`](crate::reference).
    #[inline(always)]
    fn l2_sq_f32(self, a: &[f32], b: &[f32]) -> f32 {
        let [[l2_sq]] = self.vectorize(Sums::new(L2Sq, a, [b]));
        l2_sq
    }

    /// `sum(a[j]^2)`: the same bits as `dot_f32(a, a)`.
    #[inline(always)]
    fn norm_sq_f32(self, a: &[f32]) -> f32 {
        self.dot_f32(a, a)
    }

    /// `(dot(query, row), norm_sq(row))` in one pass, the pieces of a cosine: the same bits as the two kernels
    /// apart.
    #[inline(always)]
    fn dot_and_norm_sq_f32(self, query: &[f32], row: &[f32]) -> (f32, f32) {
        let [[dot, norm_sq]] = self.vectorize(Sums::new(DotAndNormSq, query, [row]));
        (dot, norm_sq)
    }
}

pub(crate) mod sealed {
    use crate::bits::BitLanes;
    use crate::block::I8Tiles;
    use crate::codes::I8Lanes;
    use crate::topk::KeyLanes;
    use crate::u4::U4Lanes;

    /// What the crate's own generic kernels need to know of a tier.
    pub trait Tier:
        I8Lanes + U4Lanes + BitLanes + I8Tiles + KeyLanes + Send + Sync + 'static
    {
        /// The token of pulp whose vectors the `f32` kernels use.
        type Float: pulp::Simd;
        /// Whether there are 32 vector registers, not 16: how many rows of sums fit beside each other.
        const WIDE: bool;
        fn float(self) -> Self::Float;
    }
}

/// A computation generic over the tier it runs on.
///
/// Write `#[inline(always)]` on `with_isa` and on the generic helpers below it: one that is not inlined is compiled
/// for the baseline CPU. Closures handed to other threads have left the tier: dispatch inside each task.
pub trait WithIsa {
    /// What the computation returns.
    type Output;
    /// Runs on the tier of `isa`.
    fn with_isa<I: Isa>(self, isa: I) -> Self::Output;
}

/// The tier that every CPU has: plain Rust, no vector instruction beyond the compiler's baseline.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

impl Scalar {
    fn try_new() -> Option<Self> {
        Some(Self)
    }
}

impl sealed::Tier for Scalar {
    type Float = pulp::Scalar;
    const WIDE: bool = false;

    #[inline(always)]
    fn float(self) -> pulp::Scalar {
        pulp::Scalar::new()
    }
}

impl Isa for Scalar {
    #[inline(always)]
    fn vectorize<O: WithIsa>(self, op: O) -> O::Output {
        op.with_isa(self)
    }

    #[inline(always)]
    fn prefetch<T>(self, _row: &[T]) {}
}

/// Every tier of every architecture, best first: the values of `PROXIME_ISA`.
const NAMES: [&str; 6] = ["amx", "avx512", "avx2", "neondot", "neon", "scalar"];

/// Makes [`Level`] from a list of tiers, best first.
macro_rules! levels {
    ($($(#[doc = $doc:literal])* $(#[cfg($cfg:meta)])? $tier:ident($token:ty) = $name:literal,)*) => {
        /// A tier that this CPU has, chosen at run time.
        ///
        /// The environment variable `PROXIME_ISA` (`scalar`, `avx2`, `avx512`, `amx`, `neon`, `neondot`) selects a lesser
        /// tier.
        ///
        /// ```
        /// use proxime_simd::{IsaError, Level};
        ///
        /// assert_eq!("scalar".parse::<Level>()?.to_string(), "scalar");
        /// assert!(Level::available().contains(&Level::detect()));
        /// # Ok::<(), IsaError>(())
        /// ```
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub enum Level {
            $($(#[doc = $doc])* $(#[cfg($cfg)])? $tier($token),)*
        }

        impl Level {
            /// The tiers that this CPU has, best first. Never empty: the last is [`Level::Scalar`].
            pub fn available() -> Vec<Self> {
                let mut found = Vec::new();
                $($(#[cfg($cfg)])? found.extend(<$token>::try_new().map(Self::$tier));)*
                found
            }

            /// Runs `op` on this tier. Cost: a branch and a call that cannot be inlined, so dispatch whole loops.
            #[inline]
            pub fn dispatch<O: WithIsa>(self, op: O) -> O::Output {
                match self {
                    $($(#[cfg($cfg)])? Self::$tier(isa) => Isa::vectorize(isa, op),)*
                }
            }

            /// The tier's name, as in `PROXIME_ISA`.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(#[cfg($cfg)])? Self::$tier(_) => $name,)*
                }
            }
        }
    };
}

levels! {
    /// AVX-512 with VNNI, and AMX tiles (Intel since Sapphire Rapids).
    #[cfg(target_arch = "x86_64")]
    Amx(crate::Amx) = "amx",
    /// AVX-512 with VNNI (Intel since Cascade Lake, AMD since Zen 4).
    #[cfg(target_arch = "x86_64")]
    V4x(crate::V4x) = "avx512",
    /// AVX2 and FMA (x86-64-v3).
    #[cfg(target_arch = "x86_64")]
    V3(crate::V3) = "avx2",
    /// NEON with the dot product extension (Armv8.2 and later).
    #[cfg(target_arch = "aarch64")]
    NeonDot(crate::NeonDot) = "neondot",
    /// NEON.
    #[cfg(target_arch = "aarch64")]
    Neon(crate::Neon) = "neon",
    /// Plain Rust.
    Scalar(Scalar) = "scalar",
}

impl Level {
    /// The tier to use: [`from_env`](Level::from_env), or the best this CPU has where that fails. Looked up once.
    ///
    /// A front door calls `from_env` first, to report a bad `PROXIME_ISA` instead of passing over it.
    pub fn detect() -> Self {
        static DETECTED: OnceLock<Level> = OnceLock::new();
        *DETECTED.get_or_init(|| Self::from_env().unwrap_or_else(|_| Self::best()))
    }

    /// The tier that `PROXIME_ISA` names, or the best this CPU has where the variable is unset or empty.
    ///
    /// # Errors
    /// The name is unknown, or this CPU lacks that tier.
    pub fn from_env() -> Result<Self, IsaError> {
        match std::env::var_os("PROXIME_ISA") {
            Some(name) if !name.is_empty() => name.to_string_lossy().parse(),
            _ => Ok(Self::best()),
        }
    }

    fn best() -> Self {
        Self::available()
            .first()
            .copied()
            .unwrap_or(Self::Scalar(Scalar))
    }
}

impl FromStr for Level {
    type Err = IsaError;

    fn from_str(name: &str) -> Result<Self, IsaError> {
        let available = Self::available();
        if let Some(level) = available.iter().find(|level| level.name() == name) {
            return Ok(*level);
        }
        let name = name.to_owned();
        Err(match NAMES.contains(&name.as_str()) {
            true => IsaError::Unavailable { name, available },
            false => IsaError::Unknown { name },
        })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl PartialEq for Level {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Level {}

/// Why a tier cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IsaError {
    /// No tier has this name.
    #[error("unknown instruction tier {name:?}: the tiers are {}", NAMES.join(", "))]
    Unknown {
        /// The name as given.
        name: String,
    },
    /// The tier exists, but not on this CPU.
    #[error(
        "this CPU lacks the instruction tier {name:?}: it has {}",
        list(available)
    )]
    Unavailable {
        /// The name as given.
        name: String,
        /// What this CPU has, best first.
        available: Vec<Level>,
    },
}

fn list(levels: &[Level]) -> String {
    levels
        .iter()
        .map(|level| level.name())
        .collect::<Vec<_>>()
        .join(", ")
}
