//! Trust records: which ones a device takes, and what it does from then on.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

mod device_common;
mod trust_common;

use device_common::{Rig, Session, answering};
use sealift_core::{Keys, Roles, Trust};
use sealift_oscore::coap::Code;
use sealift_storage::sim::Torn;
use sealift_wire::{ComponentStatus, Phase, Refusal};
use trust_common::{
    NEW, OLD, RECORD, ROOT, SECOND_ROOT, STRANGER, VM1, capsule, newcomer, number, public, put,
    record, refuses, rig, scoped, session, signed, spec, takes, translators, trusting,
};

/// A capsule that answers this, signed by this key, is taken for `vm1`.
fn installs(rig: &mut Rig, op: &mut Session, text: &str, sequence: u64, key: u8) {
    let answer = put(rig, op, &capsule(&answering(text), sequence, &[key]), VM1);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
}

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
fn a_record_that_locks_somebody_out_is_refused() {
    let mut rig = rig();
    let op = rig.op.credential().clone();
    let deployers = vec![(Roles::DEPLOY, op.clone())];
    let with = |translators: Keys| Trust {
        translators,
        peers: deployers.clone(),
    };
    let scoped_keys = |keys: Vec<_>, threshold| Keys { keys, threshold };
    let cases = [
        ("no translator", with(translators(&[], 1))),
        ("threshold 0", with(translators(&[NEW], 0))),
        ("threshold not met", with(translators(&[NEW], 2))),
        (
            "threshold above all",
            with(translators(&[1, 2, 3, 4, 5], 5)),
        ),
        ("one key twice", with(translators(&[NEW, NEW], 2))),
        (
            "threshold not met for vm2",
            with(scoped_keys(
                vec![scoped(OLD, &["vm1", "vm2"]), scoped(NEW, &["vm1"])],
                2,
            )),
        ),
        ("the root translates", with(translators(&[NEW, ROOT], 1))),
        (
            "a translator of trust",
            with(scoped_keys(vec![scoped(NEW, &["vm1", "trust"])], 1)),
        ),
        (
            "nobody deploys",
            Trust {
                translators: translators(&[NEW], 1),
                peers: vec![(Roles::USE, op.clone())],
            },
        ),
        (
            "no peers",
            Trust {
                translators: translators(&[NEW], 1),
                peers: vec![],
            },
        ),
        (
            "its sender does not deploy any more",
            Trust {
                translators: translators(&[NEW], 1),
                peers: vec![
                    (Roles::DEPLOY, rig.second.credential().clone()),
                    (Roles::USE, op.clone()),
                ],
            },
        ),
        (
            "one peer twice",
            Trust {
                translators: translators(&[NEW], 1),
                peers: vec![(Roles::DEPLOY, op.clone()), (Roles::USE, op.clone())],
            },
        ),
    ];
    for (sequence, (what, trust)) in cases.into_iter().enumerate() {
        println!("{what}");
        refuses(
            &mut rig,
            &record(&trust, sequence as u64 + 1),
            Refusal::LockOut,
        );
    }
    for content in [&b"\0"[..], b"\x80", b"\x82\x82\x01\x80", b"garbage"] {
        let envelope = signed(&spec(content, 20), &[ROOT], content);
        refuses(&mut rig, &envelope, Refusal::NotARecord);
    }
    // None of them has used a number up.
    takes(&mut rig, &with(translators(&[NEW], 1)), 1);
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
    let old = device_common::detached(&answering("old"), 1, |_| {});
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
    let who = device_common::clone_of(&rig.app);
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
fn an_operator_is_replaced_in_two_records_and_never_by_one_that_does_not_work() {
    let mut rig = rig();
    let new = newcomer();
    assert!(session(&mut rig, &new, 4000).is_none());
    let both = Trust {
        translators: translators(&[OLD], 1),
        peers: vec![
            (Roles::DEPLOY, rig.op.credential().clone()),
            (Roles::DEPLOY, new.credential().clone()),
            (Roles::USE, rig.app.credential().clone()),
        ],
    };
    let only_new = Trust {
        peers: both.peers[1..].to_vec(),
        ..both.clone()
    };
    let mut op = rig.op();
    let answer = put(&mut rig, &mut op, &record(&only_new, 1), RECORD);
    assert!(answer.is(Refusal::LockOut), "{answer:?}");
    let answer = put(&mut rig, &mut op, &record(&both, 1), RECORD);
    assert_eq!(answer.code, Code::CHANGED);
    let mut newer = session(&mut rig, &new, 4001).expect("is known now");
    let answer = put(&mut rig, &mut newer, &record(&only_new, 2), RECORD);
    assert_eq!(answer.code, Code::CHANGED);
    let gone = rig.request(&mut op, Code::GET, VM1, None, None, &[]);
    assert_eq!(gone, None);
    let answer = put(
        &mut rig,
        &mut newer,
        &capsule(&answering("x"), 1, &[OLD]),
        VM1,
    );
    assert_eq!(answer.code, Code::CHANGED);
    rig.reboot();
    let who = device_common::clone_of(&rig.op);
    assert!(session(&mut rig, &who, 1009).is_none());
    assert!(session(&mut rig, &new, 4002).is_some());
}

/// Attackers with a single key.
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
