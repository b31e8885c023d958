//! Updates through the whole device: what it refuses, keeps and puts back.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

use crate::device_common::capsules::{LOG, Parts, persistent};
use crate::device_common::{COUNTER, PAGE, Rig, answering, detached, echo, envelope};
use sealift_manifest::{Grants, Kind};
use sealift_oscore::coap::{BlockOption, Code};
use sealift_storage::sim::Torn;
use sealift_wire::{Phase, Refusal};

const VM1: &str = "/vm-control/vm1";
const PAYLOAD: &str = "/vm-control/vm1/payload";

#[test]
fn an_integrated_envelope_installs_in_one_transfer() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    rig.asks("one");
    rig.reboot();
    rig.asks("one");
}

#[test]
fn what_the_manifest_does_not_grant_is_refused_before_anything_runs() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    let logger = persistent(Parts {
        head: LOG,
        init: "(call $info (i32.const 0) (i32.const 1))",
        ..Parts::default()
    });
    let mut op = rig.op();
    let answer = rig
        .put(&mut op, VM1, &envelope(&logger, 2, |_| {}))
        .unwrap();
    assert!(answer.is(Refusal::Ungranted), "{answer:?}");
    assert!(rig.board.log().is_empty());
    rig.asks("one");
    assert_eq!(rig.status().transfer, None);

    let granted = logger.grant(Grants::LOG);
    let answer = rig
        .put(&mut op, VM1, &envelope(&granted, 2, |_| {}))
        .unwrap();
    assert_eq!(answer.code, Code::CHANGED);
    assert!(!rig.board.log().is_empty());
}

#[test]
fn an_envelope_is_judged_before_its_payload() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    let capsule = answering("two");
    let cases: [(Refusal, Vec<u8>); 7] = [
        (Refusal::OldSequence, envelope(&capsule, 1, |_| {})),
        (
            Refusal::NoSpace,
            envelope(
                &crate::device_common::capsules::Capsule {
                    artifact: vec![0; 24 * PAGE],
                    ..answering("")
                },
                2,
                |_| {},
            ),
        ),
        (
            Refusal::WrongDevice,
            envelope(&capsule, 2, |spec| spec.vendor_id[3] ^= 1),
        ),
        (
            Refusal::WrongDevice,
            envelope(&capsule, 2, |spec| spec.class_id[3] ^= 1),
        ),
        (
            Refusal::WrongProfile,
            envelope(&capsule, 2, |spec| spec.invoke.profile.push('1')),
        ),
        (
            Refusal::LimitsTooHigh,
            envelope(&capsule, 2, |spec| spec.invoke.fuel = 10_000_001),
        ),
        (
            Refusal::WrongKind,
            envelope(&capsule, 2, |spec| spec.invoke.kind = Kind::Ephemeral),
        ),
    ];
    let before = rig.flash.0.borrow().bytes().to_vec();
    for (refusal, envelope) in cases {
        let mut op = rig.op();
        // The first block is enough.
        let block = BlockOption {
            num: 0,
            more: true,
            szx: 6,
        };
        let answer = rig
            .request(
                &mut op,
                Code::PUT,
                VM1,
                Some(block),
                None,
                &envelope[..1024],
            )
            .unwrap();
        assert!(answer.is(refusal), "{refusal}: {answer:?}");
    }
    assert_eq!(before, rig.flash.0.borrow().bytes(), "flash was touched");
    rig.asks("one");
}

#[test]
fn an_ephemeral_capsule_runs_and_leaves_nothing() {
    let mut rig = Rig::new();
    let before = rig.flash.0.borrow().bytes().to_vec();
    let mut op = rig.op();
    let job = envelope(&echo(), 1, |spec| spec.component = "vm-run".into());
    let input: Vec<u8> = (0..3000_u32).map(|n| n as u8).collect();
    let body = [job, input.clone()].concat();
    let mut last = None;
    for (num, part) in body.chunks(1024).enumerate() {
        let block = BlockOption {
            num: num as u32,
            more: (num + 1) * 1024 < body.len(),
            szx: 6,
        };
        last = rig.request(&mut op, Code::POST, "/vm-run", Some(block), None, part);
    }
    let mut answer = last.unwrap();
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    // The output is too long for one message.
    let mut output = answer.payload.clone();
    while let Some(block) = answer.block2.filter(|block| block.more) {
        let next = BlockOption {
            num: block.num + 1,
            more: false,
            szx: block.szx,
        };
        answer = rig
            .request(&mut op, Code::POST, "/vm-run", None, Some(next), &[])
            .unwrap();
        output.extend(&answer.payload);
    }
    assert_eq!(output, input);
    // All that it leaves is its number.
    let (start, end) = COUNTER;
    let flash = rig.flash.0.borrow();
    assert_eq!(before[..start], flash.bytes()[..start]);
    assert_eq!(before[end..], flash.bytes()[end..]);
}

