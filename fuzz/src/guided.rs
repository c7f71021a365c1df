//! The targets under libFuzzer, which keeps inputs that reach new code. `PROXIME_FUZZ_TARGET` says which target.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use proxime_fuzz::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("PROXIME_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.into_iter().find(|(target, _)| *target == name);
    found.map_or(|_| std::process::abort(), |(_, target)| target)
});

fuzz_target!(|data: &[u8]| TARGET(data));
