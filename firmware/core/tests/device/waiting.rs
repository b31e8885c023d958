//! Capsules that take their time: the device answers the others meanwhile, and
//! whoever waits gets an acknowledgement first (RFC 7252, 5.2.2).
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

use crate::device_common::capsules::{Capsule, Parts, persistent};
use crate::device_common::{Answer, Rig, SESSION_IDLE, Session, TIME_LIMIT, answering, envelope};
use sealift_manifest::Grants;
use sealift_oscore::coap::{Code, Kind, Message, number};
use sealift_oscore::protect::Sent;
use sealift_wire::{ComponentStatus, Phase, Refusal};

const VM1: &str = "/vm-control/vm1";

/// Sleeps half a second for a POST, spins for a PUT, for ever for a DELETE, and
/// answers a GET at once.
fn slow() -> Capsule {
    let run = r#"
        (if (i32.eq (local.get $code) (i32.const 2)) (then (call $sleep (i64.const 500))))
        (if (i32.eq (local.get $code) (i32.const 3)) (then
            (i32.store (i32.const 60000) (i32.const 0))
            (loop $again
                (i32.store (i32.const 60000)
                    (i32.add (i32.load (i32.const 60000)) (i32.const 1)))
                (br_if $again (i32.lt_u (i32.load (i32.const 60000)) (i32.const 80000))))))
        (if (i32.eq (local.get $code) (i32.const 4)) (then
            (loop $forever (call $sleep (i64.const 1)) (br $forever))))"#;
    persistent(Parts {
        head: r#"(import "ariel:wasm-bindings/time-api@0.0.1" "sleep"
            (func $sleep (param i64)))"#,
        run,
        answer: "\\ffslow",
        ..Parts::default()
    })
    .grant(Grants::TIME)
}

fn rig() -> Rig {
    let mut rig = Rig::new();
    let mut op = rig.op();
    let generous = envelope(&slow(), 1, |spec| spec.invoke.fuel = 10_000_000);
    let answer = rig.put(&mut op, VM1, &generous).unwrap();
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    rig.simple(&mut op, Code::POST, "/vm-control/vm1/confirm");
    rig
}

/// Sends a request and expects no more than its acknowledgement.
fn begin(rig: &mut Rig, session: &mut Session, code: Code) -> (Vec<u8>, Sent) {
    let (datagram, sent) = session.protect(code, |writer| writer.uri_path("/vm1/path"));
    let ack = rig.hand(session.address(), &datagram);
    let message = Message::parse(&ack).unwrap();
    assert_eq!(
        (message.kind, message.code),
        (Kind::Acknowledgement, Code::EMPTY)
    );
    (datagram, sent)
}

/// The separate response, when it comes.
fn wait(rig: &mut Rig, session: &Session, sent: &Sent) -> Answer {
    let (to, response) = rig.sent().expect("a response");
    assert_eq!(to, session.address());
    let message = Message::parse(&response).unwrap();
    assert_eq!(message.kind, Kind::Confirmable);
    session.unprotect(sent, &response).unwrap()
}

fn status(rig: &mut Rig, op: &mut Session) -> ComponentStatus {
    let answer = rig.simple(op, Code::GET, VM1);
    ComponentStatus::from_cbor(&answer.payload).unwrap()
}

#[test]
fn the_device_answers_while_a_capsule_sleeps() {
    let mut rig = rig();
    let (mut app, mut op) = (rig.app(), rig.op());
    let (datagram, sent) = begin(&mut rig, &mut app, Code::POST);
    assert_eq!(rig.sent(), None);
    assert!(status(&mut rig, &mut op).running);
    rig.pass(499);
    assert_eq!(rig.sent(), None);
    // A retransmission is acknowledged, not done again.
    let again = rig.hand(app.address(), &datagram);
    assert_eq!(Message::parse(&again).unwrap().code, Code::EMPTY);
    rig.pass(1);
    let answer = wait(&mut rig, &app, &sent);
    assert_eq!(
        (answer.code, &answer.payload[..]),
        (Code::CONTENT, &b"slow"[..])
    );
    let status = status(&mut rig, &mut op);
    assert!(status.fuel_last.unwrap() >= 500_000);
    assert_eq!(status.starts, Some(1));
}

