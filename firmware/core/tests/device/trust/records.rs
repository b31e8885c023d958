//! Which trust records a device takes, and what it says of them.

use sealift_core::Keys;
use sealift_oscore::coap::Code;
use sealift_wire::{ComponentStatus, Phase, Refusal};

use super::{
    NEW, OLD, RECORD, ROOT, SECOND_ROOT, STRANGER, VM1, capsule, installs, number, public, put,
    record, refuses, rig, scoped, signed, spec, takes, translators, trusting,
};
use crate::device_common::answering;

#[test]
fn a_record_is_in_force_at_once_and_after_a_restart() {
    let mut rig = rig();
    assert_eq!(number(&mut rig), Some(0));
    let trust = trusting(&rig, translators(&[NEW], 1));
    takes(&mut rig, &trust, 5);
    for _ in 0..2 {
        assert_eq!(number(&mut rig), Some(5));
        let mut op = rig.op();
        let old = put(&mut rig, &mut op, &capsule(&answering("x"), 9, &[OLD]), VM1);
        assert!(old.is(Refusal::Untrusted), "{old:?}");
        rig.reboot();
    }
    let mut op = rig.op();
    installs(&mut rig, &mut op, "new", 9, NEW);
    rig.asks("new");
}

#[test]
fn the_same_record_again_is_done_already() {
    let mut rig = rig();
    let trust = trusting(&rig, translators(&[NEW], 1));
    takes(&mut rig, &trust, 5);
    let mut op = rig.op();
    let again = put(&mut rig, &mut op, &record(&trust, 5), RECORD);
    assert_eq!(again.code, Code::VALID);
    assert_eq!(number(&mut rig), Some(5));
}

#[test]
fn its_status_is_that_of_a_component() {
    let mut rig = rig();
    let trust = trusting(&rig, translators(&[NEW], 1));
    takes(&mut rig, &trust, 5);
    let mut op = rig.op();
    let answer = rig.simple(&mut op, Code::GET, RECORD);
    let status = ComponentStatus::from_cbor(&answer.payload).unwrap();
    assert_eq!(status.name, "trust");
    assert_eq!((status.sequence, status.highest), (Some(5), 5));
    assert_eq!(status.phase, Phase::Confirmed);
    assert!(status.running);
    let answer = rig.simple(&mut op, Code::DELETE, RECORD);
    assert!(answer.is(Refusal::MethodNotAllowed));
    for action in ["confirm", "rollback"] {
        let answer = rig.simple(&mut op, Code::POST, &format!("{RECORD}/{action}"));
        assert!(answer.is(Refusal::NotFound));
    }
}

#[test]
fn a_lower_or_equal_number_is_refused() {
    let mut rig = rig();
    let trust = trusting(&rig, translators(&[NEW], 1));
    takes(&mut rig, &trust, 5);
    let other = trusting(&rig, translators(&[OLD], 1));
    for sequence in [0, 4, 5] {
        refuses(&mut rig, &record(&other, sequence), Refusal::OldSequence);
    }
    takes(&mut rig, &other, 6);
}

#[test]
fn only_root_keys_sign_records_and_they_sign_nothing_else() {
    let mut rig = rig();
    let trust = trusting(&rig, translators(&[NEW], 1));
    let content = trust.encode().unwrap();
    let by = |keys: &[u8]| signed(&spec(&content, 1), keys, &content);
    for keys in [&[OLD][..], &[STRANGER], &[ROOT, OLD], &[ROOT, STRANGER]] {
        refuses(&mut rig, &by(keys), Refusal::Untrusted);
    }
    let mut op = rig.op();
    for keys in [&[ROOT][..], &[OLD, ROOT]] {
        let answer = put(&mut rig, &mut op, &capsule(&answering("x"), 1, keys), VM1);
        assert!(answer.is(Refusal::Untrusted), "{answer:?}");
    }
    // A record is no capsule, and a capsule no record, whoever signs.
    let mut other = spec(&content, 1);
    other.component = "vm1".into();
    let answer = put(&mut rig, &mut op, &signed(&other, &[OLD], &content), VM1);
    assert!(answer.is(Refusal::WrongProfile), "{answer:?}");
    let mut other = spec(&content, 1);
    other.invoke.profile = sealift_engine::HOST.profile().into();
    refuses(
        &mut rig,
        &signed(&other, &[ROOT], &content),
        Refusal::WrongProfile,
    );
    let mut other = spec(&content, 1);
    other.class_id[0] ^= 1;
    refuses(
        &mut rig,
        &signed(&other, &[ROOT], &content),
        Refusal::WrongDevice,
    );
}

#[test]
fn two_root_keys_if_that_is_how_it_was_provisioned() {
    let mut rig = rig();
    let roots = Keys::roots(vec![public(ROOT), public(SECOND_ROOT)], 2);
    rig.reboot_under(translators(&[OLD], 1), roots);
    let trust = trusting(&rig, translators(&[NEW], 1));
    let content = trust.encode().unwrap();
    let by = |keys: &[u8]| signed(&spec(&content, 1), keys, &content);
    refuses(&mut rig, &by(&[ROOT]), Refusal::Untrusted);
    let mut op = rig.op();
    let answer = put(&mut rig, &mut op, &by(&[ROOT, SECOND_ROOT]), RECORD);
    assert_eq!(answer.code, Code::CHANGED);
}

#[test]
fn a_device_without_a_root_key_takes_none_and_heeds_none() {
    let mut rig = rig();
    let trust = trusting(&rig, translators(&[NEW], 1));
    takes(&mut rig, &trust, 1);
    rig.reboot_under(translators(&[OLD], 1), Keys::default());
    assert_eq!(number(&mut rig), None);
    refuses(&mut rig, &record(&trust, 2), Refusal::NoRoot);
    rig.install(&answering("old"), 1);
    rig.asks("old");
}

#[test]
fn a_record_with_something_behind_it_or_otherwise_encoded_is_refused() {
    let mut rig = rig();
    let content = trusting(&rig, translators(&[NEW], 1)).encode().unwrap();
    let longer = [&content[..], &[0]].concat();
    refuses(
        &mut rig,
        &signed(&spec(&longer, 1), &[ROOT], &longer),
        Refusal::NotARecord,
    );
    // The threshold in two bytes.
    assert_eq!(content[..3], [0x82, 0x82, 1]);
    let wider = [&content[..2], &[0x18, 1], &content[3..]].concat();
    refuses(
        &mut rig,
        &signed(&spec(&wider, 1), &[ROOT], &wider),
        Refusal::NotARecord,
    );
}

#[test]
fn a_capsule_needs_as_many_signatures_as_the_record_says_each_in_its_scope() {
    let mut rig = rig();
    let keys = vec![
        scoped(OLD, &["vm1", "vm2"]),
        scoped(NEW, &["vm1"]),
        scoped(STRANGER, &["vm2"]),
    ];
    let trust = trusting(&rig, Keys { keys, threshold: 2 });
    takes(&mut rig, &trust, 1);
    let mut op = rig.op();
    let text = answering("both");
    for keys in [&[OLD][..], &[NEW], &[OLD, STRANGER], &[OLD, NEW, STRANGER]] {
        let answer = put(&mut rig, &mut op, &capsule(&text, 1, keys), VM1);
        assert!(answer.is(Refusal::Untrusted), "{keys:?}: {answer:?}");
    }
    let answer = put(&mut rig, &mut op, &capsule(&text, 1, &[OLD, NEW]), VM1);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    rig.asks("both");
}
