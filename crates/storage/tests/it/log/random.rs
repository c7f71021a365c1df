//! Random scripts with random faults, and every crash of them. `PROXIME_LOG_CASES` sets how many.

use std::io::ErrorKind;
use std::sync::Arc;

use proptest::prelude::*;
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
