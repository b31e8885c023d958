//! Envelopes: what is taken is signed, and is exactly what the encoder makes of it.
//!
//! The first byte of an input says what the rest is: an envelope, or a manifest, which
//! then gets a digest and a good signature, so that the fuzzer gets past them.

use ed25519_compact::Noise;
use sealift_manifest::{
    Delivery, Grants, InvokeSpec, Manifest, ManifestSpec, PublicKey, Scan, Text, build_envelope,
    encode_manifest, inspect, scan_head, verify,
};
use sha2::{Digest, Sha256};

use crate::promise::{anchor, fake_key, spec};

/// An envelope as it is.
const WHOLE: u8 = 0;
/// A manifest, without a payload in its envelope.
const DETACHED: u8 = 1;
/// A manifest, with one.
const INTEGRATED: u8 = 2;

const PAYLOAD: &[u8] = b"bytecode";

pub(super) fn run(input: &[u8]) -> bool {
    let Some((kind, rest)) = input.split_first() else {
        return false;
    };
    let envelope = match kind % 3 {
        WHOLE => rest.to_vec(),
        DETACHED => signed(rest, None),
        _ => signed(rest, Some(PAYLOAD)),
    };
    let Ok(Scan::Complete {
        head_len,
        integrated,
    }) = scan_head(&envelope)
    else {
        return false;
    };
    let head = envelope.get(..head_len).expect("a head that is there");
    let shorter = head.get(..head_len - 1).unwrap_or_default();
    assert_eq!(scan_head(shorter), Ok(Scan::NeedMore), "it ends twice");
    let Ok(verified) = verify(head, &[anchor()]) else {
        return false;
    };
    let manifest: &Manifest<'_> = &verified;
    assert_eq!(
        manifest.delivery == Delivery::Integrated,
        integrated.is_some(),
        "a payload that is not where the manifest says"
    );
    let again = encode_manifest(
        &respecified(manifest),
        manifest.delivery,
        manifest.text_digest.as_ref(),
    );
    let found = head.windows(again.len()).any(|bytes| bytes == again);
    assert!(found, "two encodings of one manifest");
    assert!(verify::<PublicKey>(head, &[]).is_err(), "nobody is trusted");
    assert!(inspect(head).is_ok(), "the operator's tool refuses it");
    true
}

pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut spec = spec("vm1", 7, PAYLOAD);
    spec.invoke.grants = Grants::LOG;
    spec.invoke.floor = 3;
    let key = fake_key();
    let mut text = Text::new("en").expect("a language");
    text.manifest_description = Some("what it is for".into());
    let mut seeds = Vec::new();
    let mut seed = |name: &str, kind, bytes: &[u8]| {
        seeds.push((name.to_owned(), [&[kind], bytes].concat()));
    };
    for (name, payload, text) in [
        ("detached", None, None),
        ("integrated", Some(PAYLOAD), None),
        ("text", Some(PAYLOAD), Some(&text)),
    ] {
        let envelope = build_envelope(&spec, &[&key], payload, text).expect("builds");
        seed(name, WHOLE, &envelope);
    }
    for (name, kind, delivery) in [
        ("manifest-detached", DETACHED, Delivery::Detached),
        ("manifest-integrated", INTEGRATED, Delivery::Integrated),
    ] {
        seed(name, kind, &encode_manifest(&spec, delivery, None));
    }
    seeds
}

/// What the encoder needs to make this manifest.
pub(super) fn respecified(manifest: &Manifest<'_>) -> ManifestSpec {
    let invoke = &manifest.invoke;
    ManifestSpec {
        sequence_number: manifest.sequence_number,
        component: manifest.component.into(),
        vendor_id: manifest.vendor_id,
        class_id: manifest.class_id,
        payload_digest: manifest.payload_digest,
        payload_size: manifest.payload_size,
        invoke: InvokeSpec {
            profile: invoke.profile.into(),
            fuel: invoke.fuel,
            memory: invoke.memory,
            stack: invoke.stack,
            grants: invoke.grants,
            kind: invoke.kind,
            floor: invoke.floor,
            source_digest: invoke.source_digest,
            signatures: invoke.signatures,
        },
    }
}

/// An envelope around these bytes, with a good digest and signature
/// (draft-ietf-suit-manifest, 8.3; RFC 9052, 4.2 and 4.4).
pub(super) fn signed(manifest: &[u8], payload: Option<&[u8]>) -> Vec<u8> {
    let manifest = bstr(manifest);
    let digest = [&[0x82, 0x2f][..], &bstr(&Sha256::digest(&manifest))].concat();
    let key = fake_key();
    let kid = Sha256::digest(&key.pk[..]);
    // {1: -19, 4: kid}
    let protected = [&[0xa2, 1, 0x32, 4][..], &bstr(&kid[..8])].concat();
    let message = [
        &[0x84, 0x6a][..],
        b"Signature1",
        &bstr(&protected),
        &bstr(b""),
        &bstr(&digest),
    ]
    .concat();
    let signature = key.sk.sign(message, None::<Noise>);
    let block = [
        &[0xd2, 0x84][..],
        &bstr(&protected),
        &[0xa0, 0xf6],
        &bstr(&signature[..]),
    ]
    .concat();
    let wrapper = [&[0x82][..], &bstr(&digest), &bstr(&block)].concat();
    let entries = 0xa2 + u8::from(payload.is_some());
    let mut envelope = [
        &[0xd8, 107, entries, 2][..],
        &bstr(&wrapper),
        &[3],
        &manifest,
    ]
    .concat();
    if let Some(payload) = payload {
        envelope.extend_from_slice(b"\x68#capsule");
        envelope.extend_from_slice(&bstr(payload));
    }
    envelope
}

/// A byte string of CBOR, with the shortest header.
pub(super) fn bstr(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len();
    let head = match length {
        0..24 => vec![0x40 + length as u8],
        24..0x100 => vec![0x58, length as u8],
        _ => vec![0x59, (length >> 8) as u8, length as u8],
    };
    [&head, bytes].concat()
}
