//! What changes in flash between the check and the use.

use sealift_oscore::coap::Code;
use sealift_wire::Refusal;

use crate::bench::{Bench, PAYLOAD, VM1, key};
use crate::craft::{set, signed, uint};
use crate::device_common::PAGE;

/// Where a slot of the flash begins with this head.
fn find(bench: &Bench, head: &[u8]) -> usize {
    let flash = bench.rig.flash.0.borrow();
    let mut places = flash.bytes().chunks(PAGE);
    let page = places.position(|page| page.starts_with(&head[..head.len().min(PAGE)]));
    page.expect("the head is in flash") * PAGE
}

fn flip(bench: &Bench, at: usize, bit: usize) {
    bench.rig.flash.0.borrow_mut().bytes_mut()[at] ^= 1 << (bit % 8);
}

/// Threat: ST-2, SB-1
#[test]
fn a_payload_that_changes_after_it_was_received_never_runs() {
    let mut bench = Bench::new();
    let artifact = bench.two.artifact.clone();
    let head = bench.envelope(|_| {});
    let last = artifact.len().div_ceil(1024) - 1;
    for (round, at) in (0..last * 1024).step_by(251).enumerate() {
        assert_eq!(bench.put(VM1, &head).code, Code::CHANGED);
        let mut op = bench.rig.op();
        for num in 0..last {
            bench
                .rig
                .piece(&mut op, Code::PUT, PAYLOAD, num as u32, &artifact);
        }
        // All but the last block are in flash. The payload begins a page
        // behind its head.
        let start = find(&bench, &head) + 1024;
        assert_eq!(bench.rig.flash.0.borrow().bytes()[start + at], artifact[at]);
        flip(&bench, start + at, round);
        let answer = bench
            .rig
            .piece(&mut op, Code::PUT, PAYLOAD, last as u32, &artifact);
        assert!(answer.is(Refusal::WrongPayload), "byte {at}: {answer:?}");
        bench.rig.asks("one");
        let status = bench.rig.status();
        assert_eq!((status.sequence, status.highest), (Some(1), 1));
    }
    bench.serves_on();
}

/// Threat: ST-3, PHY-2
#[test]
fn no_flipped_bit_of_a_stored_head_is_believed() {
    let mut bench = Bench::new();
    let head = bench.envelope(|_| {});
    bench.takes(&head);
    let mut op = bench.rig.op();
    let confirmed = bench
        .rig
        .simple(&mut op, Code::POST, "/vm-control/vm1/confirm");
    assert_eq!(confirmed.code, Code::CHANGED, "{confirmed:?}");
    let start = find(&bench, &head);
    let good = bench.rig.flash.0.borrow().clone();
    for at in 0..head.len() {
        flip(&bench, start + at, at);
        bench.rig.reboot();
        // Better the previous one than this.
        bench.rig.asks("one");
        assert_eq!(bench.rig.status().highest, 2, "byte {at}");
        bench.rig.flash.0.replace(good.clone());
    }
    bench.rig.reboot();
    bench.rig.asks("two");
}

/// Threat: PHY-2
#[test]
fn a_key_that_is_trusted_no_more_starts_nothing() {
    let mut bench = Bench::new();
    bench.rig.reboot_trusting(&[key(2)]);
    let answer = bench.rig.ask();
    assert!(answer.is(Refusal::NoCapsule), "{answer:?}");
    let untrusted = Some(Refusal::Untrusted.number());
    assert_eq!(bench.rig.status().last_fault, untrusted);
    // Nor does it install anything.
    let old = bench.envelope(|_| {});
    assert!(bench.put(VM1, &old).is(Refusal::Untrusted));
    // The new one does, above the numbers that the old one has used.
    let again = signed(&key(2), &bench.changed(|m| set(&mut m.top, 2, uint(1))));
    assert!(bench.put(VM1, &again).is(Refusal::OldSequence));
    let new = signed(&key(2), &bench.changed(|_| {}));
    bench.takes(&new);
    // There is no way back to what the old one signed.
    let mut op = bench.rig.op();
    bench
        .rig
        .simple(&mut op, Code::POST, "/vm-control/vm1/confirm");
    bench
        .rig
        .simple(&mut op, Code::POST, "/vm-control/vm1/rollback");
    bench.rig.asks("two");
}
