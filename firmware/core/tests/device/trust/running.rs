//! What becomes of what is under way when a record takes away the translator or the peer
//! behind it.

use sealift_core::{Roles, Trust};
use sealift_manifest::{Grants, Kind};
use sealift_oscore::coap::{BlockOption, Code, Kind as Type, Message, number};
use sealift_oscore::protect::Sent;
use sealift_wire::{Phase, Refusal};

use super::{
    NEW, OLD, RECORD, VM1, capsule, put, record, rig, signed, takes, translators, trusting,
};
use crate::device_common::capsules::{Capsule, LOG, Parts, SLEEP, component, persistent};
use crate::device_common::{Answer, Rig, Session, answering, echo, respecified};

const RUN: &str = "/vm-run";

/// A job that sleeps for ever, and looks at the clock of the board for that.
fn endless() -> Capsule {
    let core = format!(
        r#"(module
        {SLEEP}
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
        (func (export "sealift:capsule/job@0.1.0#run") (param i32 i32) (result i32)
            (loop $again (call $sleep (i64.const 10)) (br $again)) unreachable))"#
    );
    let component = component(&core, "ephemeral", None);
    Capsule::of_component(&component, Kind::Ephemeral).grant(Grants::TIME)
}

/// The envelope of a job, signed by this key.
fn job(capsule: &Capsule, key: u8) -> Vec<u8> {
    let spec = respecified(capsule, 1, |spec| spec.component = "vm-run".into());
    signed(&spec, &[key], &capsule.artifact)
}

/// Logs a line and sleeps half a second for each call.
fn slow() -> Capsule {
    let head = format!("{LOG} {SLEEP}");
    persistent(Parts {
        head: &head,
        run: "(call $info (i32.const 513) (i32.const 4)) (call $sleep (i64.const 500))",
        answer: "\\ffslow",
        ..Parts::default()
    })
    .grant(Grants::TIME.union(Grants::LOG))
}

/// Sends a request, in blocks, of which the last one is acknowledged and no more.
fn begins(rig: &mut Rig, session: &mut Session, code: Code, path: &str, body: &[u8]) -> Sent {
    let last = body.len().saturating_sub(1) / 1024;
    for num in 0..last {
        let answer = rig.piece(session, code, path, num as u32, body);
        assert_eq!(answer.code, Code::CONTINUE, "{answer:?}");
    }
    let (datagram, sent) = session.protect(code, |writer| {
        writer.uri_path(path)?;
        if last > 0 {
            let block = BlockOption {
                num: last as u32,
                more: false,
                szx: 6,
            };
            writer.block(number::BLOCK1, block)?;
        }
        writer.payload(&body[last * 1024..])
    });
    let response = rig.hand(session.address(), &datagram);
    let message = Message::parse(&response).unwrap();
    assert_eq!(
        (message.kind, message.code),
        (Type::Acknowledgement, Code::EMPTY)
    );
    sent
}

/// The answer that comes by itself to what was begun.
fn told(rig: &mut Rig, session: &Session, sent: &Sent) -> Answer {
    let (to, response) = rig.sent().expect("a response");
    assert_eq!(to, session.address());
    session.unprotect(sent, &response).expect("an answer")
}

/// A record in which the second deployer is not, or the user.
fn without(rig: &Rig, gone: &sealift_oscore::Identity) -> Trust {
    let mut trust = trusting(rig, translators(&[OLD], 1));
    trust.peers.retain(|(_, peer)| peer != gone.credential());
    trust
}

/// Whether the board is still asked for the time while that passes.
fn still_runs(rig: &mut Rig) -> bool {
    rig.rest();
    let before = rig.board.services().asked;
    rig.pass(1000);
    rig.rest();
    let asked = rig.board.services().asked;
    asked != before
}

#[test]
fn a_job_ends_with_the_deployer_who_started_it() {
    let mut rig = rig();
    let (mut op, mut second) = (rig.op(), rig.second());
    begins(
        &mut rig,
        &mut second,
        Code::POST,
        RUN,
        &job(&endless(), OLD),
    );
    assert!(still_runs(&mut rig));
    let trust = without(&rig, &rig.second);
    let answer = put(&mut rig, &mut op, &record(&trust, 1), RECORD);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    // There is nobody to tell.
    assert_eq!(rig.sent(), None);
    assert!(!still_runs(&mut rig));
    // Its place is free.
    let next = job(&echo(), OLD);
    let last = (next.len() - 1) / 1024;
    for num in 0..=last {
        let answer = rig.piece(&mut op, Code::POST, RUN, num as u32, &next);
        assert_eq!(answer.code == Code::CHANGED, num == last, "{answer:?}");
    }
}

#[test]
fn a_job_ends_with_the_translator_who_signed_it_and_its_deployer_is_told() {
    let mut rig = rig();
    let mut op = rig.op();
    let body = job(&endless(), OLD);
    let sent = begins(&mut rig, &mut op, Code::POST, RUN, &body);
    assert!(still_runs(&mut rig));
    let trust = trusting(&rig, translators(&[NEW], 1));
    let answer = put(&mut rig, &mut op, &record(&trust, 1), RECORD);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    let told = told(&mut rig, &op, &sent);
    assert!(told.is(Refusal::Stopped), "{told:?}");
    assert!(!still_runs(&mut rig));
    let mut num = 0;
    let again = loop {
        let answer = rig.piece(&mut op, Code::POST, RUN, num, &body);
        if answer.code != Code::CONTINUE {
            break answer;
        }
        num += 1;
    };
    assert!(again.is(Refusal::Untrusted), "{again:?}");
}

