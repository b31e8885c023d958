//! Attackers with a single key.

use sealift_core::{Roles, Trust};
use sealift_oscore::coap::Code;
use sealift_wire::Refusal;

use super::{
    NEW, OLD, RECORD, ROOT, STRANGER, VM1, capsule, newcomer, number, put, record, refuses, rig,
    session, signed, spec, takes, translators, trusting,
};
use crate::device_common::answering;

#[test]
fn one_translator_key_alone_is_not_enough_where_two_are_asked_for() {
    let mut rig = rig();
    let trust = trusting(&rig, translators(&[OLD, NEW], 2));
    takes(&mut rig, &trust, 1);
    // It has a deployer's help, and tries all it can sign.
    let mut op = rig.op();
    let text = answering("x");
    for keys in [&[NEW][..], &[NEW, STRANGER], &[NEW, ROOT]] {
        let answer = put(&mut rig, &mut op, &capsule(&text, 1, keys), VM1);
        assert!(answer.is(Refusal::Untrusted), "{keys:?}");
    }
    let lower = trusting(&rig, translators(&[NEW], 1));
    let content = lower.encode().unwrap();
    let record = signed(&spec(&content, 2), &[NEW], &content);
    refuses(&mut rig, &record, Refusal::Untrusted);
}

#[test]
fn a_deployer_alone_changes_nothing_and_goes_back_to_nothing() {
    let mut rig = rig();
    let first = trusting(&rig, translators(&[OLD], 1));
    let second = trusting(&rig, translators(&[NEW], 1));
    takes(&mut rig, &first, 1);
    takes(&mut rig, &second, 2);
    // It has all records that there ever were.
    refuses(&mut rig, &record(&first, 1), Refusal::OldSequence);
    // And bits to flip.
    let mut flipped = record(&first, 3);
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    refuses(&mut rig, &flipped, Refusal::WrongPayload);
    let mut flipped = record(&first, 3);
    flipped[60] ^= 1;
    let mut op = rig.op();
    let answer = put(&mut rig, &mut op, &flipped, RECORD);
    assert!(answer.code.0 >> 5 == 4, "{answer:?}");
    assert_eq!(number(&mut rig), Some(2));
}

#[test]
fn a_root_key_alone_runs_nothing_and_reaches_nobody() {
    let mut rig = rig();
    // Without a credential there is no session to send it by.
    let nobody = newcomer();
    assert!(session(&mut rig, &nobody, 4000).is_none());
    let mut app = rig.app();
    let mine = Trust {
        translators: translators(&[STRANGER], 1),
        peers: vec![(Roles::DEPLOY, nobody.credential().clone())],
    };
    let answer = put(&mut rig, &mut app, &record(&mine, 1), RECORD);
    assert!(answer.is(Refusal::NotAllowed), "{answer:?}");
    // With a deployer's help it signs no capsule itself...
    let mut op = rig.op();
    let answer = put(
        &mut rig,
        &mut op,
        &capsule(&answering("x"), 1, &[ROOT]),
        VM1,
    );
    assert!(answer.is(Refusal::Untrusted), "{answer:?}");
    // ... but it says who may: together they are the device, and the deployer
    // stays one.
    let ours = Trust {
        translators: translators(&[STRANGER], 1),
        peers: vec![(Roles::DEPLOY, rig.op.credential().clone())],
    };
    let answer = put(&mut rig, &mut op, &record(&ours, 1), RECORD);
    assert_eq!(answer.code, Code::CHANGED);
}
