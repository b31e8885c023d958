//! Who spins, with all the fuel that there is, keeps nobody else from their
//! work. Counted in rounds of the device, which are slices of fuel, not in time.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

use crate::device_common::capsules::{Capsule, Parts, persistent};
use crate::device_common::{Rig, Session, answering, envelope};
use sealift_core::Step;
use sealift_core::capsule::SLICE;
use sealift_manifest::Kind;
use sealift_oscore::MAX_DATAGRAM;
use sealift_oscore::coap::{BlockOption, Code, Kind as Type, Message, number};
use sealift_oscore::protect::Sent;
use sealift_wire::{ComponentStatus, Phase, Refusal};

/// The most that a manifest may ask for on this device.
const ALL_FUEL: u64 = 10_000_000;
/// Slices that a spinner goes on for.
const FOR_EVER: u64 = ALL_FUEL / SLICE;

/// Spins for ever.
fn spinner() -> Capsule {
    persistent(Parts {
        run: "(loop br 0)",
        ..Parts::default()
    })
}

/// Works for a while and then answers.
fn worker(loops: u32) -> Capsule {
    persistent(Parts {
        run: &format!(
            "(local $n i32)
            (loop (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1)))
                                     (i32.const {loops}))))"
        ),
        answer: "\\ffworked",
        ..Parts::default()
    })
}

fn job() -> Capsule {
    let text = r#"(module
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
        (func (export "sealift:capsule/job@0.1.0#run") (param i32 i32) (result i32)
            (loop br 0) unreachable))"#;
    let component = crate::device_common::capsules::component(text, "ephemeral", None);
    Capsule::of_component(&component, Kind::Ephemeral)
}

/// As `vm1` one that spins, and as `vm2` another one, with all the fuel; and who
/// installed them.
fn rig(other: &Capsule) -> (Rig, Session) {
    let mut rig = Rig::new();
    let mut op = rig.op();
    for (vm, capsule) in [("vm1", &spinner()), ("vm2", other)] {
        let envelope = envelope(capsule, 1, |spec| {
            spec.component = vm.into();
            spec.invoke.fuel = ALL_FUEL;
        });
        let path = format!("/vm-control/{vm}");
        let answer = rig.put(&mut op, &path, &envelope).unwrap();
        assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
        let confirmed = rig.simple(&mut op, Code::POST, &format!("{path}/confirm"));
        assert_eq!(confirmed.code, Code::CHANGED, "{confirmed:?}");
    }
    (rig, op)
}

/// Sends a GET; what comes back at once, and what it takes to read an answer.
fn get(rig: &mut Rig, session: &mut Session, path: &str) -> (Vec<u8>, Sent) {
    let (datagram, sent) = session.protect(Code::GET, |writer| writer.uri_path(path));
    (rig.hand(session.address(), &datagram), sent)
}

fn is_acknowledgement(response: &[u8]) -> bool {
    let message = Message::parse(response).unwrap();
    (message.kind, message.code) == (Type::Acknowledgement, Code::EMPTY)
}

/// One round of the device, with what it sends meanwhile.
fn round(rig: &mut Rig) -> Vec<Vec<u8>> {
    let mut out = [0; MAX_DATAGRAM];
    let mut sent = Vec::new();
    loop {
        match rig.device.poll(rig.now, &mut out) {
            Step::Send(_, length) => sent.push(out[..length].to_vec()),
            Step::Wait(_) => return sent,
        }
    }
}

/// Rounds until the answer to what was asked; after each one comes `between`.
fn rounds(
    rig: &mut Rig,
    session: &Session,
    sent: &Sent,
    mut between: impl FnMut(&mut Rig),
) -> (u64, Vec<u8>) {
    for rounds in 1..FOR_EVER {
        for response in round(rig) {
            if let Some(answer) = session.unprotect(sent, &response) {
                return (rounds, answer.payload);
            }
        }
        between(rig);
    }
    panic!("no answer while the other one spins");
}

fn status(rig: &mut Rig, op: &mut Session, vm: &str) -> ComponentStatus {
    let (response, sent) = get(rig, op, &format!("/vm-control/{vm}"));
    // With the acknowledgement, not later.
    let answer = op.unprotect(&sent, &response).expect("an answer at once");
    ComponentStatus::from_cbor(&answer.payload).unwrap()
}

/// Slices that a call of `vm2` takes, when it is alone.
fn alone(rig: &mut Rig, app: &mut Session, op: &mut Session) -> u64 {
    let answer = rig.simple(app, Code::GET, "/vm2/path");
    assert_eq!(answer.payload, b"worked");
    status(rig, op, "vm2").fuel_last.unwrap() / SLICE + 1
}

