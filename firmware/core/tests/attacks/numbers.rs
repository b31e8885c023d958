//! Sequence numbers at their ends, over the life of a device.

use sealift_oscore::coap::Code;
use sealift_wire::Refusal;

use crate::bench::{Bench, VM1};
use crate::craft::{set, uint};

/// Threat: NET-3
#[test]
fn sequence_numbers_end_at_both_ends() {
    let mut bench = Bench::new();
    let numbered = |bench: &Bench, number, fuel| {
        bench.envelope(|m| {
            set(&mut m.top, 2, uint(number));
            set(&mut m.args, 2, uint(fuel));
        })
    };
    for number in [0, 1] {
        let envelope = numbered(&bench, number, 1_000_000);
        bench.refuses("a number of before", &envelope, Refusal::OldSequence);
    }
    let last = numbered(&bench, u64::MAX, 1_000_000);
    bench.takes(&last);
    let mut op = bench.rig.op();
    let confirmed = bench
        .rig
        .simple(&mut op, Code::POST, "/vm-control/vm1/confirm");
    assert_eq!(confirmed.code, Code::CHANGED, "{confirmed:?}");
    // The same again changes nothing; nothing is newer than it.
    assert_eq!(bench.put(VM1, &last).code, Code::VALID);
    for number in [0, 2, u64::MAX - 1, u64::MAX] {
        let envelope = numbered(&bench, number, 2_000_000);
        let answer = bench.put(VM1, &envelope);
        assert!(answer.is(Refusal::OldSequence), "{number}: {answer:?}");
        bench.rig.asks("two");
    }
    bench.rig.reboot();
    bench.rig.asks("two");
    let mut op = bench.rig.op();
    let back = bench
        .rig
        .simple(&mut op, Code::POST, "/vm-control/vm1/rollback");
    assert_eq!(back.code, Code::CHANGED, "{back:?}");
    bench.rig.asks("one");
    assert_eq!(bench.rig.status().highest, u64::MAX);
}
