//! Boards that do not offer everything: what grants more is refused before any
//! of it is taken, and not started where it was taken before.

use crate::device_common::capsules::{Capsule, Parts, TOGGLE, persistent};
use crate::device_common::{Rig, answering, detached, envelope};
use sealift_manifest::Grants;
use sealift_oscore::coap::{BlockOption, Code};
use sealift_wire::Refusal;

const VM1: &str = "/vm-control/vm1";

/// Switches the light and answers.
fn lamp() -> Capsule {
    persistent(Parts {
        head: TOGGLE,
        run: "(drop (call $toggle))",
        answer: "\\fflamp",
        ..Parts::default()
    })
    .grant(Grants::GPIO)
}

/// A device without a light, a button and a network for capsules.
fn small() -> Rig {
    let mut rig = Rig::new();
    rig.means.offered = Grants::LOG.union(Grants::RNG);
    rig.reboot();
    rig
}

#[test]
fn what_a_board_has_not_is_refused_before_anything_is_taken() {
    let mut rig = small();
    let modest = answering("modest").grant(Grants::LOG);
    rig.install(&modest, 1);
    let before = rig.flash.0.borrow().bytes().to_vec();
    let block = BlockOption {
        num: 0,
        more: true,
        szx: 6,
    };
    // What counts is what the manifest grants, used or not.
    let too_much = answering("greedy").grant(Grants::LOG.union(Grants::UDP));
    for capsule in [lamp(), too_much] {
        for whole in [envelope(&capsule, 2, |_| {}), detached(&capsule, 2, |_| {})] {
            let mut op = rig.op();
            let part = &whole[..whole.len().min(1024)];
            let block = (whole.len() > 1024).then_some(block);
            let answer = rig.request(&mut op, Code::PUT, VM1, block, None, part);
            let answer = answer.unwrap();
            assert!(answer.is(Refusal::NotOffered), "{answer:?}");
        }
    }
    assert_eq!(rig.status().transfer, None);
    assert_eq!(before, rig.flash.0.borrow().bytes(), "flash was touched");
    rig.asks("modest");
}

#[test]
fn nor_is_it_run_as_a_job() {
    let mut rig = small();
    let job = crate::device_common::echo().grant(Grants::TIME);
    let job = envelope(&job, 1, |spec| spec.component = "vm-run".into());
    let mut op = rig.op();
    let last = u32::try_from(job.len().div_ceil(1024) - 1).unwrap();
    for num in 0..last {
        let answer = rig.piece(&mut op, Code::POST, "/vm-run", num, &job);
        assert_eq!(answer.code, Code::CONTINUE);
    }
    let answer = rig.piece(&mut op, Code::POST, "/vm-run", last, &job);
    assert!(answer.is(Refusal::NotOffered), "{answer:?}");
}

#[test]
fn a_firmware_that_offers_less_puts_the_previous_capsule_back() {
    let mut rig = Rig::new();
    rig.install(&answering("before"), 1);
    rig.install(&lamp(), 2);
    rig.asks("lamp");
    rig.means.offered = Grants::NONE;
    rig.reboot();
    rig.asks("before");
    let status = rig.status();
    assert_eq!(status.sequence, Some(1));
    assert_eq!(status.last_fault, Some(Refusal::NotOffered.number()));
}
