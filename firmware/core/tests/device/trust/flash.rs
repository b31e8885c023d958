//! Power cuts and damage: the record in force is the old one, the new one or none.

use sealift_oscore::coap::Code;
use sealift_storage::sim::Torn;
use sealift_wire::Refusal;

use super::{
    NEW, OLD, RECORD, VM1, capsule, installs, number, put, record, rig, takes, translators,
    trusting,
};
use crate::device_common::{Rig, answering};

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
