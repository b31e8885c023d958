//! For every check of the manifest one that is signed all the same, and that
//! only this check refuses.

mod common;

use common::craft::{Layers, array, bstr, map, nint, remove, set, signed, suit_digest, tstr, uint};
use common::{PAYLOAD, anchor, detached, fake_key, integrated, spec};
use sealift_manifest::{Error, PublicKey, scan_head, verify};

fn anchors() -> [PublicKey; 1] {
    [anchor(&fake_key(1))]
}

fn refusal(head: &[u8]) -> Option<Error> {
    verify(head, &anchors()).err()
}

/// The refusal of a manifest that is changed and then signed.
fn changed(change: impl FnOnce(&mut Layers)) -> Option<Error> {
    let mut layers = Layers::new(PAYLOAD);
    change(&mut layers);
    refusal(&signed(&fake_key(1), &layers.encode()))
}

#[test]
fn the_crafted_manifest_is_good_when_nothing_is_changed() {
    assert_eq!(changed(|_| {}), None);
}

#[test]
fn crafted_and_built_envelopes_are_the_same_bytes() {
    let mut layers = Layers::new(PAYLOAD);
    set(&mut layers.parameters, 1, bstr(&spec().vendor_id));
    set(&mut layers.parameters, 2, bstr(&spec().class_id));
    assert_eq!(signed(&fake_key(1), &layers.encode()), detached());
}

