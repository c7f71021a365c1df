//! Tiers: found, named, chosen by name, refused with a reason.

use proxime_simd::{Isa, IsaError, Level, WithIsa};

use crate::levels;

#[test]
fn the_required_are_here() {
    // `levels` fails the test where PROXIME_REQUIRE_ISA names one that is not.
    assert_eq!(levels().last().map(|level| level.name()), Some("scalar"));
}

#[test]
fn the_variable_is_obeyed() {
    let expected = match std::env::var("PROXIME_ISA") {
        Ok(name) if !name.is_empty() => name.parse::<Level>().ok(),
        _ => None,
    };
    assert_eq!(Level::detect(), expected.unwrap_or(Level::available()[0]));
}

#[test]
fn by_name() {
    for level in levels() {
        assert_eq!(level.to_string().parse::<Level>().as_ref(), Ok(level));
    }
}

#[test]
fn unknown_names() {
    let error = "avx1024".parse::<Level>().unwrap_err();
    assert_eq!(
        error,
        IsaError::Unknown {
            name: "avx1024".into()
        }
    );
    assert_eq!(
        error.to_string(),
        "unknown instruction tier \"avx1024\": the tiers are amx, avx512, avx2, neondot, neon, scalar"
    );
    assert!("AVX2".parse::<Level>().is_err());
    assert!("".parse::<Level>().is_err());
}

#[test]
fn tiers_of_another_cpu() {
    let foreign = if cfg!(target_arch = "aarch64") {
        "avx2"
    } else {
        "neon"
    };
    let error = foreign.parse::<Level>().unwrap_err();
    let available = levels().to_vec();
    let names: Vec<_> = available.iter().map(|level| level.name()).collect();
    assert_eq!(
        error.to_string(),
        format!(
            "this CPU lacks the instruction tier {foreign:?}: it has {}",
            names.join(", ")
        )
    );
    assert_eq!(
        error,
        IsaError::Unavailable {
            name: foreign.into(),
            available
        }
    );
}

/// A hint must not fault: not past the end of a row, not on one of nothing.
#[test]
fn prefetching() {
    struct Prefetch<'a>(&'a [i64]);
    impl WithIsa for Prefetch<'_> {
        type Output = ();
        #[inline(always)]
        fn with_isa<I: Isa>(self, isa: I) {
            isa.prefetch(self.0);
            isa.prefetch(&[(); 9]);
        }
    }
    let row = vec![1; 1000];
    for level in levels() {
        for len in [0, 1, 8, 100, 128, 129, 1000] {
            level.dispatch(Prefetch(&row[1000 - len..]));
        }
    }
}
