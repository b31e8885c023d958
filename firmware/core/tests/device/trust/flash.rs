//! Power cuts and damage: the record in force is the old one, the new one or none.

use sealift_core::Trust;
use sealift_oscore::coap::Code;
use sealift_storage::sim::Torn;
use sealift_storage::{Phase, Store};
use sealift_wire::Refusal;

use super::{
    NEW, OLD, RECORD, VM1, capsule, installs, number, put, record, refuses, rig, takes,
    translators, trusting,
};
use crate::device_common::{LAYOUT, Rig, WORD, answering};

#[test]
fn a_damaged_record_is_not_the_one_before_it() {
    let mut rig = rig();
    let first = trusting(&rig, translators(&[OLD], 1));
    let second = trusting(&rig, translators(&[NEW], 1));
    takes(&mut rig, &first, 1);
    takes(&mut rig, &second, 2);
    let mut op = rig.op();
    installs(&mut rig, &mut op, "new", 1, NEW);
    damage(&rig, &second.encode().unwrap());
    rig.reboot();
    // Neither the keys of the record before nor those of the start.
    assert!(rig.ask().is(Refusal::NoCapsule));
    let mut op = rig.op();
    for key in [OLD, NEW] {
        let answer = put(&mut rig, &mut op, &capsule(&answering("x"), 2, &[key]), VM1);
        assert!(answer.is(Refusal::Untrusted), "{answer:?}");
    }
    let answer = put(&mut rig, &mut op, &record(&first, 1), RECORD);
    assert!(answer.is(Refusal::OldSequence), "{answer:?}");
    // A newer one heals it.
    takes(&mut rig, &second, 3);
    let mut op = rig.op();
    installs(&mut rig, &mut op, "new", 3, NEW);
    rig.asks("new");
}

/// Flips a bit of these bytes where they lie in flash.
fn damage(rig: &Rig, content: &[u8]) {
    let mut flash = rig.flash.0.borrow_mut();
    let bytes = flash.bytes();
    let at = bytes
        .windows(content.len())
        .position(|part| part == content);
    let at = at.expect("the record in flash");
    flash.rot((at + 7) * 8);
}

#[test]
fn a_power_cut_leaves_the_old_record_or_the_new_one() {
    let (mut olds, mut news) = (0, 0);
    for torn in [Torn::Old, Torn::New, Torn::Prefix, Torn::Mix] {
        // Steps of the flash: an erased page has many, and is cut anywhere.
        for step in (0..14_000).step_by(531) {
            let mut rig = rig();
            let first = trusting(&rig, translators(&[OLD], 1));
            let second = trusting(&rig, translators(&[NEW], 1));
            takes(&mut rig, &first, 1);
            let mut op = rig.op();
            rig.flash.0.borrow_mut().cut_at(step, torn, step);
            let _ = rig.put(&mut op, RECORD, &record(&second, 2));
            let cut = rig.flash.0.borrow().is_off();
            rig.flash.0.borrow_mut().cancel_cut();
            rig.reboot();
            let now = number(&mut rig).unwrap();
            assert!(now == 1 || now == 2, "{torn:?} at {step}: {now}");
            assert!(cut || now == 2);
            let key = if now == 1 { OLD } else { NEW };
            let mut op = rig.op();
            let answer = put(&mut rig, &mut op, &capsule(&answering("x"), 1, &[key]), VM1);
            assert_eq!(answer.code, Code::CHANGED, "{torn:?} at {step}");
            match now {
                1 => olds += 1,
                _ => news += 1,
            }
            // It can be done again.
            let answer = put(&mut rig, &mut op, &record(&second, 2), RECORD);
            assert!(
                matches!(answer.code, Code::CHANGED | Code::VALID),
                "{answer:?}"
            );
            assert_eq!(number(&mut rig), Some(2));
        }
    }
    println!("{olds} left the old record, {news} the new one");
    assert!(olds > 10 && news > 10);
}

/// Rigs on which the power was cut at the very end of taking the second record, so that
/// it is in force and the store still has it on trial; and that record.
fn on_trial() -> Vec<(Rig, Trust)> {
    let taken = |cut: Option<u64>| {
        let mut rig = rig();
        let first = trusting(&rig, translators(&[OLD], 1));
        let second = trusting(&rig, translators(&[NEW], 1));
        takes(&mut rig, &first, 1);
        let mut op = rig.op();
        let before = rig.flash.0.borrow().steps();
        if let Some(step) = cut {
            rig.flash.0.borrow_mut().cut_at(step, Torn::Old, 0);
        }
        let _ = rig.put(&mut op, RECORD, &record(&second, 2));
        let steps = rig.flash.0.borrow().steps() - before;
        (rig, second, steps)
    };
    let (.., steps) = taken(None);
    let cut = |before_the_end| taken(Some(steps - before_the_end));
    let cut = (1..200).step_by(13).map(cut);
    let cut = cut.filter(|(rig, ..)| is_on_trial(rig));
    let cut: Vec<_> = cut.map(|(rig, second, _)| (rig, second)).collect();
    assert!(cut.len() > 1, "no cut before the last write");
    cut
}