#[test]
fn the_device_answers_while_a_capsule_spins() {
    let mut rig = rig();
    let (mut app, mut op) = (rig.app(), rig.op());
    let (_, sent) = begin(&mut rig, &mut app, Code::PUT);
    // Nothing was polled in between: the capsule is in the middle of its work.
    assert!(status(&mut rig, &mut op).running);
    assert_eq!(wait(&mut rig, &app, &sent).payload, b"slow");
}

#[test]
fn a_second_capsule_is_not_kept_from_its_work() {
    let mut rig = rig();
    let mut op = rig.op();
    let other = envelope(&answering("other"), 1, |spec| spec.component = "vm2".into());
    rig.put(&mut op, "/vm-control/vm2", &other).unwrap();
    let mut app = rig.app();
    let (_, sent) = begin(&mut rig, &mut app, Code::PUT);
    let answer = rig.simple(&mut app, Code::GET, "/vm2/path");
    assert_eq!(answer.payload, b"other");
    assert_eq!(wait(&mut rig, &app, &sent).payload, b"slow");
    // And when it crashes, or ends, the other one goes on.
    rig.simple(&mut op, Code::DELETE, VM1);
    assert_eq!(
        rig.simple(&mut app, Code::GET, "/vm2/path").payload,
        b"other"
    );
}

#[test]
fn requests_for_a_busy_capsule_wait_their_turn() {
    let mut rig = rig();
    let mut app = rig.app();
    let asked: Vec<_> = [Code::POST, Code::GET, Code::GET, Code::PUT]
        .map(|code| begin(&mut rig, &mut app, code).1)
        .into();
    // There is room for so many of one session.
    let refused = rig.simple(&mut app, Code::GET, "/vm1/path");
    assert!(refused.is(Refusal::Busy), "{refused:?}");
    assert_eq!(refused.option(number::MAX_AGE), Some(&[1][..]));
    rig.pass(500);
    for sent in &asked {
        assert_eq!(wait(&mut rig, &app, sent).payload, b"slow");
    }
    assert_eq!(
        rig.simple(&mut app, Code::GET, "/vm1/path").payload,
        b"slow"
    );
}

#[test]
fn a_capsule_that_never_ends_is_ended() {
    let mut rig = rig();
    let (mut app, mut op) = (rig.app(), rig.op());
    let (_, sent) = begin(&mut rig, &mut app, Code::DELETE);
    // It has fuel for ten seconds, but each time it is asked only one
    // millisecond has passed.
    for _ in 0..100 {
        rig.pass(1);
        assert_eq!(rig.sent(), None);
    }
    rig.pass(TIME_LIMIT - 100);
    assert!(wait(&mut rig, &app, &sent).is(Refusal::TookTooLong));
    let status = status(&mut rig, &mut op);
    assert_eq!(status.last_fault, Some(Refusal::TookTooLong.number()));
    assert_eq!(
        rig.simple(&mut app, Code::GET, "/vm1/path").payload,
        b"slow"
    );
}

#[test]
fn an_update_ends_a_call_and_its_caller_is_told() {
    let mut rig = rig();
    let (mut app, mut op) = (rig.app(), rig.op());
    let (_, sent) = begin(&mut rig, &mut app, Code::POST);
    // Until it is activated the old capsule works.
    let update = envelope(&answering("new"), 2, |_| {});
    let last = update.len().div_ceil(1024) as u32 - 1;
    for num in 0..last {
        let answer = rig.piece(&mut op, Code::PUT, VM1, num, &update);
        assert_eq!(answer.code, Code::CONTINUE);
        assert_eq!(rig.sent(), None);
    }
    let answer = rig.piece(&mut op, Code::PUT, VM1, last, &update);
    assert_eq!(answer.code, Code::CHANGED);
    let told = wait(&mut rig, &app, &sent);
    assert!(told.is(Refusal::Stopped), "{told:?}");
    assert_eq!(rig.simple(&mut app, Code::GET, "/vm1/path").payload, b"new");
    assert_eq!(status(&mut rig, &mut op).phase, Phase::Trial);
}