#[test]
fn an_old_job_is_not_run_again() {
    let mut rig = Rig::new();
    let job = |sequence| envelope(&echo(), sequence, |spec| spec.component = "vm-run".into());
    let run = |rig: &mut Rig, sequence| {
        let mut op = rig.op();
        let body = job(sequence);
        let last = body.len().div_ceil(1024) as u32 - 1;
        for num in 0..last {
            rig.piece(&mut op, Code::POST, "/vm-run", num, &body);
        }
        rig.piece(&mut op, Code::POST, "/vm-run", last, &body)
    };
    assert_eq!(run(&mut rig, 5).code, Code::CHANGED);
    // The latest one as often as one likes.
    assert_eq!(run(&mut rig, 5).code, Code::CHANGED);
    assert!(run(&mut rig, 4).is(Refusal::OldJob));
    rig.reboot();
    assert!(run(&mut rig, 4).is(Refusal::OldJob));
    assert_eq!(run(&mut rig, 6).code, Code::CHANGED);
    assert!(run(&mut rig, 5).is(Refusal::OldJob));
}

#[test]
fn a_damaged_confirmed_capsule_gives_way_to_the_previous_one() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    rig.install(&answering("two"), 2);
    let at = {
        let flash = rig.flash.0.borrow();
        find(flash.bytes(), b"two").expect("the payload is in flash")
    };
    // Altered after it was checked: found at the next start.
    rig.flash.0.borrow_mut().bytes_mut()[at] ^= 1;
    rig.reboot();
    rig.asks("one");
    assert_eq!(
        rig.status().last_fault,
        Some(Refusal::WrongPayload.number())
    );
    // Altered, too: then nothing runs rather than that.
    let at = {
        let flash = rig.flash.0.borrow();
        find(flash.bytes(), b"one").expect("the payload is in flash")
    };
    rig.flash.0.borrow_mut().bytes_mut()[at] ^= 1;
    let before = rig.flash.0.borrow().bytes().to_vec();
    rig.reboot();
    assert!(rig.ask().is(Refusal::NoCapsule));
    assert!(
        before == rig.flash.0.borrow().bytes(),
        "each call wears the flash"
    );
}

#[test]
fn a_damaged_previous_capsule_is_not_rolled_back_to() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    rig.install(&answering("two"), 2);
    damage(&rig, b"one");
    let mut op = rig.op();
    let answer = rig.simple(&mut op, Code::POST, "/vm-control/vm1/rollback");
    assert!(answer.is(Refusal::WrongPayload), "{answer:?}");
    assert_eq!(rig.status().sequence, Some(2));
    rig.asks("two");
}

#[test]
fn an_envelope_damaged_in_flash_can_be_sent_again() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    let two = answering("two");
    let envelope = detached(&two, 2, |spec| spec.invoke.fuel = 1_000_007);
    let mut op = rig.op();
    let answer = rig.put(&mut op, VM1, &envelope).unwrap();
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    damage(&rig, &1_000_007_u32.to_be_bytes());
    let answer = rig.put(&mut op, PAYLOAD, &two.artifact).unwrap();
    assert!(answer.is(Refusal::Tampered), "{answer:?}");
    rig.asks("one");
    rig.put(&mut op, VM1, &envelope).unwrap();
    let answer = rig.put(&mut op, PAYLOAD, &two.artifact).unwrap();
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    rig.asks("two");
}

#[test]
fn a_flash_that_cannot_be_read_for_a_moment_costs_no_transfer() {
    let mut failures = 0;
    let two = answering("two");
    for reads in (0..60).step_by(3) {
        let mut rig = Rig::new();
        rig.install(&answering("one"), 1);
        let mut op = rig.op();
        rig.put(&mut op, VM1, &detached(&two, 2, |_| {})).unwrap();
        let last = (two.artifact.len() as u32).div_ceil(1024) - 1;
        for num in 0..last {
            rig.piece(&mut op, Code::PUT, PAYLOAD, num, &two.artifact);
        }
        rig.flash.1.set(Some(reads));
        let answer = rig.piece(&mut op, Code::PUT, PAYLOAD, last, &two.artifact);
        rig.flash.1.set(None);
        let status = rig.status();
        if answer.is(Refusal::Internal) && status.sequence == Some(1) {
            failures += 1;
            assert!(status.transfer.is_some(), "after {reads} reads");
        }
    }
    assert!(failures > 2);
}

