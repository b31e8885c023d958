//! What says the same in another encoding, or would: signed, and refused all
//! the same, because one envelope is one byte string.

use sealift_wire::Refusal;

use crate::bench::{Bench, key};
use crate::craft::{
    Block, Entries, Layers, array, bstr, envelope, head, map, nint, set, sha256, signed,
    signed_entries, suit_digest, tstr, uint, wrapper,
};

type Layer = fn(&mut Layers) -> &mut Entries;

const TOP: Layer = |m| &mut m.top;
const PARAMETERS: Layer = |m| &mut m.parameters;
const ARGS: Layer = |m| &mut m.args;

/// The numbers of a manifest: where they are, and their values.
const NUMBERS: [(&str, Layer, u64, u64); 7] = [
    ("version", TOP, 1, 1),
    ("sequence number", TOP, 2, 2),
    ("fuel", ARGS, 2, 1_000_000),
    ("memory", ARGS, 3, 65_536),
    ("grants", ARGS, 5, 0),
    ("kind", ARGS, 6, 0),
    ("floor", ARGS, 7, 0),
];

/// Encodings of a number that are longer than needed.
fn longer(value: u64) -> Vec<Vec<u8>> {
    let shortest = uint(value).len();
    let bytes = value.to_be_bytes();
    [(0x18, 1), (0x19, 2), (0x1a, 4), (0x1b, 8)]
        .into_iter()
        .filter(|(_, width)| 1 + width > shortest)
        .map(|(first, width)| [&[first][..], &bytes[8 - width..]].concat())
        .collect()
}

/// Threat: NET-22
#[test]
fn other_encodings_of_the_same_are_refused() {
    let mut bench = Bench::new();
    for (what, layer, place, value) in NUMBERS {
        // A bignum, a float, and a text of it, too.
        let bignum = [vec![0xc2], bstr(&value.to_be_bytes())].concat();
        let double = [&[0xfb][..], &(value as f64).to_be_bytes()].concat();
        let mut others = longer(value);
        others.extend([bignum, double, tstr(&value.to_string())]);
        for other in others {
            let envelope = bench.envelope(|m| set(layer(m), place, other.clone()));
            let what = format!("{what} as {other:02x?}");
            bench.refuses(&what, &envelope, Refusal::Malformed);
        }
    }
    let profile = sealift_engine::HOST.profile();
    let length = profile.len() as u8;
    let cases = [
        ("a text with a longer length", {
            let text = [&[0x79, 0, length][..], profile.as_bytes()].concat();
            bench.envelope(|m| set(&mut m.args, 1, text))
        }),
        ("a text in pieces", {
            let text = [vec![0x7f], tstr(profile), vec![0xff]].concat();
            bench.envelope(|m| set(&mut m.args, 1, text))
        }),
        ("bytes in pieces", {
            let digest = [vec![0x5f], bstr(&[0x5a; 32]), vec![0xff]].concat();
            bench.envelope(|m| set(&mut m.args, 8, digest))
        }),
        ("a list without an end", {
            let components = [vec![0x9f], array(&[bstr(b"vm1")]), vec![0xff]].concat();
            bench.envelope(|m| m.components = components)
        }),
        ("a manifest in a map without an end", {
            let manifest = bench.changed(|_| {});
            let manifest = [&[0xbf][..], &manifest[1..], &[0xff]].concat();
            signed(&key(1), &manifest)
        }),
        ("an envelope in a map without an end", {
            let good = bench.envelope(|_| {});
            [&good[..2], &[0xbf], &good[3..], &[0xff]].concat()
        }),
        ("a manifest with a longer length", {
            let manifest = bench.changed(|_| {});
            let length = (manifest.len() as u32).to_be_bytes();
            let manifest = [&[0x5a][..], &length, &manifest].concat();
            let digest = suit_digest(&manifest);
            let block = Block::by(&key(1)).sign(&key(1), &digest);
            envelope(&[
                (uint(2), bstr(&wrapper(&digest, &[block]))),
                (uint(3), manifest),
            ])
        }),
        ("an envelope with a longer tag", {
            let good = bench.envelope(|_| {});
            [&[0xd9, 0, 107][..], &good[2..]].concat()
        }),
        ("an envelope in a string", bstr(&bench.envelope(|_| {}))),
    ];
    for (what, envelope) in cases {
        bench.refuses(what, &envelope, Refusal::Malformed);
    }
    bench.serves_on();
}