/// Sends an update to a capsule that takes half a second to start.
fn send_lazy(rig: &mut Rig, op: &mut Session, sequence: u64) -> Sent {
    let lazy = persistent(Parts {
        head: r#"(import "ariel:wasm-bindings/time-api@0.0.1" "sleep"
            (func $sleep (param i64)))"#,
        init: "(call $sleep (i64.const 500))",
        answer: "\\fflazy",
        ..Parts::default()
    })
    .grant(Grants::TIME);
    let update = envelope(&lazy, sequence, |_| {});
    let mut blocks = update.chunks(1024).enumerate().peekable();
    let mut waiting = None;
    while let Some((num, part)) = blocks.next() {
        let more = blocks.peek().is_some();
        let (datagram, sent) = op.protect(Code::PUT, |writer| {
            writer.uri_path(VM1)?;
            let block = sealift_oscore::coap::BlockOption {
                num: num as u32,
                more,
                szx: 6,
            };
            writer.block(number::BLOCK1, block)?;
            writer.payload(part)
        });
        rig.hand(op.address(), &datagram);
        waiting = Some(sent);
    }
    waiting.expect("a block")
}

#[test]
fn a_capsule_that_takes_long_to_start_does_not_hold_the_device_up() {
    let mut rig = rig();
    let (mut app, mut op) = (rig.app(), rig.op());
    let waiting = send_lazy(&mut rig, &mut op, 2);
    let starting = status(&mut rig, &mut op);
    assert_eq!((starting.phase, starting.running), (Phase::Trial, false));
    // It could still fail to, and has to be on trial then.
    let early = rig.simple(&mut op, Code::POST, "/vm-control/vm1/confirm");
    assert!(early.is(Refusal::Busy), "{early:?}");
    // Whoever asks it waits until it runs.
    let (_, asked) = begin(&mut rig, &mut app, Code::GET);
    rig.pass(500);
    let done = wait(&mut rig, &op, &waiting);
    assert_eq!(done.code, Code::CHANGED, "{done:?}");
    assert!(ComponentStatus::from_cbor(&done.payload).unwrap().running);
    assert_eq!(wait(&mut rig, &app, &asked).payload, b"lazy");
    let confirmed = rig.simple(&mut op, Code::POST, "/vm-control/vm1/confirm");
    assert_eq!(confirmed.code, Code::CHANGED, "{confirmed:?}");
}

#[test]
fn what_has_no_place_to_wait_is_not_done() {
    let mut rig = rig();
    let mut op = rig.op();
    for sequence in [2, 3] {
        let sent = send_lazy(&mut rig, &mut op, sequence);
        rig.pass(500);
        assert_eq!(wait(&mut rig, &op, &sent).code, Code::CHANGED);
        let confirmed = rig.simple(&mut op, Code::POST, "/vm-control/vm1/confirm");
        assert_eq!(confirmed.code, Code::CHANGED, "{confirmed:?}");
    }
    let back = "/vm-control/vm1/rollback";
    for _ in 0..4 {
        let (datagram, _) = op.protect(Code::POST, |writer| writer.uri_path(back));
        let ack = rig.hand(op.address(), &datagram);
        assert_eq!(Message::parse(&ack).unwrap().code, Code::EMPTY);
    }
    let before = status(&mut rig, &mut op);
    assert_eq!(before.sequence, Some(3), "four times is there and back");
    let refused = rig.simple(&mut op, Code::POST, back);
    assert!(refused.is(Refusal::Busy), "{refused:?}");
    assert_eq!(status(&mut rig, &mut op), before);
}

#[test]
fn nobody_waits_for_a_capsule_that_is_removed() {
    let mut rig = rig();
    let (mut app, mut op) = (rig.app(), rig.op());
    let (_, first) = begin(&mut rig, &mut app, Code::POST);
    let (_, second) = begin(&mut rig, &mut app, Code::GET);
    let answer = rig.simple(&mut op, Code::DELETE, VM1);
    assert_eq!(answer.code, Code::DELETED);
    assert!(wait(&mut rig, &app, &first).is(Refusal::Stopped));
    assert!(wait(&mut rig, &app, &second).is(Refusal::NoCapsule));
}

#[test]
fn an_idle_session_ends() {
    let mut rig = rig();
    let mut app = rig.app();
    rig.pass(SESSION_IDLE - 1);
    assert_eq!(
        rig.simple(&mut app, Code::GET, "/vm1/path").payload,
        b"slow"
    );
    rig.pass(SESSION_IDLE);
    let (datagram, _) = app.protect(Code::GET, |writer| writer.uri_path("/vm1/path"));
    let refused = rig.hand(app.address(), &datagram);
    assert_eq!(Message::parse(&refused).unwrap().code, Code::UNAUTHORIZED);
}