#[test]
fn every_manifest_check_refuses() {
    let over = u64::from(u32::MAX) + 1;
    let cases: Vec<(Option<Error>, Error)> = vec![
        // CBOR.
        (
            changed(|m| m.validate = vec![uint(3), vec![0x18, 15]]),
            Error::NonMinimal,
        ),
        (
            changed(|m| set(&mut m.top, 2, vec![0x19, 0, 7])),
            Error::NonMinimal,
        ),
        (
            changed(|m| set(&mut m.top, 2, vec![0x1a, 0, 0, 0xff, 0xff])),
            Error::NonMinimal,
        ),
        (
            changed(|m| set(&mut m.top, 2, vec![0x1b, 0, 0, 0, 0, 255, 255, 255, 255])),
            Error::NonMinimal,
        ),
        (
            changed(|m| set(&mut m.args, 1, vec![0x7f, 0x61, b'a', 0xff])),
            Error::Indefinite,
        ),
        (
            changed(|m| m.components = vec![0x9f, 0x81, 0x41, b'a', 0xff]),
            Error::Indefinite,
        ),
        (changed(|m| set(&mut m.top, 2, vec![0x1c])), Error::Reserved),
        (
            changed(|m| set(&mut m.top, 2, tstr("7"))),
            Error::UnexpectedType,
        ),
        (
            changed(|m| set(&mut m.args, 2, vec![0xfb, 0, 0, 0, 0, 0, 0, 0, 0])),
            Error::UnexpectedType,
        ),
        (
            changed(|m| set(&mut m.args, 8, bstr(&[1; 31]))),
            Error::DigestLength,
        ),
        (changed(|m| m.args.swap(0, 1)), Error::MissingKey),
        (
            changed(|m| m.args.insert(1, (uint(1), uint(1)))),
            Error::KeyOrder,
        ),
        (
            changed(|m| m.args.push((uint(8), uint(1)))),
            Error::KeyOrder,
        ),
        (
            changed(|m| m.args.push((uint(10), uint(1)))),
            Error::UnknownKey,
        ),
        // One signature is asked for by saying nothing.
        (
            changed(|m| m.args.push((uint(9), uint(1)))),
            Error::SignatureCount,
        ),
        (
            changed(|m| m.args.push((uint(9), uint(0)))),
            Error::SignatureCount,
        ),
        (
            changed(|m| m.args.push((uint(9), uint(5)))),
            Error::SignatureCount,
        ),
        (
            changed(|m| m.args.push((uint(9), uint(2)))),
            Error::TooFewSignatures,
        ),
        (
            changed(|m| m.top.insert(2, (uint(2), uint(7)))),
            Error::KeyOrder,
        ),
        (
            changed(|m| m.top.push((uint(24), uint(1)))),
            Error::UnknownKey,
        ),
        (
            changed(|m| m.top.insert(3, (uint(4), tstr("coap://elsewhere")))),
            Error::UnknownKey,
        ),
        (
            changed(|m| m.top.insert(4, (uint(8), bstr(&array(&[]))))),
            Error::UnknownKey,
        ),
        (
            changed(|m| m.common.insert(1, (uint(3), uint(1)))),
            Error::UnknownKey,
        ),
        (
            changed(|m| m.common.push((uint(5), uint(1)))),
            Error::UnknownKey,
        ),
        (
            changed(|m| m.parameters.insert(3, (uint(5), uint(1)))),
            Error::UnknownKey,
        ),
        (
            changed(|m| m.parameters.push((uint(24), bstr(&[1; 16])))),
            Error::UnknownKey,
        ),
        (changed(|m| m.install.push(uint(3))), Error::ArrayLength),
        (
            changed(|m| m.invoke.extend([uint(3), uint(15)])),
            Error::ArrayLength,
        ),
        (
            changed(|m| set(&mut m.args, 1, vec![0x62, 0xff, 0xfe])),
            Error::Utf8,
        ),
        (
            changed(|m| set(&mut m.args, 3, uint(over))),
            Error::OutOfRange,
        ),
        (
            changed(|m| set(&mut m.args, 4, uint(over))),
            Error::OutOfRange,
        ),
        (
            changed(|m| set(&mut m.parameters, 14, uint(over))),
            Error::OutOfRange,
        ),
        // The manifest.
        (changed(|m| set(&mut m.top, 1, uint(2))), Error::Version),
        (changed(|m| m.components = array(&[])), Error::Component),
        (
            changed(|m| m.components = array(&[array(&[bstr(b"vm1")]), array(&[bstr(b"vm2")])])),
            Error::Component,
        ),
        (
            changed(|m| m.components = array(&[array(&[bstr(b"vm1"), bstr(b"x")])])),
            Error::Component,
        ),
        (
            changed(|m| m.components = array(&[array(&[bstr(b"")])])),
            Error::ComponentName,
        ),
        (
            changed(|m| m.components = array(&[array(&[bstr(b"../vm1")])])),
            Error::ComponentName,
        ),
        (
            changed(|m| m.components = array(&[array(&[bstr(b"VM1")])])),
            Error::ComponentName,
        ),
        (
            changed(|m| m.components = array(&[array(&[bstr(&[b'a'; 17])])])),
            Error::ComponentName,
        ),
        (
            changed(|m| set(&mut m.parameters, 1, bstr(&[1; 15]))),
            Error::IdentifierLength,
        ),
        (
            changed(|m| set(&mut m.parameters, 2, bstr(&[1; 17]))),
            Error::IdentifierLength,
        ),
        (
            changed(|m| {
                let digest = array(&[nint(42), bstr(&[0; 32])]);
                set(&mut m.parameters, 3, bstr(&digest));
            }),
            Error::DigestAlgorithm,
        ),
        (
            changed(|m| {
                let digest = array(&[nint(15), bstr(&[0; 33])]);
                set(&mut m.parameters, 3, bstr(&digest));
            }),
            Error::DigestLength,
        ),
        (
            changed(|m| {
                let digest = [suit_digest(PAYLOAD), vec![0]].concat();
                set(&mut m.parameters, 3, bstr(&digest));
            }),
            Error::TrailingBytes,
        ),
        (
            changed(|m| set(&mut m.parameters, 14, uint(0))),
            Error::EmptyPayload,
        ),
        (
            // A custom command of the same absolute value.
            changed(|m| m.validate = vec![nint(2), uint(15)]),
            Error::Command,
        ),
        (
            changed(|m| m.validate = vec![uint(14), uint(15)]),
            Error::Command,
        ),
        (changed(|m| m.conditions[0] = uint(2)), Error::Command),
        (changed(|m| m.conditions[2] = uint(24)), Error::Command),
        (changed(|m| m.fetch[0] = uint(22)), Error::Command),
        (changed(|m| m.fetch[2] = uint(6)), Error::Command),
        (changed(|m| m.invoke[0] = uint(31)), Error::Command),
        (changed(|m| m.validate[1] = uint(2)), Error::ReportPolicy),
        (changed(|m| m.conditions[1] = uint(16)), Error::ReportPolicy),
        (changed(|m| m.fetch[1] = uint(15)), Error::ReportPolicy),
        (changed(|m| m.invoke[1] = uint(0)), Error::ReportPolicy),
        (changed(|m| m.uri = tstr("vm2/payload")), Error::Uri),
        (changed(|m| m.uri = tstr("#capsule")), Error::Uri),
        (changed(|m| m.uri = tstr("")), Error::Uri),
        (changed(|m| m.uri = tstr(&"a".repeat(500))), Error::Uri),
        // The arguments for the runtime.
        (changed(|m| set(&mut m.args, 1, tstr(""))), Error::Profile),
        (
            changed(|m| set(&mut m.args, 1, tstr(&"p".repeat(65)))),
            Error::Profile,
        ),
        (
            changed(|m| set(&mut m.args, 1, tstr("a b"))),
            Error::Profile,
        ),
        (
            changed(|m| set(&mut m.args, 1, tstr("pulley\u{fc}"))),
            Error::Profile,
        ),
        (
            changed(|m| set(&mut m.args, 5, uint(64))),
            Error::UnknownGrant,
        ),
        (
            changed(|m| set(&mut m.args, 5, uint(over))),
            Error::UnknownGrant,
        ),
        (
            changed(|m| set(&mut m.args, 6, uint(2))),
            Error::UnknownKind,
        ),
        (
            changed(|m| set(&mut m.args, 7, uint(8))),
            Error::FloorAboveSequence,
        ),
    ];
    for (place, (found, expected)) in cases.into_iter().enumerate() {
        assert_eq!(found, Some(expected), "case {place}");
    }
}

