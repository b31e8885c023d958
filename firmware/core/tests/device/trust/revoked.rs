//! What becomes of what runs, waits or is sent when a record takes away a key or a peer.

use sealift_core::{Roles, Trust};
use sealift_oscore::coap::Code;
use sealift_wire::{Phase, Refusal};

use super::{
    NEW, OLD, RECORD, VM1, capsule, installs, put, record, rig, session, takes, translators,
    trusting,
};
use crate::device_common::answering;

#[test]
fn a_capsule_of_a_revoked_translator_stops_and_is_not_started_again() {
    let mut rig = rig();
    rig.install(&answering("old"), 1);
    rig.asks("old");
    let trust = trusting(&rig, translators(&[NEW], 1));
    takes(&mut rig, &trust, 1);
    for _ in 0..2 {
        assert!(rig.ask().is(Refusal::NoCapsule));
        let status = rig.status();
        assert!(!status.running);
        assert_eq!(status.last_fault, Some(Refusal::Untrusted.number()));
        rig.reboot();
    }
    let mut op = rig.op();
    for action in ["confirm", "rollback"] {
        let answer = rig.simple(&mut op, Code::POST, &format!("{VM1}/{action}"));
        assert!(answer.code.0 >> 5 >= 4, "{answer:?}");
    }
    installs(&mut rig, &mut op, "new", 2, NEW);
    rig.asks("new");
}

#[test]
fn in_its_place_the_previous_capsule_runs_if_that_is_trusted() {
    let mut rig = rig();
    rig.install(&answering("old"), 1);
    let trust = trusting(&rig, translators(&[OLD, NEW], 1));
    takes(&mut rig, &trust, 1);
    let mut op = rig.op();
    installs(&mut rig, &mut op, "new", 2, NEW);
    rig.asks("new");
    // On trial, and its translator is revoked.
    let trust = trusting(&rig, translators(&[OLD], 1));
    takes(&mut rig, &trust, 2);
    rig.rest();
    rig.asks("old");
    rig.reboot();
    rig.asks("old");
}

#[test]
fn a_transfer_of_a_revoked_translator_comes_to_nothing() {
    let mut rig = rig();
    let old = crate::device_common::detached(&answering("old"), 1, |_| {});
    let mut op = rig.op();
    assert_eq!(put(&mut rig, &mut op, &old, VM1).code, Code::CHANGED);
    let trust = trusting(&rig, translators(&[NEW], 1));
    takes(&mut rig, &trust, 1);
    let payload = answering("old").artifact;
    let answer = put(&mut rig, &mut op, &payload, &format!("{VM1}/payload"));
    assert!(answer.is(Refusal::Untrusted), "{answer:?}");
    assert_eq!(rig.status().phase, Phase::Empty);
}

#[test]
fn sessions_of_revoked_peers_end_and_the_others_go_on() {
    let mut rig = rig();
    let (mut op, mut second, mut app) = (rig.op(), rig.second(), rig.app());
    let trust = Trust {
        translators: translators(&[OLD], 1),
        // In another order, and the second one may only look.
        peers: vec![
            (Roles::OBSERVE, rig.second.credential().clone()),
            (Roles::DEPLOY, rig.op.credential().clone()),
        ],
    };
    let answer = put(&mut rig, &mut op, &record(&trust, 1), RECORD);
    assert_eq!(answer.code, Code::CHANGED);
    // The user is not known any more, on the old session or a new one.
    let gone = rig.request(&mut app, Code::GET, "/vm1/path", None, None, &[]);
    assert_eq!(gone, None);
    let who = crate::device_common::clone_of(&rig.app);
    let again = session(&mut rig, &who, 2009);
    assert!(again.is_none());
    // The second one is itself, with another role.
    assert_eq!(rig.simple(&mut second, Code::GET, VM1).code, Code::CONTENT);
    let answer = put(
        &mut rig,
        &mut second,
        &capsule(&answering("x"), 1, &[OLD]),
        VM1,
    );
    assert!(answer.is(Refusal::NotAllowed), "{answer:?}");
    let answer = put(&mut rig, &mut op, &capsule(&answering("x"), 1, &[OLD]), VM1);
    assert_eq!(answer.code, Code::CHANGED);
}

#[test]
fn a_transfer_that_others_have_signed_meanwhile_begins_anew() {
    let mut rig = rig();
    let mut op = rig.op();
    let old = capsule(&answering("same"), 1, &[OLD]);
    rig.piece(&mut op, Code::PUT, VM1, 0, &old);
    let trust = trusting(&rig, translators(&[OLD, NEW], 2));
    takes(&mut rig, &trust, 1);
    let mut op = rig.op();
    // The same manifest, and one signature more.
    let both = capsule(&answering("same"), 1, &[OLD, NEW]);
    let answer = put(&mut rig, &mut op, &both, VM1);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    rig.asks("same");
}

#[test]
fn a_capsule_that_was_stopped_is_not_said_to_be_installed_already() {
    let mut rig = rig();
    rig.install(&answering("same"), 1);
    let trust = trusting(&rig, translators(&[OLD, NEW], 2));
    takes(&mut rig, &trust, 1);
    let mut op = rig.op();
    let both = capsule(&answering("same"), 1, &[OLD, NEW]);
    let answer = put(&mut rig, &mut op, &both, VM1);
    assert!(answer.is(Refusal::OldSequence), "{answer:?}");
    // With a number of its own it is.
    let both = capsule(&answering("same"), 2, &[OLD, NEW]);
    let answer = put(&mut rig, &mut op, &both, VM1);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    rig.asks("same");
}