#[test]
fn a_job_that_is_trusted_still_ends_too_and_can_be_run_again() {
    let mut rig = rig();
    let mut op = rig.op();
    let body = job(&endless(), OLD);
    let sent = begins(&mut rig, &mut op, Code::POST, RUN, &body);
    let trust = trusting(&rig, translators(&[OLD, NEW], 1));
    let answer = put(&mut rig, &mut op, &record(&trust, 1), RECORD);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    let stopped = told(&mut rig, &op, &sent);
    assert!(stopped.is(Refusal::Stopped), "{stopped:?}");
    assert_eq!(stopped.option(number::MAX_AGE), Some(&[1][..]));
    begins(&mut rig, &mut op, Code::POST, RUN, &body);
    assert!(still_runs(&mut rig));
}

#[test]
fn a_job_goes_on_when_a_record_is_refused() {
    let mut rig = rig();
    let mut op = rig.op();
    begins(&mut rig, &mut op, Code::POST, RUN, &job(&endless(), OLD));
    let nobody = Trust {
        translators: translators(&[NEW], 1),
        peers: vec![(Roles::USE, rig.op.credential().clone())],
    };
    let answer = put(&mut rig, &mut op, &record(&nobody, 1), RECORD);
    assert!(answer.is(Refusal::LockOut), "{answer:?}");
    assert!(still_runs(&mut rig));
}

#[test]
fn a_call_ends_with_the_translator_of_the_capsule_and_its_caller_is_told() {
    let mut rig = rig();
    rig.install(&slow(), 1);
    let mut app = rig.app();
    let [one, two] = [(); 2].map(|()| begins(&mut rig, &mut app, Code::GET, "/vm1/path", &[]));
    let trust = trusting(&rig, translators(&[NEW], 1));
    takes(&mut rig, &trust, 1);
    assert!(told(&mut rig, &app, &one).is(Refusal::Stopped));
    assert!(told(&mut rig, &app, &two).is(Refusal::NoCapsule));
    rig.pass(500);
    assert_eq!(rig.sent(), None);
    assert!(!rig.status().running);
}

#[test]
fn a_user_who_is_gone_gets_no_answer_and_what_it_waited_for_is_not_done() {
    let mut rig = rig();
    rig.install(&slow(), 1);
    let mut app = rig.app();
    for _ in 0..2 {
        begins(&mut rig, &mut app, Code::GET, "/vm1/path", &[]);
    }
    let trust = without(&rig, &rig.app);
    takes(&mut rig, &trust, 1);
    rig.pass(500);
    assert_eq!(rig.sent(), None);
    rig.pass(500);
    assert_eq!(rig.sent(), None);
    // The capsule had the first one, and is as it was.
    assert_eq!(rig.board.log(), ["vm1: slow"]);
    assert!(rig.status().running);
}

#[test]
fn a_user_who_may_call_no_more_gets_the_answer_to_what_has_begun() {
    let mut rig = rig();
    rig.install(&slow(), 1);
    let mut app = rig.app();
    let [begun, waits] = [(); 2].map(|()| begins(&mut rig, &mut app, Code::GET, "/vm1/path", &[]));
    let mut trust = without(&rig, &rig.app);
    let observer = rig.app.credential().clone();
    trust.peers.push((Roles::OBSERVE, observer));
    takes(&mut rig, &trust, 1);
    rig.pass(500);
    assert_eq!(told(&mut rig, &app, &begun).payload, b"slow");
    rig.pass(500);
    if let Some((_, response)) = rig.sent() {
        assert_eq!(app.unprotect(&waits, &response), None, "it is not answered");
    }
    assert_eq!(rig.board.log(), ["vm1: slow"]);
}

#[test]
fn a_capsule_whose_translator_goes_while_it_starts_does_not() {
    let lazy = persistent(Parts {
        head: SLEEP,
        init: "(call $sleep (i64.const 500))",
        answer: "\\fflazy",
        ..Parts::default()
    })
    .grant(Grants::TIME);
    let mut rig = rig();
    let mut second = rig.second();
    let envelope = capsule(&lazy, 1, &[OLD]);
    let sent = begins(&mut rig, &mut second, Code::PUT, VM1, &envelope);
    let trust = trusting(&rig, translators(&[NEW], 1));
    takes(&mut rig, &trust, 1);
    let told = told(&mut rig, &second, &sent);
    assert!(told.is(Refusal::InitFailed), "{told:?}");
    rig.pass(500);
    rig.rest();
    let status = rig.status();
    assert_eq!((status.phase, status.running), (Phase::Empty, false));
}

#[test]
fn an_installed_capsule_stays_when_the_deployer_who_sent_it_goes() {
    let mut rig = rig();
    let mut second = rig.second();
    let envelope = capsule(&answering("sent"), 1, &[OLD]);
    let answer = put(&mut rig, &mut second, &envelope, VM1);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    let trust = without(&rig, &rig.second);
    takes(&mut rig, &trust, 1);
    // On trial, as it was; another deployer says whether it may stay.
    rig.asks("sent");
    assert_eq!(rig.status().phase, Phase::Trial);
    let mut op = rig.op();
    let confirmed = rig.simple(&mut op, Code::POST, &format!("{VM1}/confirm"));
    assert_eq!(confirmed.code, Code::CHANGED, "{confirmed:?}");
    rig.reboot();
    rig.asks("sent");
}
