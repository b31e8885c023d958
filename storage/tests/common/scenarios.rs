//! Histories of a device, for the sweeps.

use super::{capsule, with_payload};
use sealift_storage::SlotId;
use sealift_storage::sim::{Capsule, Operation, Part, Script};

use Operation::{Abort, Activate, Attempt, Confirm, Remove, Revert, Rollback};
use Script::{Do, Push, PushTo, Repair, Restart, Wear};

/// Capsules: 0 to 4 for vm1, 5 and 6 for vm2, 7 dishonest, 8 and 9 with the
/// last two sequence numbers, for vm1.
pub(crate) fn capsules() -> Vec<Capsule> {
    let good = super::payload(9, 700);
    let mut bad = good.clone();
    bad[699] ^= 1;
    vec![
        capsule("vm1", 1, 0, 901),
        capsule("vm1", 2, 1, 1500),
        capsule("vm1", 3, 3, 64),
        capsule("vm1", 4, 0, 3072),
        capsule("vm1", 5, 2, 1),
        capsule("vm2", 1, 1, 1100),
        capsule("vm2", 2, 2, 333),
        with_payload("vm1", 9, 0, &good, bad),
        capsule("vm1", u64::MAX - 1, 3, 700),
        capsule("vm1", u64::MAX, u64::MAX, 65),
    ]
}

/// What happens to a device, by name.
pub(crate) struct History {
    pub(crate) name: &'static str,
    /// With the component that each part is for.
    pub(crate) script: Vec<(usize, Script)>,
    /// The number of the newest journal records at the start; 0 if there are
    /// none.
    pub(crate) records: u32,
    /// Whether both journal pages work: if one fails, unstable bits in the
    /// other are not put right.
    pub(crate) settles: bool,
}

impl History {
    fn new(name: &'static str, script: Vec<(usize, Script)>) -> Self {
        Self {
            name,
            script,
            records: 0,
            settles: true,
        }
    }
}

pub(crate) fn on_vm1(script: &[Script]) -> Vec<(usize, Script)> {
    script.iter().map(|part| (0, *part)).collect()
}

fn install(i: usize) -> [Script; 4] {
    [Push(i), Do(Activate(i, 3)), Do(Attempt), Do(Confirm(i))]
}

/// The histories that the sweeps cut.
pub(crate) fn histories() -> Vec<History> {
    let [push0, activate0, attempt0, confirm0] = install(0);
    let first = [push0, activate0, attempt0, confirm0];
    let second = install(1);
    vec![
        History::new("first install", on_vm1(&first)),
        History::new("update and confirm", on_vm1(&[first, second].concat())),
        History::new(
            "interrupted and resumed transfer",
            on_vm1(
                &[
                    &first[..],
                    &[PushTo(3, 1700), Restart, PushTo(3, 2500), Restart],
                    &install(3),
                ]
                .concat(),
            ),
        ),
        History::new(
            "replaced and aborted transfer",
            on_vm1(
                &[
                    &first[..],
                    &[PushTo(1, 1200), PushTo(3, 1300), Do(Abort)],
                    &install(2),
                ]
                .concat(),
            ),
        ),
        History::new(
            "automatic revert",
            on_vm1(
                &[
                    &first[..],
                    &[
                        Push(1),
                        Do(Activate(1, 1)),
                        Do(Attempt),
                        Restart,
                        Do(Revert),
                    ],
                ]
                .concat(),
            ),
        ),
        History::new(
            "revert of the first trial, to nothing",
            on_vm1(&[push0, activate0, Do(Revert), Push(1), Do(Activate(1, 2))]),
        ),
        History::new(
            "manual roll back, and forth again",
            on_vm1(&[&first[..], &second, &[Do(Rollback), Restart, Do(Rollback)]].concat()),
        ),
        History::new(
            "floor forbids roll back",
            on_vm1(
                &[
                    &first[..],
                    &install(2),
                    &[Do(Rollback), Restart],
                    &install(4),
                ]
                .concat(),
            ),
        ),
        History::new(
            "removal and reinstallation",
            on_vm1(&[&first[..], &[Do(Remove), Push(0)], &second].concat()),
        ),
        History::new(
            "wrong payload",
            on_vm1(&[&first[..], &[Push(7), Do(Activate(7, 3))], &second].concat()),
        ),
        History::new(
            "two components interleaved",
            vec![
                (0, PushTo(0, 500)),
                (1, Push(5)),
                (0, Push(0)),
                (1, Do(Activate(5, 2))),
                (0, Do(Activate(0, 2))),
                (1, Do(Attempt)),
                (1, Do(Confirm(5))),
                (0, Do(Confirm(0))),
                (1, PushTo(6, 200)),
                (0, Push(1)),
                (1, Push(6)),
                (0, Do(Activate(1, 2))),
                (1, Do(Activate(6, 2))),
                (0, Do(Revert)),
                (1, Do(Confirm(6))),
                (1, Do(Rollback)),
            ],
        ),
        History {
            name: "counters near their end",
            script: on_vm1(
                &[
                    &first[..],
                    &install(8),
                    &[Push(1), Do(Rollback), Restart],
                    &install(9),
                    &[Push(8), Do(Rollback), Restart, Push(1), Do(Remove), Push(9)],
                ]
                .concat(),
            ),
            records: u32::MAX - 150,
            settles: true,
        },
        History::new(
            "a worn page of the slot",
            on_vm1(
                &[
                    &first[..],
                    &second,
                    &[
                        Wear(Part::Payload(SlotId::A, 1500), false),
                        Push(3),
                        Restart,
                        Push(3),
                        Repair,
                        Push(3),
                    ],
                    &install(3),
                ]
                .concat(),
            ),
        ),
        History::new(
            "a silently worn page of the slot",
            on_vm1(
                &[
                    &first[..],
                    &[
                        Wear(Part::Payload(SlotId::B, 300), true),
                        Push(1),
                        Restart,
                        Repair,
                    ],
                    &second,
                ]
                .concat(),
            ),
        ),
        History::new(
            "a worn first page of the slot",
            on_vm1(
                &[
                    &first[..],
                    &[Wear(Part::Head(SlotId::B), false), Push(1), Restart, Repair],
                    &second,
                ]
                .concat(),
            ),
        ),
        worn_journal("a worn first page of the journal", Part::FirstJournalPage),
        worn_journal("a worn second page of the journal", Part::SecondJournalPage),
    ]
}

/// Attempts of a trial while a journal page fails. Which of them are journaled
/// depends on where the newest record is, the end does not.
fn worn_journal(name: &'static str, page: Part) -> History {
    let worn = [
        Wear(page, false),
        Do(Attempt),
        Do(Attempt),
        Restart,
        Do(Attempt),
        Restart,
        Do(Attempt),
        Do(Confirm(1)),
        Repair,
        Do(Confirm(1)),
    ];
    let trial = [Push(1), Do(Activate(1, 9))];
    History {
        name,
        script: on_vm1(&[&install(0)[..], &trial, &worn].concat()),
        records: 0,
        settles: false,
    }
}
