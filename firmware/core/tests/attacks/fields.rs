//! Each field of a manifest: altered by who has no key, and wrong although it
//! was signed.

use sealift_engine::Target;
use sealift_wire::Refusal;

use crate::bench::{Bench, key};
use crate::craft::{
    Block, Layers, array, bstr, envelope, set, signed, signed_entries, suit_digest, tstr, uint,
    wrapper,
};

type Change = fn(&mut Layers);

/// Every field that a manifest has, with another value.
const FIELDS: [(&str, Change); 21] = [
    ("version", |m| set(&mut m.top, 1, uint(2))),
    ("sequence number", |m| set(&mut m.top, 2, uint(3))),
    ("component", |m| {
        m.components = array(&[array(&[bstr(b"vm2")])]);
    }),
    ("vendor", |m| set(&mut m.parameters, 1, bstr(&[9; 16]))),
    ("class", |m| set(&mut m.parameters, 2, bstr(&[9; 16]))),
    ("payload digest", |m| {
        set(&mut m.parameters, 3, bstr(&suit_digest(b"mine")));
    }),
    ("payload size", |m| set(&mut m.parameters, 14, uint(4))),
    ("conditions", |m| m.conditions.swap(0, 2)),
    ("engine profile", |m| {
        set(&mut m.args, 1, tstr("wasmtime1/pulley64/1"));
    }),
    ("fuel", |m| set(&mut m.args, 2, uint(10_000_000))),
    ("memory", |m| set(&mut m.args, 3, uint(1 << 20))),
    ("stack", |m| set(&mut m.args, 4, uint(1 << 20))),
    ("grants", |m| set(&mut m.args, 5, uint(63))),
    ("kind", |m| set(&mut m.args, 6, uint(1))),
    ("floor", |m| set(&mut m.args, 7, uint(2))),
    ("source", |m| set(&mut m.args, 8, bstr(&[9; 32]))),
    ("invoke", |m| m.invoke = vec![uint(23), uint(15)]),
    ("validate", |m| m.validate = vec![]),
    ("uri", |m| m.uri = tstr("vm2/payload")),
    ("fetch", |m| m.fetch.truncate(2)),
    ("install", |m| m.install = vec![]),
];

/// Threat: OP-3
#[test]
fn altered_fields_are_refused() {
    let mut bench = Bench::new();
    let good = bench.changed(|_| {});
    for (field, change) in FIELDS {
        let altered = bench.changed(change);
        assert_ne!(altered, good, "{field}");
        let altered = bstr(&altered);

        // Under the old digest and signature.
        let mut entries = signed_entries(&key(1), &good);
        entries[1].1.clone_from(&altered);
        bench.refuses(field, &envelope(&entries), Refusal::Tampered);

        // Under its own digest and the old signature.
        let digest = suit_digest(&altered);
        let block = Block::by(&key(1)).sign(&key(1), &suit_digest(&bstr(&good)));
        entries[0].1 = bstr(&wrapper(&digest, &[block]));
        bench.refuses(field, &envelope(&entries), Refusal::Tampered);

        // Under a signature of the attacker's.
        let own = signed(&key(2), &bench.changed(change));
        bench.refuses(field, &own, Refusal::Untrusted);
    }
    bench.serves_on();
}

/// Threat: NET-19
#[test]
fn manifests_for_others_are_refused() {
    let mut bench = Bench::new();
    let other = match sealift_engine::HOST {
        Target::Pulley32 => Target::Pulley64,
        Target::Pulley64 => Target::Pulley32,
    };
    let cases: [(&str, Refusal, Vec<u8>); 9] = [
        (
            "vendor",
            Refusal::WrongDevice,
            bench.envelope(|m| set(&mut m.parameters, 1, bstr(&[9; 16]))),
        ),
        (
            "class",
            Refusal::WrongDevice,
            bench.envelope(|m| set(&mut m.parameters, 2, bstr(&[9; 16]))),
        ),
        (
            "component",
            Refusal::WrongComponent,
            bench.envelope(|m| {
                m.components = array(&[array(&[bstr(b"vm2")])]);
                m.uri = tstr("vm2/payload");
            }),
        ),
        (
            "pointer width",
            Refusal::WrongProfile,
            bench.envelope(|m| set(&mut m.args, 1, tstr(other.profile()))),
        ),
        (
            "engine",
            Refusal::WrongProfile,
            bench.envelope(|m| set(&mut m.args, 1, tstr("wasmtime1/pulley64/1"))),
        ),
        (
            "kind",
            Refusal::WrongKind,
            bench.envelope(|m| set(&mut m.args, 6, uint(1))),
        ),
        (
            "fuel",
            Refusal::LimitsTooHigh,
            bench.envelope(|m| set(&mut m.args, 2, uint(u64::MAX))),
        ),
        (
            "memory",
            Refusal::LimitsTooHigh,
            bench.envelope(|m| set(&mut m.args, 3, uint(u64::from(u32::MAX)))),
        ),
        (
            "stack",
            Refusal::LimitsTooHigh,
            bench.envelope(|m| set(&mut m.args, 4, uint(u64::from(u32::MAX)))),
        ),
    ];
    for (what, refusal, envelope) in cases {
        bench.refuses(what, &envelope, refusal);
    }
    bench.serves_on();
}

/// Threat: NET-17, OP-4
#[test]
fn addresses_and_overrides_are_refused_although_signed() {
    let mut bench = Bench::new();
    for uri in [
        "coap://[2001:db8::1]/vm1/payload",
        "//elsewhere/vm1/payload",
        "vm2/payload",
        "../vm2/payload",
        "vm1/payload/",
        "VM1/payload",
        "#capsule",
        "#another",
        "",
    ] {
        let envelope = bench.envelope(|m| m.uri = tstr(uri));
        bench.refuses(uri, &envelope, Refusal::Malformed);
    }
    // Dependencies, delegation, a reference, other sequences and parameters.
    let additions: [(&str, Change); 6] = [
        ("reference", |m| {
            m.top.insert(3, (uint(4), tstr("coap://elsewhere")));
        }),
        ("load", |m| m.top.insert(4, (uint(8), bstr(&array(&[]))))),
        ("dependencies", |m| m.common.insert(0, (uint(1), uint(1)))),
        ("offset", |m| m.parameters.insert(3, (uint(5), uint(1)))),
        ("a second fetch", |m| {
            let again = m.fetch.clone();
            m.fetch.extend(again);
        }),
        ("try each", |m| m.install.extend([uint(15), array(&[])])),
    ];
    for (what, change) in additions {
        let envelope = bench.envelope(change);
        bench.refuses(what, &envelope, Refusal::Malformed);
    }
    // Beside the manifest: delegation, a second manifest, another payload.
    let entries = signed_entries(&key(1), &bench.changed(|_| {}));
    for extra in [uint(1), uint(3), uint(20), tstr("#another")] {
        let mut entries = entries.clone();
        let place = if extra == uint(1) { 0 } else { 2 };
        entries.insert(place, (extra.clone(), bstr(b"x")));
        let what = format!("envelope key {extra:02x?}");
        bench.refuses(&what, &envelope(&entries), Refusal::Malformed);
    }
    bench.serves_on();
}
