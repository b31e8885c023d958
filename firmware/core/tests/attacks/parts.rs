//! Parts that do not belong together, sizes that are not so, and numbers at
//! their ends.

use sealift_oscore::coap::Code;
use sealift_wire::Refusal;

use crate::bench::{Bench, PAYLOAD, VM1, key};
use crate::craft::{Entries, bstr, envelope, set, signed_entries, suit_digest, tstr, uint};
use crate::device_common::{self, answering};

/// Entries of a signed envelope with this text.
fn with_text(bench: &Bench, text: &str) -> Entries {
    let text = bstr(&tstr(text));
    let manifest = bench.changed(|m| m.top.push((uint(23), suit_digest(&text))));
    let mut entries = signed_entries(&key(1), &manifest);
    entries.push((uint(23), text));
    entries
}

/// Threat: OP-4, NET-18
#[test]
fn swapped_parts_are_refused() {
    let mut bench = Bench::new();
    let plain = signed_entries(&key(1), &bench.changed(|_| {}));
    let later = signed_entries(&key(1), &bench.changed(|m| set(&mut m.top, 2, uint(3))));
    let (first, second) = (with_text(&bench, "first"), with_text(&bench, "second"));

    let cases: [(&str, Entries); 5] = [
        ("signature", vec![later[0].clone(), plain[1].clone()]),
        ("manifest", vec![plain[0].clone(), later[1].clone()]),
        ("text", {
            let mut entries = first.clone();
            entries[2] = second[2].clone();
            entries
        }),
        ("manifest under a text", {
            let mut entries = first.clone();
            entries[1] = second[1].clone();
            entries
        }),
        ("a text where there was none", {
            let mut entries = plain.clone();
            entries.push(first[2].clone());
            entries
        }),
    ];
    for (what, entries) in cases {
        bench.refuses(what, &envelope(&entries), Refusal::Tampered);
    }
    // Text may be taken out; what was signed of it stays.
    let severed = envelope(&first[..2]);
    bench.takes(&severed);
}

/// Threat: NET-18
#[test]
fn a_payload_of_another_manifest_is_refused() {
    let mut bench = Bench::new();
    let other = answering("six");
    let (two, six) = (bench.two.artifact.clone(), other.artifact.clone());
    assert_eq!(two.len(), six.len(), "or else its length gives it away");
    let half = two.len() / 2048 * 1024;
    let mixed = [&two[..half], &six[half..]].concat();
    for (what, payload) in [("another one's", &six), ("half of another one's", &mixed)] {
        let detached = bench.envelope(|_| {});
        assert_eq!(bench.put(VM1, &detached).code, Code::CHANGED, "{what}");
        let status = bench.refuses_late(what, PAYLOAD, payload, Refusal::WrongPayload);
        assert_eq!(status.transfer, None, "{what}");

        let integrated = device_common::envelope(&bench.two, 2, |_| {});
        let head = integrated.len() - two.len();
        let integrated = [&integrated[..head], payload].concat();
        let status = bench.refuses_late(what, VM1, &integrated, Refusal::WrongPayload);
        assert_eq!(status.transfer, None, "{what}");
    }
    bench.serves_on();
}

/// Threat: NET-25
#[test]
fn wrong_sizes_are_refused() {
    let mut bench = Bench::new();
    let artifact = bench.two.artifact.clone();
    let size = artifact.len() as u64;
    let sized = |bench: &Bench, size| bench.envelope(|m| set(&mut m.parameters, 14, uint(size)));
    for (size, refusal) in [
        (0, Refusal::Malformed),
        (u64::from(u32::MAX), Refusal::NoSpace),
        (1 << 32, Refusal::Malformed),
    ] {
        let envelope = sized(&bench, size);
        bench.refuses("size", &envelope, refusal);
    }
    // The digest is right, and the size is signed.
    let longer = [&artifact[..], b"x"].concat();
    let shorter = &artifact[..artifact.len() - 1];
    for (signed, sent, refusal) in [
        (size, &longer[..], Refusal::TooLong),
        (size, shorter, Refusal::Truncated),
        (size + 1, &artifact, Refusal::Truncated),
        (size + 1, &longer, Refusal::WrongPayload),
        (size - 1, &artifact, Refusal::TooLong),
        (size - 1, shorter, Refusal::WrongPayload),
    ] {
        let what = format!("{} bytes of {signed}", sent.len());
        let envelope = sized(&bench, signed);
        assert_eq!(bench.put(VM1, &envelope).code, Code::CHANGED, "{what}");
        bench.refuses_late(&what, PAYLOAD, sent, refusal);
    }
    bench.serves_on();
}

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
