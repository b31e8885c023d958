//! Nobody is locked out: the records that a device refuses for that, and how an operator is
//! replaced.

use sealift_core::{Keys, Roles, Trust};
use sealift_oscore::coap::Code;
use sealift_wire::{ComponentStatus, Refusal};

use super::{
    NEW, OLD, RECORD, ROOT, VM1, capsule, detached_record, newcomer, put, record, refuses, rig,
    scoped, session, signed, spec, takes, translators, trusting,
};
use crate::device_common::answering;

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
        (
            "a name that no component can have",
            with(scoped_keys(vec![scoped(OLD, &[]), scoped(NEW, &[""])], 2)),
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
            "more peers than a device can know",
            Trust {
                translators: translators(&[NEW], 1),
                peers: [(Roles::DEPLOY, op.clone())]
                    .into_iter()
                    .chain((0..8).map(|_| (Roles::USE, newcomer().credential().clone())))
                    .collect(),
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
    let mut op = rig.op();
    let answer = rig.simple(&mut op, Code::GET, RECORD);
    let status = ComponentStatus::from_cbor(&answer.payload).unwrap();
    assert_eq!(status.transfer, None);
    // None of them has used a number up.
    takes(&mut rig, &with(translators(&[NEW], 1)), 1);
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
    let who = crate::device_common::clone_of(&rig.op);
    assert!(session(&mut rig, &who, 1009).is_none());
    assert!(session(&mut rig, &new, 4002).is_some());
}

#[test]
fn a_number_that_uses_the_others_up_is_refused() {
    const FAR: u64 = 1 << 48;
    let mut rig = rig();
    let trust = trusting(&rig, translators(&[OLD], 1));
    for sequence in [FAR + 1, u64::MAX] {
        refuses(&mut rig, &record(&trust, sequence), Refusal::LockOut);
    }
    takes(&mut rig, &trust, FAR);
    refuses(&mut rig, &record(&trust, 2 * FAR + 1), Refusal::LockOut);
    takes(&mut rig, &trust, 2 * FAR);
    takes(&mut rig, &trust, 2 * FAR + 1);
}

/// Places are kept for whoever uses them, by the peer's place in the record.
#[test]
fn whoever_stays_can_send_at_once_though_it_is_counted_anew() {
    let mut rig = rig();
    let (mut op, mut second) = (rig.op(), rig.second());
    let update = capsule(&answering("new"), 1, &[OLD]);
    let job = vec![0; 3000];
    // The second one begins an envelope, the first one another, and a job.
    for session in [&mut second, &mut op] {
        rig.pass(30_000);
        for num in 0..2 {
            let begun = rig.piece(session, Code::PUT, VM1, num, &update);
            assert_eq!(begun.code, Code::CONTINUE, "{begun:?}");
        }
    }
    let begun = rig.piece(&mut op, Code::POST, "/vm-run", 0, &job);
    assert_eq!(begun.code, Code::CONTINUE, "{begun:?}");
    let mut trust = trusting(&rig, translators(&[OLD], 1));
    trust.peers.rotate_left(1);
    let answer = rig.put(&mut op, RECORD, &record(&trust, 1)).unwrap();
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    let other = capsule(&answering("other"), 2, &[OLD]);
    for (code, path, body) in [(Code::PUT, VM1, &other), (Code::POST, "/vm-run", &job)] {
        let begun = rig.piece(&mut op, code, path, 0, body);
        assert_eq!(begun.code, Code::CONTINUE, "{path}: {begun:?}");
    }
}

#[test]
fn nor_does_an_envelope_that_is_begun_meanwhile_keep_its_own_sender_out() {
    let mut rig = rig();
    let (mut op, mut second) = (rig.op(), rig.second());
    let mut trust = trusting(&rig, translators(&[OLD], 1));
    trust.peers.rotate_left(1);
    let content = trust.encode().unwrap();
    let envelope = detached_record(&content, 1);
    assert_eq!(
        put(&mut rig, &mut op, &envelope, RECORD).code,
        Code::CHANGED
    );
    let update = capsule(&answering("new"), 1, &[OLD]);
    let begun = rig.piece(&mut second, Code::PUT, VM1, 0, &update);
    assert_eq!(begun.code, Code::CONTINUE, "{begun:?}");
    let answer = put(&mut rig, &mut op, &content, &format!("{RECORD}/payload"));
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    let begun = rig.piece(&mut second, Code::PUT, VM1, 0, &update);
    assert_eq!(begun.code, Code::CONTINUE, "{begun:?}");
}