/// Whether the store has the second record on trial, as it is found at the next start.
fn is_on_trial(rig: &Rig) -> bool {
    let mut flash = rig.flash.0.borrow().clone();
    flash.power_on();
    let store = Store::<_, 2, WORD>::mount(flash, LAYOUT).unwrap();
    let active = store.status(2).unwrap().active.unwrap();
    active.sequence == 2 && active.phase != Phase::Confirmed
}

#[test]
fn a_record_that_is_in_force_but_for_its_last_write_keeps_no_newer_one_out() {
    for (mut rig, second) in on_trial() {
        assert!(rig.flash.0.borrow().is_off());
        rig.reboot();
        assert_eq!(number(&mut rig), Some(2));
        takes(&mut rig, &second, 3);
    }
}

#[test]
fn nor_does_it_if_it_is_damaged_and_the_one_before_does_not_come_back() {
    for (mut rig, second) in on_trial() {
        rig.flash.0.borrow_mut().power_on();
        damage(&rig, &second.encode().unwrap());
        for _ in 0..2 {
            rig.reboot();
            assert_eq!(number(&mut rig), Some(2));
            let mut op = rig.op();
            let old = put(&mut rig, &mut op, &capsule(&answering("x"), 1, &[OLD]), VM1);
            assert!(old.is(Refusal::Untrusted), "{old:?}");
        }
        takes(&mut rig, &second, 3);
        let mut op = rig.op();
        installs(&mut rig, &mut op, "new", 1, NEW);
    }
}

#[test]
fn the_record_again_does_not_heal_a_damaged_one_and_says_so() {
    let mut rig = rig();
    let trust = trusting(&rig, translators(&[NEW], 1));
    takes(&mut rig, &trust, 1);
    damage(&rig, &trust.encode().unwrap());
    rig.reboot();
    refuses(&mut rig, &record(&trust, 1), Refusal::OldSequence);
    takes(&mut rig, &trust, 2);
}

#[test]
fn a_read_that_fails_stops_no_capsule() {
    let mut taken = 0;
    for reads in 0..400 {
        let mut rig = rig();
        rig.install(&answering("old"), 1);
        let trust = trusting(&rig, translators(&[OLD, NEW], 1));
        let mut op = rig.op();
        rig.flash.1.set(Some(reads));
        let answer = rig.put(&mut op, RECORD, &record(&trust, 1)).unwrap();
        let failed = rig.flash.1.take().is_none();
        taken += u32::from(failed && answer.code == Code::CHANGED);
        rig.asks("old");
        assert_eq!(rig.status().starts, Some(1), "after {reads} reads");
        if !failed {
            break;
        }
    }
    assert!(taken > 0, "none failed while capsules were looked at");
}

#[test]
fn nor_does_one_at_the_start_give_up_a_trial() {
    let mut failed = 0;
    for reads in 0..400 {
        let mut rig = rig();
        let mut trust = trusting(&rig, translators(&[NEW], 1));
        // Each has another place than before.
        trust.peers.reverse();
        takes(&mut rig, &trust, 1);
        let mut op = rig.op();
        let envelope = capsule(&answering("new"), 1, &[NEW]);
        let answer = put(&mut rig, &mut op, &envelope, VM1);
        assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
        // Behind those of the mount, which fails if they do.
        rig.flash.1.set(Some(u32::MAX));
        Store::<_, 2, WORD>::mount(rig.flash.clone(), LAYOUT).unwrap();
        let mount = u32::MAX - rig.flash.1.get().unwrap();
        rig.flash.1.set(Some(mount + reads));
        rig.reboot();
        let over = rig.flash.1.take().is_some();
        let mut app = rig.app();
        rig.pass(1000);
        rig.rest();
        // It is who it was, in whatever place.
        let answer = rig.simple(&mut app, Code::DELETE, VM1);
        assert!(answer.is(Refusal::NotAllowed), "{answer:?}");
        rig.asks("new");
        let status = rig.status();
        assert_eq!(status.sequence, Some(1), "after {reads} reads");
        assert_eq!(status.phase, sealift_wire::Phase::Trial);
        // Whom the record knows, and the translators that it names.
        assert_eq!(number(&mut rig), Some(1));
        let mut op = rig.op();
        let old = put(&mut rig, &mut op, &capsule(&answering("x"), 2, &[OLD]), VM1);
        assert!(old.is(Refusal::Untrusted), "{old:?}");
        if over {
            break;
        }
        failed += 1;
    }
    assert!(failed > 2, "none failed");
}