#[test]
fn a_flash_that_cannot_be_read_for_a_moment_puts_nothing_back() {
    let trapping = persistent(Parts {
        run: "(if (i32.eq (local.get $code) (i32.const 3)) (then unreachable))",
        answer: "\\fftwo",
        ..Parts::default()
    });
    for confirmed in [true, false] {
        for reads in 0..12 {
            let mut rig = Rig::new();
            rig.install(&answering("one"), 1);
            let mut op = rig.op();
            rig.put(&mut op, VM1, &envelope(&trapping, 2, |_| {}))
                .unwrap();
            if confirmed {
                rig.simple(&mut op, Code::POST, "/vm-control/vm1/confirm");
            }
            let mut app = rig.app();
            if confirmed {
                let answer = rig.simple(&mut app, Code::PUT, "/vm1/path");
                assert!(answer.is(Refusal::Trapped), "{answer:?}");
            }
            // Started anew: a confirmed capsule by the next call, a trial at
            // once.
            rig.flash.1.set(Some(reads));
            rig.simple(&mut app, Code::PUT, "/vm1/path");
            rig.flash.1.set(None);
            rig.asks("two");
        }
    }
}

#[test]
fn what_is_answered_as_done_runs() {
    let two = envelope(&answering("two"), 2, |_| {});
    let steps = {
        let mut rig = Rig::new();
        rig.install(&answering("one"), 1);
        let before = rig.flash.0.borrow().steps();
        let mut op = rig.op();
        rig.put(&mut op, VM1, &two).unwrap();
        rig.flash.0.borrow().steps() - before
    };
    let mut failures = 0;
    // The last of what is written: that the trial is active, and its try.
    for back in (0..600).step_by(20) {
        let mut rig = Rig::new();
        rig.install(&answering("one"), 1);
        let mut op = rig.op();
        rig.flash.0.borrow_mut().glitch_at(steps - 1 - back);
        let answer = rig.put(&mut op, VM1, &two).unwrap();
        let status = rig.status();
        if answer.code == Code::CHANGED {
            assert!(status.running && status.sequence == Some(2), "{status:?}");
        } else {
            failures += 1;
        }
    }
    assert!(failures > 2);
}

#[test]
fn a_manifest_altered_in_flash_is_not_believed() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    let fuel = 1_000_000_u32.to_be_bytes();
    let at = find(rig.flash.0.borrow().bytes(), &fuel).expect("the manifest is in flash");
    rig.flash.0.borrow_mut().bytes_mut()[at] ^= 0x10;
    rig.reboot();
    assert!(rig.ask().is(Refusal::NoCapsule));
    assert_eq!(rig.status().last_fault, Some(Refusal::Tampered.number()));
}

#[test]
fn power_cuts_during_an_update_leave_the_old_or_the_new_capsule() {
    let old = answering("one");
    let new = envelope(&answering("two"), 2, |_| {});
    let (mut olds, mut news, mut cuts) = (0, 0, 0);
    // A step is one byte written or erased.
    for torn in Torn::ALL {
        for step in (0..14_000).step_by(397) {
            let mut rig = Rig::new();
            rig.install(&old, 1);
            rig.flash.0.borrow_mut().cut_at(step, torn, step);
            let mut op = rig.op();
            let answered = rig.put(&mut op, VM1, &new);
            let cut = rig.flash.0.borrow().is_off();
            cuts += u32::from(cut);
            rig.flash.0.borrow_mut().cancel_cut();
            rig.reboot();
            let answer = rig.ask();
            assert_eq!(answer.code, Code::CONTENT, "step {step}: {answer:?}");
            match &answer.payload[..] {
                b"one" => olds += 1,
                b"two" => news += 1,
                other => panic!("neither: {other:?}"),
            }
            let status = rig.status();
            assert!(status.floor == 0 && status.highest >= 1);
            if status.phase == Phase::Confirmed {
                // It can be done again, to the end.
                let mut op = rig.op();
                let answer = rig.put(&mut op, VM1, &new).unwrap();
                assert_eq!(answer.code, Code::CHANGED, "{answer:?} after {answered:?}");
            }
            rig.asks("two");
        }
    }
    println!("{cuts} cuts: {olds} times the old capsule, {news} times the new one");
    assert!(cuts > 10 && olds > 0 && news > 0);
}

/// Flips a bit of what is in flash.
fn damage(rig: &Rig, content: &[u8]) {
    let at = find(rig.flash.0.borrow().bytes(), content).expect("it is in flash");
    rig.flash.0.borrow_mut().bytes_mut()[at] ^= 1;
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}
