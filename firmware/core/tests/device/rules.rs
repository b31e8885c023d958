//! Rules of CoAP that updates depend on: freshness (RFC 9175), sizes and blocks
//! (RFC 7959), who may send when.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

use crate::device_common::capsules::{Parts, persistent};
use crate::device_common::{Answer, Rig, Session, answering, detached, envelope};
use sealift_oscore::coap::{BlockOption, Code, number};
use sealift_wire::Refusal;

const VM1: &str = "/vm-control/vm1";
const PAYLOAD: &str = "/vm-control/vm1/payload";
const TEN_MINUTES: u64 = 10 * 60 * 1000;

/// A request with one more option.
fn with(
    rig: &mut Rig,
    session: &mut Session,
    code: Code,
    path: &str,
    (number, value): (u16, &[u8]),
) -> Answer {
    let (datagram, sent) = session.protect(code, |writer| {
        // In the order of their numbers, which is before the path for none.
        writer.uri_path(path)?;
        writer.option(number, value)
    });
    let response = rig.send(session.address(), &datagram);
    session.unprotect(&sent, &response).unwrap()
}

#[test]
fn a_request_that_was_held_back_is_not_done() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    rig.install(&answering("two"), 2);
    let (mut op, mut app) = (rig.op(), rig.app());
    rig.pass(TEN_MINUTES + 1);
    for (code, path) in [
        (Code::POST, "/vm-control/vm1/rollback"),
        (Code::POST, "/vm-control/vm1/confirm"),
        (Code::DELETE, VM1),
    ] {
        let answer = rig.simple(&mut op, code, path);
        assert!(answer.is(Refusal::Stale), "{answer:?}");
    }
    let mut late = envelope(&answering("three"), 3, |_| {});
    late.truncate(1024);
    let answer = rig.piece(&mut op, Code::PUT, VM1, 0, &late);
    assert!(answer.is(Refusal::Stale));
    assert!(
        rig.simple(&mut app, Code::POST, "/vm1/path")
            .is(Refusal::Stale)
    );
    // What only reads is as good late.
    assert_eq!(rig.simple(&mut app, Code::GET, "/vm1/path").payload, b"two");
    assert_eq!(rig.simple(&mut op, Code::GET, VM1).code, Code::CONTENT);
    assert_eq!(rig.status().sequence, Some(2));

    // A wrong value proves nothing; the one that was given out does.
    let path = "/vm-control/vm1/rollback";
    let asked = rig.simple(&mut op, Code::POST, path);
    let echo = asked.option(number::ECHO).unwrap().to_vec();
    let wrong = with(&mut rig, &mut op, Code::POST, path, (number::ECHO, &[0; 8]));
    assert!(wrong.is(Refusal::Stale));
    let done = with(&mut rig, &mut op, Code::POST, path, (number::ECHO, &echo));
    assert_eq!(done.code, Code::CHANGED, "{done:?}");
    assert_eq!(rig.status().sequence, Some(1));
    // For the next ten minutes nothing more is asked.
    rig.pass(TEN_MINUTES);
    let answer = rig.simple(&mut op, Code::POST, "/vm-control/vm1/confirm");
    assert!(answer.is(Refusal::NoTrial), "{answer:?}");
}

#[test]
fn nor_is_its_last_block() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    let (mut op, mut second, mut app) = (rig.op(), rig.second(), rig.app());
    let two = envelope(&answering("two"), 2, |_| {});
    let last = two.len().div_ceil(1024) as u32 - 1;
    for num in 0..last {
        let answer = rig.piece(&mut op, Code::PUT, VM1, num, &two);
        assert_eq!(answer.code, Code::CONTINUE);
    }
    let other = answering("other");
    let head = detached(&other, 1, |spec| spec.component = "vm2".into());
    rig.put(&mut second, "/vm-control/vm2", &head).unwrap();
    let half = |num, more| Some(BlockOption { num, more, szx: 5 });
    let call = |rig: &mut Rig, app: &mut Session, num, more| {
        let body = [7; 512];
        rig.request(app, Code::POST, "/vm1/path", half(num, more), None, &body)
            .unwrap()
    };
    assert_eq!(call(&mut rig, &mut app, 0, true).code, Code::CONTINUE);

    rig.pass(TEN_MINUTES + 1);
    let answer = call(&mut rig, &mut app, 1, false);
    assert!(answer.is(Refusal::Stale), "{answer:?}");
    let payload = "/vm-control/vm2/payload";
    let answer = rig.put(&mut second, payload, &other.artifact).unwrap();
    assert!(answer.is(Refusal::Stale), "{answer:?}");
    let answer = rig.piece(&mut op, Code::PUT, VM1, last, &two);
    assert!(answer.is(Refusal::Stale), "{answer:?}");
    assert_eq!(rig.status().sequence, Some(1));

    // Who is there goes on with what is in flash; the body of a call is gone.
    for (session, code, path) in [
        (&mut op, Code::POST, "/vm-control/vm1/confirm"),
        (&mut app, Code::POST, "/vm1/path"),
    ] {
        let asked = rig.simple(session, code, path);
        let echo = asked.option(number::ECHO).unwrap().to_vec();
        with(&mut rig, session, code, path, (number::ECHO, &echo));
    }
    let answer = rig.piece(&mut op, Code::PUT, VM1, last, &two);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    assert_eq!(rig.status().sequence, Some(2));
    rig.rest();
    let answer = call(&mut rig, &mut app, 1, false);
    assert!(answer.is(Refusal::BlockOutOfOrder), "{answer:?}");
}

