//! Devices without room for two capsules of a component: the one that runs is
//! stopped before the one that is to replace it is looked at.

use crate::device_common::capsules::{LOG, Parts, persistent};
use crate::device_common::{Rig, answering, envelope};
use sealift_oscore::coap::Code;
use sealift_wire::{Phase, Refusal};

/// A device that has little RAM, with a capsule that answers "one".
fn small() -> Rig {
    let mut rig = Rig::new();
    rig.means.beside = false;
    rig.reboot();
    rig.install(&answering("one"), 1);
    rig
}

#[test]
fn a_capsule_that_is_no_better_leaves_the_other_one_running() {
    let mut rig = small();
    let starts = rig.status().starts;
    // It imports more than its manifest grants, which only a look at it tells.
    let greedy = persistent(Parts {
        head: LOG,
        init: "(call $info (i32.const 0) (i32.const 1))",
        ..Parts::default()
    });
    let mut op = rig.op();
    let answer = rig.put(&mut op, "/vm-control/vm1", &envelope(&greedy, 2, |_| {}));
    let answer = answer.unwrap();
    assert!(answer.is(Refusal::Ungranted), "{answer:?}");
    rig.rest();
    let status = rig.status();
    assert!(status.running, "it was not started again");
    assert_eq!(status.sequence, Some(1));
    assert_eq!(status.phase, Phase::Confirmed);
    assert_eq!(status.transfer, None);
    assert!(status.starts > starts, "it was not stopped");
    rig.asks("one");
    rig.install(&answering("two"), 2);
    rig.asks("two");
}

#[test]
fn updates_and_going_back_are_the_same() {
    let mut rig = small();
    rig.install(&answering("two"), 2);
    rig.asks("two");
    let mut op = rig.op();
    let answer = rig.simple(&mut op, Code::POST, "/vm-control/vm1/rollback");
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    rig.asks("one");
}
