//! After a crash at any moment, what was promised is there, and nothing that was never begun.
//!
//! Each script runs once on a simulated disk. For the disk before each of its operations, every state that a loss of power can
//! leave is opened as a store. The same for a process that is killed, and for a loss of power during each of these recoveries.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use proxime_storage::{Disk, Durability, Fill, SimVfs, Vfs};

use crate::images::{fingerprint, power_losses};

use super::lies::{Liar, Lie};
use super::{Allowed, BATCH, Script, Session, Step};

/// Counts of what was checked, and which disks were.
pub(super) struct Campaign {
    seen: HashSet<u64>,
    /// States enumerated, and those among them that differ.
    pub(super) states: usize,
    pub(super) distinct: usize,
    /// States during a recovery, and those among them that were opened.
    pub(super) nested: usize,
    pub(super) nested_opened: usize,
    pub(super) torn: usize,
    /// Of how many distinct states each is also crashed while it recovers.
    nest_every: usize,
    /// What the log sees of a disk.
    lie: Lie,
}

impl Campaign {
    pub(super) fn nesting_every(nest_every: usize) -> Campaign {
        Campaign {
            seen: HashSet::new(),
            states: 0,
            distinct: 0,
            nested: 0,
            nested_opened: 0,
            torn: 0,
            nest_every,
            lie: Lie::None,
        }
    }

    pub(super) fn lying(self, lie: Lie) -> Campaign {
        Campaign { lie, ..self }
    }

    pub(super) fn mount(&self, vfs: &SimVfs) -> Arc<dyn Vfs> {
        Arc::new(Liar::new(vfs, self.lie))
    }

    pub(super) fn counts(&self) -> String {
        let Campaign {
            states,
            distinct,
            nested,
            torn,
            ..
        } = self;
        format!("{states} states, {distinct} distinct, {nested} nested, {torn} torn")
    }

    /// Scripts without faults, and every crash of them.
    pub(super) fn check_scripts(&mut self, durability: Durability) {
        for steps in [APPENDS, GROUPS, CHECKPOINTS, LIVES, FLUSHES] {
            let vfs = SimVfs::new();
            vfs.record();
            let script = Script::run(self.mount(&vfs), &vfs, durability, steps);
            self.check_script(&vfs, &script, durability, 0);
        }
    }

    fn is_new(&mut self, disk: &Disk, allowed: &Allowed, rows_min: usize) -> bool {
        let mut hasher = DefaultHasher::new();
        (fingerprint(disk), allowed, rows_min).hash(&mut hasher);
        self.seen.insert(hasher.finish())
    }

    /// All that a script leaves behind, whenever it ends after so many operations.
    pub(super) fn check_script(
        &mut self,
        vfs: &SimVfs,
        script: &Script,
        durability: Durability,
        ops_min: usize,
    ) {
        let mut before = None;
        for (ops, disk) in vfs.history().into_iter().enumerate().skip(ops_min) {
            let allowed = script.timeline.at(ops);
            let now = Some((disk.clone(), allowed.clone()));
            if now == before {
                continue;
            }
            before = now;
            let promised = allowed.promised(durability);
            for image in power_losses(&disk) {
                let when = format!("op {ops}, no power");
                self.check_image(image, &allowed, (promised, promised), &when);
            }
            let rows_min = (allowed.acked, promised);
            self.check_image(disk, &allowed, rows_min, &format!("op {ops}, killed"));
        }
    }

    /// Promised are so many rows, and so many after a loss of power.
    fn check_image(
        &mut self,
        image: Disk,
        allowed: &Allowed,
        (rows_min, durable_min): (usize, usize),
        when: &str,
    ) {
        self.states += 1;
        if !self.is_new(&image, allowed, rows_min) && image.choices() == 0 {
            return;
        }
        self.distinct += 1;
        let vfs = image.mount();
        let nest = self.distinct.is_multiple_of(self.nest_every);
        if nest {
            vfs.record();
        }
        let mut session = Session::open(self.mount(&vfs), Durability::Always).unwrap();
        allowed.check(&session.rows, rows_min, when);
        self.torn += usize::from(session.report.torn.is_some());
        let found = session.rows.clone();
        if nest {
            self.check_nested(&vfs, &found, durable_min, when);
        }
        // It can be written to, and what is written now is there, even without another sync.
        session.append(1_000_000).unwrap();
        drop(session);
        let without_power = vfs.disk().crash(|_| false, Fill::Nothing).mount();
        let session = Session::open(Arc::new(without_power), Durability::Always).unwrap();
        assert_eq!(session.rows, [&found[..], &[1_000_000]].concat(), "{when}");
    }

    /// A loss of power during the recovery: what it had found may be less than is promised to nobody, but never less than was
    /// on the disk; so a second recovery finds the same, unless what the first saw was only in memory.
    fn check_nested(&mut self, vfs: &SimVfs, found: &[u64], rows_min: usize, when: &str) {
        let history = vfs.history();
        let durable = history[0].choices() == 0;
        let mut seen = HashSet::new();
        for (ops, disk) in history.iter().enumerate() {
            for image in power_losses(disk) {
                self.nested += 1;
                if !seen.insert((fingerprint(&image), ops + 1 == history.len())) {
                    continue;
                }
                self.nested_opened += 1;
                let rows = Session::open(Arc::new(image.mount()), Durability::Always)
                    .unwrap()
                    .rows;
                let when = format!("{when}, then op {ops} of recovery");
                if durable || ops + 1 == history.len() {
                    assert_eq!(rows, found, "{when}");
                } else {
                    assert!(
                        found.starts_with(&rows) && rows.len() >= rows_min,
                        "{when}: {rows:?} of {found:?}, {rows_min} promised"
                    );
                }
            }
        }
    }
}

const APPENDS: &[Step] = &[Step::Append, Step::Append, Step::Append];
const GROUPS: &[Step] = &[
    Step::Group(2),
    Step::Append,
    Step::Tick,
    Step::Tick,
    Step::Group(3),
];
const CHECKPOINTS: &[Step] = &[
    Step::Append,
    Step::Checkpoint,
    Step::Group(2),
    Step::Checkpoint,
    Step::Append,
];
const LIVES: &[Step] = &[
    Step::Append,
    Step::Kill,
    Step::Group(2),
    Step::Reopen,
    Step::Append,
    Step::Checkpoint,
    Step::Kill,
    Step::Append,
];
const FLUSHES: &[Step] = &[
    Step::Append,
    Step::Flush,
    Step::Append,
    Step::Append,
    Step::Tick,
    Step::Append,
    Step::Reopen,
];

/// The counts, for whoever runs this with `--nocapture`.
fn campaign(durability: Durability) -> String {
    let mut campaign = Campaign::nesting_every(11);
    campaign.check_scripts(durability);
    assert!(campaign.distinct > 1000 && campaign.nested > 1000 && campaign.torn > 100);
    format!("{durability:?}: {}", campaign.counts())
}

#[test]
fn always_at_every_operation() {
    println!("{}", campaign(Durability::Always));
}

#[test]
fn batch_at_every_operation() {
    println!("{}", campaign(BATCH));
}

#[test]
fn os_at_every_operation() {
    println!("{}", campaign(Durability::Os));
}