#[test]
fn no_key_of_a_manifest_can_be_left_out() {
    for key in [1, 2, 3, 7, 9, 20] {
        assert_eq!(
            changed(|m| remove(&mut m.top, key)),
            Some(Error::MissingKey),
            "manifest key {key}"
        );
    }
    // Without a fetch the URI of install has to be the integrated payload's.
    assert_eq!(
        changed(|m| remove(&mut m.top, 16)),
        Some(Error::ArrayLength)
    );
    for key in 1..=8 {
        assert_eq!(
            changed(|m| remove(&mut m.args, key)),
            Some(Error::MissingKey),
            "invoke-args key {key}"
        );
    }
    for key in [1, 2, 3, 14] {
        assert_eq!(
            changed(|m| remove(&mut m.parameters, key)),
            Some(Error::MissingKey),
            "parameter {key}"
        );
    }
    for key in [2, 4] {
        assert_eq!(
            changed(|m| remove(&mut m.common, key)),
            Some(Error::MissingKey),
            "common key {key}"
        );
    }
}

#[test]
fn every_layer_ends_where_it_ends() {
    let mut manifest = Layers::new(PAYLOAD).encode();
    manifest.push(0);
    assert_eq!(
        refusal(&signed(&fake_key(1), &manifest)),
        Some(Error::TrailingBytes)
    );
    manifest.truncate(manifest.len() - 2);
    assert_eq!(
        refusal(&signed(&fake_key(1), &manifest)),
        Some(Error::Truncated)
    );
    let tail = |entries: &[(Vec<u8>, Vec<u8>)]| bstr(&[map(entries), vec![0]].concat());
    let sequence = |items: &[Vec<u8>]| bstr(&[array(items), vec![0]].concat());
    assert_eq!(
        changed(|m| {
            let args = tail(&m.args);
            let items = [uint(20), map(&[(uint(23), args)]), uint(23), uint(2)];
            set(&mut m.top, 9, bstr(&array(&items)));
        }),
        Some(Error::TrailingBytes)
    );
    for key in [7, 20] {
        assert_eq!(
            changed(|m| set(&mut m.top, key, sequence(&[uint(3), uint(15)]))),
            Some(Error::TrailingBytes)
        );
    }
    let mut envelope = detached();
    envelope.push(0);
    assert_eq!(refusal(&envelope), Some(Error::TrailingBytes));
    assert_eq!(scan_head(&envelope), Err(Error::TrailingBytes));
    let mut envelope = integrated();
    assert_eq!(refusal(&envelope), Some(Error::TrailingBytes));
    envelope.push(0);
    assert_eq!(scan_head(&envelope), Err(Error::TrailingBytes));
}