#[test]
fn a_second_deployer_is_refused_while_the_first_one_sends() {
    let mut rig = Rig::new();
    let (one, two) = (answering("one"), answering("two"));
    let (mut a, mut b) = (rig.op(), rig.second());
    rig.put(&mut a, VM1, &detached(&one, 1, |_| {})).unwrap();
    rig.piece(&mut a, Code::PUT, PAYLOAD, 0, &one.artifact);
    let head = detached(&two, 2, |_| {});
    rig.pass(29_999);
    let answer = rig.put(&mut b, VM1, &head).unwrap();
    assert!(answer.is(Refusal::OtherTransfer), "{answer:?}");
    assert_eq!(answer.option(number::MAX_AGE), Some(&[30][..]));
    // The same capsule is no other transfer: both send it.
    let same = rig.put(&mut b, VM1, &detached(&one, 1, |_| {})).unwrap();
    assert_eq!(same.code, Code::CHANGED, "{same:?}");
    let answer = rig.piece(&mut b, Code::PUT, PAYLOAD, 1, &one.artifact);
    assert_eq!(answer.code, Code::CONTINUE);
    // Whoever sent last is the one who sends.
    rig.pass(30_000);
    let answer = rig.put(&mut a, VM1, &head).unwrap();
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    assert_eq!(rig.status().transfer.unwrap().sequence, 2);
}

#[test]
fn a_second_envelope_is_refused_while_the_first_one_comes() {
    let mut rig = Rig::new();
    let first = envelope(&answering("one"), 1, |_| {});
    let second = envelope(&answering("two"), 2, |_| {});
    let (mut a, mut b) = (rig.op(), rig.second());
    rig.piece(&mut a, Code::PUT, VM1, 0, &first);
    let answer = rig.piece(&mut b, Code::PUT, VM1, 0, &second);
    assert!(answer.is(Refusal::OtherTransfer), "{answer:?}");
    for num in 1..first.len().div_ceil(1024) as u32 {
        rig.piece(&mut a, Code::PUT, VM1, num, &first);
    }
    rig.asks("one");
    // Once it is there, the next one may come.
    rig.simple(&mut a, Code::POST, "/vm-control/vm1/confirm");
    let answer = rig.put(&mut b, VM1, &second).unwrap();
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
}

#[test]
fn too_large_a_body_is_refused_with_the_size_that_is_taken() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    let (mut op, mut app) = (rig.op(), rig.app());
    // Announced, before a block was taken.
    let size = 70_000_u32.to_be_bytes();
    let size = (number::SIZE1, &size[1..]);
    for (code, path, limit) in [
        (Code::PUT, VM1, 24 * 1024),
        (Code::POST, "/vm-run", 64 * 1024),
    ] {
        let answer = with(&mut rig, &mut op, code, path, size);
        assert!(answer.is(Refusal::TooLarge), "{answer:?}");
        assert_eq!(uint(answer.option(number::SIZE1)), limit);
    }
    let answer = with(&mut rig, &mut app, Code::PUT, "/vm1/path", size);
    assert_eq!(uint(answer.option(number::SIZE1)), 1024);
    // And without a word.
    let body = [0; 2048];
    let answer = rig.piece(&mut app, Code::PUT, "/vm1/path", 0, &body);
    assert_eq!(answer.code, Code::CONTINUE);
    let answer = rig.piece(&mut app, Code::PUT, "/vm1/path", 1, &body);
    assert!(answer.is(Refusal::TooLarge));
    assert_eq!(uint(answer.option(number::SIZE1)), 1024);
}

