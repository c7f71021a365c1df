//! The targets under libFuzzer, which keeps inputs that reach new code. `PROXIME_FUZZ_TARGET` says which target, and
//! `PROXIME_FUZZ_SECONDS` after how much time of the processor it ends: by the clock, a busy machine would look like a thorough search.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use proxime_fuzz::{TARGETS, Target};
use rustix::process::{Signal, getpid, kill_process};
use rustix::time::{ClockId, clock_gettime};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("PROXIME_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.into_iter().find(|(target, _)| *target == name);
    found.map_or(|_| std::process::abort(), |(_, target)| target)
});

static SECONDS: LazyLock<i64> = LazyLock::new(|| {
    let seconds = std::env::var("PROXIME_FUZZ_SECONDS");
    seconds.map_or(i64::MAX, |text| {
        text.parse().unwrap_or_else(|_| std::process::abort())
    })
});

/// What one input may take of the processor; by the clock, a process that others hold up would look like one that hangs.
const INPUT_SECONDS: i64 = 20;

fn seconds() -> i64 {
    clock_gettime(ClockId::ProcessCPUTime).tv_sec
}

fuzz_target!(|data: &[u8]| {
    let started = seconds();
    if started >= *SECONDS {
        // To libFuzzer this means to end in good order, with its counts.
        kill_process(getpid(), Signal::USR1).ok();
    }
    TARGET(data);
    assert!(seconds() - started <= INPUT_SECONDS, "it takes too long");
});