/// Threat: NET-22
#[test]
fn doubled_and_swapped_keys_are_refused() {
    let mut bench = Bench::new();
    for (what, layer) in [("top", TOP), ("parameters", PARAMETERS), ("args", ARGS)] {
        let length = layer(&mut bench.manifest()).len();
        for place in 0..length {
            let twice = bench.envelope(|m| {
                let entry = layer(m)[place].clone();
                layer(m).insert(place, entry);
            });
            bench.refuses(&format!("{what} {place} twice"), &twice, Refusal::Malformed);
            if place > 0 {
                let swapped = bench.envelope(|m| layer(m).swap(place - 1, place));
                bench.refuses(
                    &format!("{what} {place} early"),
                    &swapped,
                    Refusal::Malformed,
                );
            }
        }
    }
    let good = signed_entries(&key(1), &bench.changed(|_| {}));
    for order in [[0, 0, 1], [0, 1, 1], [1, 0, 1]] {
        let entries = order.map(|place: usize| good[place].clone());
        bench.refuses("envelope", &envelope(&entries), Refusal::Malformed);
    }
    bench.serves_on();
}

/// Threat: NET-22
#[test]
fn keys_of_other_types_are_refused() {
    let mut bench = Bench::new();
    let others = |number: u64| {
        [
            tstr(&number.to_string()),
            bstr(&[number as u8]),
            nint(number),
            array(&[uint(number)]),
            vec![0xf9, 0x3c, number as u8],
        ]
    };
    // Values of the other keys of the top are put together by their keys.
    for (layer, keys) in [
        (TOP, &[1, 2][..]),
        (PARAMETERS, &[1, 2, 3, 14]),
        (ARGS, &[1, 2, 3, 4, 5, 6, 7, 8]),
    ] {
        for number in keys {
            for other in others(*number) {
                let envelope = bench.envelope(|m| {
                    let entry = layer(m).iter_mut().find(|entry| entry.0 == uint(*number));
                    entry.expect("the key is there").0.clone_from(&other);
                });
                bench.refuses(&format!("{other:02x?}"), &envelope, Refusal::Malformed);
            }
        }
    }
    let m = bstr(&bench.changed(|_| {}));
    let digest = suit_digest(&m);
    let kid = bstr(&sha256(&key(1).pk[..])[..8]);
    for (place, number) in [(0, 1), (1, 4)] {
        for other in others(number) {
            let mut block = Block::by(&key(1));
            let mut header = [(uint(1), nint(18)), (uint(4), kid.clone())];
            header[place].0.clone_from(&other);
            block.protected = map(&header);
            let wrapped = wrapper(&digest, &[block.sign(&key(1), &digest)]);
            let entries = [(uint(2), bstr(&wrapped)), (uint(3), m.clone())];
            let what = format!("header {other:02x?}");
            bench.refuses(&what, &envelope(&entries), Refusal::Malformed);
        }
    }
    let good = signed_entries(&key(1), &bench.changed(|_| {}));
    for (place, number) in [(0, 2), (1, 3)] {
        for other in others(number) {
            let mut entries = good.clone();
            entries[place].0.clone_from(&other);
            let what = format!("envelope {other:02x?}");
            bench.refuses(&what, &envelope(&entries), Refusal::Malformed);
        }
    }
    bench.serves_on();
}

/// Threat: NET-22
#[test]
fn depth_and_bytes_behind_the_end_are_refused() {
    let mut bench = Bench::new();
    let deep = |first: &[u8], depth: usize| [first.repeat(depth), uint(0)].concat();
    for (what, first) in [
        ("lists", &[0x81][..]),
        ("maps", &[0xa1, 0x00]),
        ("tags", &[0xc6]),
        ("lists without an end", &[0x9f]),
    ] {
        // As much as a head can hold, and all the way through a body.
        for depth in [2, 100, 500] {
            let inside = bench.envelope(|m| set(&mut m.args, 2, deep(first, depth / 2)));
            bench.refuses(what, &inside, Refusal::Malformed);
            let components = bench.envelope(|m| m.components = deep(first, depth / 2));
            bench.refuses(what, &components, Refusal::Malformed);
            bench.refuses(what, &deep(first, depth), Refusal::Malformed);
        }
    }
    // Lengths that are not there.
    for major in [2, 3, 4, 5] {
        let huge = head(major, u64::MAX);
        let inside = bench.envelope(|m| set(&mut m.args, 1, huge.clone()));
        bench.refuses("a length", &inside, Refusal::Malformed);
        bench.refuses("a length", &huge, Refusal::Malformed);
    }
    for extra in [&[0][..], &[0xf6], &[0xff; 40]] {
        let behind = [&bench.envelope(|_| {})[..], extra].concat();
        bench.refuses("behind the envelope", &behind, Refusal::Malformed);
        let manifest = [&bench.changed(|_| {})[..], extra].concat();
        let behind = signed(&key(1), &manifest);
        bench.refuses("behind the manifest", &behind, Refusal::Malformed);
    }
    bench.serves_on();
}
