//! Random scripts with random faults, and every crash of them. `PROXIME_LOG_CASES` sets how many.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use proxime_storage::{Durability, Fault, SimVfs};

use super::crash::Campaign;
use super::{BATCH, Script, Step};

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Append),
        3 => (1..5usize).prop_map(Step::Group),
        1 => Just(Step::Flush),
        2 => Just(Step::Tick),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
        2 => Just(Step::Kill),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Fails(ErrorKind::Other)),
        Just(Fault::Fails(ErrorKind::StorageFull)),
        Just(Fault::Fails(ErrorKind::Interrupted)),
        Just(Fault::Short),
        Just(Fault::PowerOff),
    ]
}

fn durability() -> impl Strategy<Value = Durability> {
    let levels = [Durability::Always, BATCH, Durability::Os];
    prop::sample::select(levels.to_vec())
}

fn cases() -> u32 {
    let cases = std::env::var("PROXIME_LOG_CASES").ok();
    cases.map_or(24, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn any_history(
        durability in durability(),
        steps in prop::collection::vec(step(), 1..14),
        faults in prop::collection::vec((0..120usize, fault()), 0..4),
    ) {
        let vfs = SimVfs::new();
        vfs.record();
        for (op, fault) in faults {
            vfs.inject(op, fault);
        }
        let script = Script::run(Arc::new(vfs.clone()), &vfs, durability, &steps);
        let mut campaign = Campaign::nesting_every(97);
        campaign.check_script(&vfs, &script, durability, 0);
    }
}

/// `cargo xtask torture`: random histories, each other than the last, for as long as it says.
#[test]
#[ignore = "runs for as long as it is told to"]
fn torture_crash_images() {
    let mut runner = TestRunner::default();
    let histories = (
        durability(),
        prop::collection::vec(step(), 1..24),
        prop::collection::vec((0..200usize, fault()), 0..5),
    );
    let time = Duration::from_secs_f64(
        std::env::var("PROXIME_TORTURE_SECONDS").map_or(10.0, |seconds| seconds.parse().unwrap()),
    );
    let (started, mut scripts) = (Instant::now(), 0);
    let (mut states, mut opened, mut nested, mut nested_opened, mut torn) = (0, 0, 0, 0, 0);
    while started.elapsed() < time {
        let (durability, steps, faults) = histories.new_tree(&mut runner).unwrap().current();
        // What is needed to run it again, should it fail.
        let history = format!("{durability:?} {steps:?} {faults:?}");
        let outcome = std::panic::catch_unwind(|| {
            let vfs = SimVfs::new();
            vfs.record();
            for (op, fault) in faults {
                vfs.inject(op, fault);
            }
            let script = Script::run(Arc::new(vfs.clone()), &vfs, durability, &steps);
            let mut campaign = Campaign::nesting_every(29);
            campaign.check_script(&vfs, &script, durability, 0);
            campaign
        });
        let Ok(campaign) = outcome else {
            panic!("failed: {history}")
        };
        scripts += 1;
        states += campaign.states;
        opened += campaign.distinct;
        nested += campaign.nested;
        nested_opened += campaign.nested_opened;
        torn += campaign.torn;
    }
    println!(
        "crash images: {scripts} histories; {states} states after a crash, of which {opened} differ and were opened, {torn} of them with a torn end; {nested} after a loss of power during recovery, of which {nested_opened} differ and were opened; 0 acknowledged batches lost"
    );
}