fn uint(value: Option<&[u8]>) -> u32 {
    let value = value.expect("the option");
    value
        .iter()
        .fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

#[test]
fn a_format_that_there_is_not_is_not_acceptable() {
    let mut rig = Rig::new();
    let mut op = rig.op();
    let accept = |format: &'static [u8]| (number::ACCEPT, format);
    for (path, good) in [
        (VM1, &[60][..]),
        ("/vm-control", &[60]),
        ("/.well-known/core", &[40]),
    ] {
        let answer = with(&mut rig, &mut op, Code::GET, path, accept(good));
        assert_eq!(answer.code, Code::CONTENT, "{path}");
        let answer = with(&mut rig, &mut op, Code::GET, path, accept(&[50]));
        assert!(answer.is(Refusal::NotAcceptable), "{path}");
    }
}

/// Fetches a resource in blocks; returns it and the ETags.
fn fetch(rig: &mut Rig, session: &mut Session, path: &str, szx: u8) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut body, mut tags) = (Vec::new(), Vec::new());
    for num in 0.. {
        let block = BlockOption {
            num,
            more: false,
            szx,
        };
        let answer = rig
            .request(session, Code::GET, path, None, Some(block), &[])
            .unwrap();
        assert_eq!(answer.code, Code::CONTENT);
        body.extend_from_slice(&answer.payload);
        tags.extend(answer.option(number::ETAG).map(<[u8]>::to_vec));
        if answer.block2.is_none_or(|block| !block.more) {
            break;
        }
    }
    (body, tags)
}

#[test]
fn discovery_and_status_come_in_small_blocks_of_one_state() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    let mut op = rig.op();
    for path in ["/.well-known/core", "/vm-control"] {
        let whole = rig.simple(&mut op, Code::GET, path);
        assert_eq!(whole.option(number::ETAG), None);
        for szx in 0..=1 {
            let (body, tags) = fetch(&mut rig, &mut op, path, szx);
            assert_eq!(body, whole.payload);
            assert!(tags.len() > 1);
            assert!(tags.iter().all(|tag| *tag == tags[0] && tag.len() == 8));
        }
    }
    let (_, before) = fetch(&mut rig, &mut op, VM1, 0);
    rig.pass(5000);
    let (_, after) = fetch(&mut rig, &mut op, VM1, 0);
    assert_ne!(before[0], after[0]);
}

#[test]
fn an_answer_with_long_options_comes_in_smaller_blocks() {
    // ETag, and Location-Path of 200 bytes; then 1000 bytes of payload.
    let answer = format!(
        "\\41\\61\\4d\\bb{}\\ff{}",
        "p".repeat(0xbb + 13),
        "x".repeat(1000)
    );
    let capsule = persistent(Parts {
        answer: &answer,
        ..Parts::default()
    });
    let mut rig = Rig::new();
    rig.install(&capsule, 1);
    let mut app = rig.app();
    let first = rig.simple(&mut app, Code::GET, "/vm1/path");
    let block = first.block2.unwrap();
    assert_eq!((block.szx, block.more), (5, true));
    assert_eq!(first.payload, [b'x'; 512]);
    let next = BlockOption {
        num: 1,
        more: false,
        szx: 5,
    };
    let rest = rig
        .request(&mut app, Code::GET, "/vm1/path", None, Some(next), &[])
        .unwrap();
    assert_eq!(rest.payload, [b'x'; 488]);
}

#[test]
fn each_session_has_a_body_of_its_own() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    let (mut a, mut b) = (rig.app(), rig.app());
    let half = |rig: &mut Rig, session: &mut Session, num: u32| {
        let block = BlockOption {
            num,
            more: num == 0,
            szx: 4,
        };
        rig.request(
            session,
            Code::PUT,
            "/vm1/path",
            Some(block),
            None,
            &[7; 256],
        )
        .unwrap()
    };
    assert_eq!(half(&mut rig, &mut a, 0).code, Code::CONTINUE);
    assert_eq!(half(&mut rig, &mut b, 0).code, Code::CONTINUE);
    assert_eq!(half(&mut rig, &mut a, 1).payload, b"one");
    assert_eq!(half(&mut rig, &mut b, 1).payload, b"one");
}