#[test]
fn one_that_spins_costs_another_no_more_than_its_turns() {
    let (mut rig, mut op) = rig(&worker(300_000));
    let mut app = rig.app();
    let slices = alone(&mut rig, &mut app, &mut op);
    assert!((20..FOR_EVER / 2).contains(&slices), "{slices}");
    let (response, _) = get(&mut rig, &mut app, "/vm1/path");
    assert!(is_acknowledgement(&response));
    let (response, sent) = get(&mut rig, &mut app, "/vm2/path");
    assert!(is_acknowledgement(&response));
    // The device itself answers between any two rounds, at once.
    let (rounds, answer) = rounds(&mut rig, &app, &sent, |rig| {
        assert!(status(rig, &mut op, "vm1").running);
    });
    assert_eq!(answer, b"worked");
    // The first slice was with the request.
    assert!(rounds <= slices, "{rounds} rounds for {slices} slices");
}

#[test]
fn a_job_that_spins_is_one_of_them() {
    let (mut rig, mut op) = rig(&worker(300_000));
    let mut app = rig.app();
    let slices = alone(&mut rig, &mut app, &mut op);
    let job = envelope(&job(), 1, |spec| {
        spec.component = "vm-run".into();
        spec.invoke.fuel = ALL_FUEL;
    });
    let last = (job.len() - 1) / 1024;
    for num in 0..last {
        rig.piece(&mut op, Code::POST, "/vm-run", num as u32, &job);
    }
    let (datagram, _) = op.protect(Code::POST, |writer| {
        writer.uri_path("/vm-run")?;
        let block = BlockOption {
            num: last as u32,
            more: false,
            szx: 6,
        };
        writer.block(number::BLOCK1, block)?;
        writer.payload(&job[last * 1024..])
    });
    assert!(is_acknowledgement(&rig.hand(op.address(), &datagram)));
    get(&mut rig, &mut app, "/vm1/path");
    let (_, sent) = get(&mut rig, &mut app, "/vm2/path");
    let (rounds, _) = rounds(&mut rig, &app, &sent, |_| {});
    assert!(rounds <= slices, "{rounds} rounds for {slices} slices");
}

#[test]
fn a_full_queue_for_one_leaves_room_for_the_other() {
    let (mut rig, _) = rig(&worker(1000));
    let (mut one, mut two) = (rig.app(), rig.second_app());
    // Eight places, of which one is kept for vm2.
    let mut waiting = 0;
    for session in [&mut one, &mut two] {
        for _ in 0..4 {
            let (response, sent) = get(&mut rig, session, "/vm1/path");
            match session.unprotect(&sent, &response) {
                None => waiting += u32::from(is_acknowledgement(&response)),
                Some(answer) => assert!(answer.is(Refusal::Busy), "{answer:?}"),
            }
        }
    }
    assert_eq!(waiting, 7);
    let (response, sent) = get(&mut rig, &mut two, "/vm2/path");
    let answer = two.unprotect(&sent, &response).expect("an answer at once");
    assert_eq!(answer.payload, b"worked");
}

#[test]
fn nor_does_it_keep_an_update_out() {
    let (mut rig, mut op) = rig(&answering("old"));
    let (mut one, mut two) = (rig.app(), rig.second_app());
    for session in [&mut one, &mut two] {
        for _ in 0..4 {
            get(&mut rig, session, "/vm1/path");
        }
    }
    let mut three = rig.third_app();
    for (vm, text) in [("vm2", "new"), ("vm1", "tame")] {
        let update = envelope(&answering(text), 2, |spec| spec.component = vm.into());
        let answer = rig
            .put(&mut op, &format!("/vm-control/{vm}"), &update)
            .unwrap();
        assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
        assert_eq!(status(&mut rig, &mut op, vm).phase, Phase::Trial);
        let answer = rig.simple(&mut three, Code::GET, &format!("/{vm}/path"));
        assert_eq!(answer.payload, text.as_bytes());
    }
}

#[test]
fn many_short_calls_take_no_more_turns_than_one_long_one() {
    // vm2 works for long; whoever calls vm1 at each chance gets a turn ahead
    // with each request, and no more.
    let (mut rig, mut op) = rig(&worker(300_000));
    let (mut app, mut other) = (rig.app(), rig.second_app());
    let slices = alone(&mut rig, &mut app, &mut op);
    // Some five slices: alone, an answer comes with the acknowledgement.
    let short = envelope(&worker(30_000), 2, |_| {});
    rig.put(&mut op, "/vm-control/vm1", &short).unwrap();
    let (response, _) = get(&mut rig, &mut other, "/vm1/path");
    assert!(!is_acknowledgement(&response));
    let (_, sent) = get(&mut rig, &mut app, "/vm2/path");
    let mut acknowledged = 0;
    let (rounds, _) = rounds(&mut rig, &app, &sent, |rig| {
        let (response, sent) = get(rig, &mut other, "/vm1/path");
        match other.unprotect(&sent, &response) {
            None => acknowledged += u32::from(is_acknowledgement(&response)),
            Some(answer) => assert!(answer.is(Refusal::Busy), "{answer:?}"),
        }
    });
    assert!(rounds <= slices, "{rounds} rounds for {slices} slices");
    assert!(acknowledged > 5, "{acknowledged}");
}
