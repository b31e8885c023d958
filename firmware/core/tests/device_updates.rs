//! Updates through the whole device: what it refuses, keeps and puts back.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

mod device_common;

use device_common::capsules::{LOG, Parts, persistent};
use device_common::{PAGE, Rig, answering, detached, echo, envelope};
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
    let cases: [(Refusal, Vec<u8>); 8] = [
        (Refusal::OldSequence, envelope(&capsule, 1, |_| {})),
        (
            Refusal::NoSpace,
            envelope(
                &device_common::capsules::Capsule {
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
            Refusal::NotOffered,
            envelope(&capsule, 2, |spec| spec.invoke.grants = Grants::UDP),
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
    assert_eq!(before, rig.flash.0.borrow().bytes());
}

#[test]
fn two_deployers_do_not_mix_their_envelopes() {
    let mut rig = Rig::new();
    let first = envelope(&answering("one"), 1, |_| {});
    let second = envelope(&answering("two"), 2, |_| {});
    let block = |num, more| Some(BlockOption { num, more, szx: 6 });
    let mut a = rig.op();
    let mut b = rig.op();
    let put = |rig: &mut Rig, session: &mut _, num: u32, body: &[u8]| {
        let start = num as usize * 1024;
        let end = body.len().min(start + 1024);
        let part = &body[start..end];
        rig.request(
            session,
            Code::PUT,
            VM1,
            block(num, end < body.len()),
            None,
            part,
        )
        .unwrap()
    };
    assert_eq!(put(&mut rig, &mut a, 0, &first).code, Code::CONTINUE);
    // The later one takes over; the other is told so.
    assert_eq!(put(&mut rig, &mut b, 0, &second).code, Code::CONTINUE);
    assert!(put(&mut rig, &mut a, 1, &first).is(Refusal::BlockOutOfOrder));
    for num in 1..second.len().div_ceil(1024) as u32 {
        put(&mut rig, &mut b, num, &second);
    }
    rig.asks("two");
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
fn a_payload_does_not_go_into_the_transfer_of_another_deployer() {
    let mut rig = Rig::new();
    let (one, two) = (answering("one"), answering("two"));
    let (mut a, mut b) = (rig.op(), rig.op());
    rig.put(&mut a, VM1, &detached(&one, 1, |_| {})).unwrap();
    for num in 0..2 {
        rig.piece(&mut a, Code::PUT, PAYLOAD, num, &one.artifact);
    }
    rig.put(&mut b, VM1, &detached(&two, 2, |_| {})).unwrap();
    for num in 0..2 {
        rig.piece(&mut b, Code::PUT, PAYLOAD, num, &two.artifact);
    }
    // At the same place, but of another capsule.
    let answer = rig.piece(&mut a, Code::PUT, PAYLOAD, 2, &one.artifact);
    assert!(answer.is(Refusal::WrongOffset), "{answer:?}");
    let last = (two.artifact.len() as u32).div_ceil(1024) - 1;
    for num in 2..last {
        rig.piece(&mut b, Code::PUT, PAYLOAD, num, &two.artifact);
    }
    // Whoever knows of this transfer may finish it.
    let mut c = rig.op();
    let answer = rig.piece(&mut c, Code::PUT, PAYLOAD, last, &two.artifact);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    rig.asks("two");
}

#[test]
fn a_user_of_capsules_does_not_disturb_a_job() {
    let mut rig = Rig::new();
    rig.install(&answering(&"x".repeat(1200)), 1);
    let job = envelope(&echo(), 1, |spec| spec.component = "vm-run".into());
    let body = [job, vec![7; 2000]].concat();
    let (mut op, mut app) = (rig.op(), rig.app());
    let last = (body.len() as u32).div_ceil(1024) - 1;
    let use_it = |rig: &mut Rig, app: &mut _| {
        // A call, the first block of one, and a long answer.
        rig.simple(app, Code::GET, "/vm1/path");
        let more = [0; 1025];
        let answer = rig.piece(app, Code::PUT, "/vm1/path", 0, &more);
        assert_eq!(answer.code, Code::CONTINUE);
    };
    for num in 0..last {
        let answer = rig.piece(&mut op, Code::POST, "/vm-run", num, &body);
        assert_eq!(answer.code, Code::CONTINUE, "{num}: {answer:?}");
        use_it(&mut rig, &mut app);
    }
    let answer = rig.piece(&mut op, Code::POST, "/vm-run", last, &body);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    use_it(&mut rig, &mut app);
    let next = BlockOption {
        num: 1,
        more: false,
        szx: 6,
    };
    let rest = rig.request(&mut op, Code::POST, "/vm-run", None, Some(next), &[]);
    assert_eq!(rest.unwrap().payload, [7; 2000 - 1024]);
}

#[test]
fn a_roll_back_is_done_once_however_its_answer_is_fetched() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    rig.install(&answering("two"), 2);
    let path = "/vm-control/vm1/rollback";
    let block = |num, more| Some(BlockOption { num, more, szx: 0 });
    let mut op = rig.op();
    // A later block of an answer that there is not.
    let answer = rig.request(&mut op, Code::POST, path, None, block(1, false), &[]);
    assert!(answer.unwrap().is(Refusal::BlockOutOfOrder));
    rig.asks("two");
    // A body in blocks, where there should be none.
    let answer = rig.request(&mut op, Code::POST, path, block(0, true), None, &[0; 16]);
    assert!(answer.unwrap().is(Refusal::TooLarge));
    rig.asks("two");
    let answer = rig.request(&mut op, Code::POST, path, None, block(0, false), &[]);
    assert_eq!(answer.unwrap().code, Code::CHANGED);
    rig.asks("one");
    // Somebody else's long answer in between.
    let mut other = rig.op();
    rig.request(&mut other, Code::GET, VM1, None, block(0, false), &[]);
    let answer = rig.request(&mut op, Code::POST, path, None, block(1, false), &[]);
    assert_eq!(answer.unwrap().code, Code::CHANGED);
    rig.asks("one");
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
