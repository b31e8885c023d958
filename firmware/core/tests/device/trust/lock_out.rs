//! Nobody is locked out: the records that a device refuses for that, and how an operator is
//! replaced.

use sealift_core::{Keys, Roles, Trust};
use sealift_oscore::coap::Code;
use sealift_wire::Refusal;

use super::{
    NEW, OLD, RECORD, ROOT, VM1, capsule, newcomer, put, record, refuses, rig, scoped, session,
    signed, spec, takes, translators, trusting,
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
