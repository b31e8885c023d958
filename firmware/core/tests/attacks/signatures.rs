//! Signatures that are none: by whom, over what, by which algorithm.

use sealift_wire::Refusal;

use crate::bench::{Bench, key};
use crate::craft::{
    Block, array, bstr, envelope, map, nint, sha256, suit_digest, tstr, uint, wrapper,
};

/// An envelope whose authentication wrapper is made of the manifest's string.
fn under(manifest: &[u8], wrap: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    envelope(&[
        (uint(2), bstr(&wrap(manifest))),
        (uint(3), manifest.to_vec()),
    ])
}

/// The same with one signature block by the trusted key, made otherwise.
fn block(manifest: &[u8], change: impl FnOnce(&mut Block)) -> Vec<u8> {
    under(manifest, |m| {
        let mut block = Block::by(&key(1));
        change(&mut block);
        let digest = suit_digest(m);
        wrapper(&digest, &[block.sign(&key(1), &digest)])
    })
}

fn kid(number: u8) -> Vec<u8> {
    bstr(&sha256(&key(number).pk[..])[..8])
}

/// Threat: NET-23
#[test]
fn other_algorithms_are_refused() {
    let mut bench = Bench::new();
    let m = bstr(&bench.changed(|_| {}));
    let alg = |alg: Vec<u8>| {
        block(&m, |b| {
            b.protected = map(&[(uint(1), alg), (uint(4), kid(1))])
        })
    };
    // EdDSA without its curve, ES256, ES256K, Ed448, HMAC 256, RS1, none.
    for (name, value, refusal) in [
        ("EdDSA", nint(7), Refusal::Untrusted),
        ("ES256", nint(6), Refusal::Untrusted),
        ("ES256K", nint(46), Refusal::Untrusted),
        ("Ed448", nint(52), Refusal::Untrusted),
        ("HMAC", uint(5), Refusal::Untrusted),
        ("RS1", nint(65_534), Refusal::Untrusted),
        ("0", uint(0), Refusal::Untrusted),
        ("text", tstr("Ed25519"), Refusal::Malformed),
    ] {
        bench.refuses(name, &alg(value), refusal);
    }
    let cases = [
        (
            "no algorithm",
            block(&m, |b| b.protected = map(&[(uint(4), kid(1))])),
        ),
        ("an empty header", block(&m, |b| b.protected = Vec::new())),
        (
            "an algorithm that is not signed",
            block(&m, |b| b.unprotected = map(&[(uint(1), nint(6))])),
        ),
        ("a COSE_Sign", block(&m, |b| b.tag = vec![0xd8, 98])),
        ("a COSE_Mac0", block(&m, |b| b.tag = vec![0xd1])),
        ("a COSE_Encrypt0", block(&m, |b| b.tag = vec![0xd0])),
        ("no tag", block(&m, |b| b.tag = Vec::new())),
        (
            "a payload of its own",
            block(&m, |b| b.payload = bstr(&suit_digest(&m))),
        ),
    ];
    for (what, envelope) in cases {
        bench.refuses(what, &envelope, Refusal::Malformed);
    }
    // SHA-256/64, SHA-1, SHA-384, SHA-512, and SHA-256 cut short.
    let whole = sha256(&m);
    for digest in [
        array(&[nint(14), bstr(&whole[..8])]),
        array(&[nint(13), bstr(&whole[..20])]),
        array(&[nint(42), bstr(&[0; 48])]),
        array(&[nint(43), bstr(&[0; 64])]),
        array(&[nint(43), bstr(&whole)]),
        array(&[nint(15), bstr(&whole[..31])]),
        array(&[nint(15), bstr(&[])]),
        array(&[uint(16), bstr(&whole)]),
    ] {
        let envelope = under(&m, |_| {
            wrapper(&digest, &[Block::by(&key(1)).sign(&key(1), &digest)])
        });
        let what = format!("digest {:02x?}", &digest[..3]);
        bench.refuses(&what, &envelope, Refusal::Malformed);
    }
    bench.serves_on();
}

/// Threat: OP-3, NET-23
#[test]
fn signatures_by_and_over_something_else_are_refused() {
    let mut bench = Bench::new();
    let m = bstr(&bench.changed(|_| {}));
    let good = suit_digest(&m);
    let other = suit_digest(b"another manifest");
    let cases: [(&str, Refusal, Vec<u8>); 11] = [
        (
            "no signature",
            Refusal::Untrusted,
            under(&m, |_| wrapper(&good, &[])),
        ),
        (
            "by a stranger",
            Refusal::Untrusted,
            under(&m, |_| {
                wrapper(&good, &[Block::by(&key(2)).sign(&key(2), &good)])
            }),
        ),
        (
            "by a stranger, in a trusted name",
            Refusal::Tampered,
            under(&m, |_| {
                wrapper(&good, &[Block::by(&key(1)).sign(&key(2), &good)])
            }),
        ),
        (
            "by a trusted key, in a stranger's name",
            Refusal::Untrusted,
            under(&m, |_| {
                wrapper(&good, &[Block::by(&key(2)).sign(&key(1), &good)])
            }),
        ),
        (
            "over another digest",
            Refusal::Tampered,
            under(&m, |_| {
                wrapper(&good, &[Block::by(&key(1)).sign(&key(1), &other)])
            }),
        ),
        (
            "over another digest, which is named",
            Refusal::Tampered,
            under(&m, |_| {
                wrapper(&other, &[Block::by(&key(1)).sign(&key(1), &other)])
            }),
        ),
        (
            "over the manifest itself",
            Refusal::Tampered,
            block(&m, |b| {
                let signature = key(1).sk.sign(&m, None);
                b.signature = Some(signature.to_vec());
            }),
        ),
        (
            "over the bare digest",
            Refusal::Tampered,
            block(&m, |b| {
                let signature = key(1).sk.sign(&good, None);
                b.signature = Some(signature.to_vec());
            }),
        ),
        (
            "of nothing but zeros",
            Refusal::Tampered,
            block(&m, |b| b.signature = Some(vec![0; 64])),
        ),
        (
            "cut short",
            Refusal::Malformed,
            block(&m, |b| b.signature = Some(vec![1; 63])),
        ),
        (
            "too long",
            Refusal::Malformed,
            block(&m, |b| b.signature = Some(vec![1; 65])),
        ),
    ];
    for (what, refusal, envelope) in cases {
        bench.refuses(what, &envelope, refusal);
    }
    bench.serves_on();
}

/// Threat: NET-24
#[test]
fn a_good_signature_does_not_make_up_for_another() {
    let mut bench = Bench::new();
    bench.rig.reboot_trusting(&[key(1), key(3)]);
    let m = bstr(&bench.changed(|_| {}));
    let digest = suit_digest(&m);
    // The blocks stand in the order of their keys' names.
    let both = |other: u8, signs: u8| {
        let mut blocks = [
            (kid(1), Block::by(&key(1)).sign(&key(1), &digest)),
            (
                kid(other),
                Block::by(&key(other)).sign(&key(signs), &digest),
            ),
        ];
        blocks.sort();
        let blocks = blocks.map(|(_, block)| block);
        under(&m, |_| wrapper(&digest, &blocks))
    };
    bench.refuses("a stranger's", &both(2, 2), Refusal::Untrusted);
    bench.refuses("a forged one", &both(3, 2), Refusal::Tampered);
    bench.refuses("the same again", &both(1, 1), Refusal::Malformed);
    let good = both(3, 3);
    bench.takes(&good);
}
