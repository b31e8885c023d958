//! For every check of envelope, signatures and payload an input that only this
//! check refuses; `refused_manifests.rs` has the manifest's.

mod common;

use common::craft::{
    Block, Layers, array, bstr, envelope, map, nint, sha256, signed_entries, suit_digest, tstr,
    uint, wrapper,
};
use common::{PAYLOAD, anchor, detached, fake_key, integrated, spec};
use sealift_manifest::{
    EncodeError, Error, ErrorClass, KeyError, MAX_HEAD, PublicKey, Scan, Sign, Text,
    build_envelope, scan_head, verify,
};

fn anchors() -> [PublicKey; 1] {
    [anchor(&fake_key(1))]
}

fn refusal(head: &[u8]) -> Option<Error> {
    verify(head, &anchors()).err()
}

/// The refusal of an envelope whose signature block is changed and then signed.
fn block(change: impl FnOnce(&mut Block)) -> Option<Error> {
    let key = fake_key(1);
    let manifest = bstr(&Layers::new(PAYLOAD).encode());
    let digest = suit_digest(&manifest);
    let mut block = Block::by(&key);
    change(&mut block);
    refusal(&envelope(&[
        (
            uint(2),
            bstr(&wrapper(&digest, &[block.sign(&key, &digest)])),
        ),
        (uint(3), manifest),
    ]))
}

/// The refusal of an envelope with this authentication wrapper.
fn authentication(wrapper: impl FnOnce(&[u8]) -> Vec<u8>) -> Option<Error> {
    let manifest = bstr(&Layers::new(PAYLOAD).encode());
    refusal(&envelope(&[
        (uint(2), bstr(&wrapper(&manifest))),
        (uint(3), manifest),
    ]))
}

fn head_of(envelope: &[u8]) -> &[u8] {
    match scan_head(envelope) {
        Ok(Scan::Complete { head_len, .. }) => &envelope[..head_len],
        other => panic!("no head: {other:?}"),
    }
}

#[test]
fn the_crafted_signature_is_good_when_nothing_is_changed() {
    assert_eq!(block(|_| {}), None);
}

#[test]
fn every_signature_check_refuses() {
    let key = fake_key(1);
    let kid = |len: usize| bstr(&sha256(&key.pk[..])[..len]);
    let cases: Vec<(Option<Error>, Error)> = vec![
        (
            authentication(|m| wrapper(&suit_digest(m), &[])),
            Error::NoSignature,
        ),
        (authentication(|_| array(&[])), Error::ArrayLength),
        (
            authentication(|m| {
                let digest = suit_digest(m);
                let block = Block::by(&key).sign(&key, &digest);
                wrapper(&digest, &vec![block; 5])
            }),
            Error::TooManySignatures,
        ),
        (
            authentication(|m| {
                let digest = suit_digest(m);
                let block = Block::by(&key).sign(&key, &digest);
                wrapper(&digest, &[block.clone(), block])
            }),
            Error::SignatureOrder,
        ),
        (
            authentication(|m| {
                let digest = suit_digest(m);
                let mut keys = [fake_key(1), fake_key(2)];
                keys.sort_by_key(|key| core::cmp::Reverse(sha256(&key.pk[..])));
                let blocks = keys.each_ref().map(|key| Block::by(key).sign(key, &digest));
                wrapper(&digest, &blocks)
            }),
            Error::SignatureOrder,
        ),
        (
            authentication(|m| {
                let digest = array(&[nint(42), bstr(&sha256(m))]);
                wrapper(&digest, &[Block::by(&key).sign(&key, &digest)])
            }),
            Error::DigestAlgorithm,
        ),
        (
            authentication(|m| {
                let digest = array(&[nint(15), bstr(&sha256(m)[..31])]);
                wrapper(&digest, &[Block::by(&key).sign(&key, &digest)])
            }),
            Error::DigestLength,
        ),
        (
            authentication(|m| {
                let digest = suit_digest(&[m, b"x"].concat());
                wrapper(&digest, &[Block::by(&key).sign(&key, &digest)])
            }),
            Error::ManifestDigest,
        ),
        (
            authentication(|m| {
                // The digest is over the byte string, header included.
                let digest = suit_digest(&m[3..]);
                wrapper(&digest, &[Block::by(&key).sign(&key, &digest)])
            }),
            Error::ManifestDigest,
        ),
        (block(|b| b.tag = vec![0xd8, 98]), Error::NotSign1),
        (block(|b| b.tag = vec![]), Error::NotSign1),
        (
            block(|b| b.protected = map(&[(uint(1), nint(7)), (uint(4), kid(8))])),
            Error::AlgorithmDeprecated,
        ),
        (
            block(|b| b.protected = map(&[(uint(1), nint(6)), (uint(4), kid(8))])),
            Error::Algorithm,
        ),
        (
            block(|b| b.protected = map(&[(uint(1), nint(18))])),
            Error::MissingKey,
        ),
        (
            block(|b| b.protected = map(&[(uint(4), kid(8))])),
            Error::MissingKey,
        ),
        (
            block(|b| {
                b.protected = map(&[
                    (uint(1), nint(18)),
                    (uint(2), array(&[uint(99)])),
                    (uint(4), kid(8)),
                ]);
            }),
            Error::UnknownKey,
        ),
        (
            block(|b| b.protected = map(&[(uint(1), nint(18)), (uint(4), kid(7))])),
            Error::KeyIdLength,
        ),
        (
            block(|b| b.protected = map(&[(uint(1), nint(18)), (uint(4), kid(32))])),
            Error::KeyIdLength,
        ),
        (
            block(|b| b.unprotected = map(&[(uint(4), kid(8))])),
            Error::UnprotectedHeader,
        ),
        (
            block(|b| b.payload = bstr(b"something else")),
            Error::AttachedPayload,
        ),
        (
            block(|b| b.signature = Some(vec![0; 63])),
            Error::SignatureLength,
        ),
        (
            block(|b| b.signature = Some(vec![0; 65])),
            Error::SignatureLength,
        ),
        (block(|b| b.tail = vec![0]), Error::TrailingBytes),
        (block(|b| b.protected.push(0)), Error::TrailingBytes),
    ];
    for (place, (found, expected)) in cases.into_iter().enumerate() {
        assert_eq!(found, Some(expected), "case {place}");
    }
}

#[test]
fn the_envelope_has_no_other_shape() {
    let entries = signed_entries(&fake_key(1), &Layers::new(PAYLOAD).encode());
    let (auth, manifest) = (entries[0].clone(), entries[1].clone());
    let text = (uint(23), bstr(&map(&[])));
    let payload = (tstr("#capsule"), bstr(PAYLOAD));
    assert_eq!(refusal(&envelope(&entries)), None);

    let other = |key: Vec<u8>| (key, bstr(b"x"));
    let cases = [
        (vec![0xd9, 0x04, 0x2e, 0xa0], Error::NotAnEnvelope),
        (map(&entries), Error::NotAnEnvelope),
        (envelope(&[]), Error::MissingKey),
        (envelope(&entries[..1]), Error::MissingKey),
        (
            envelope(&[manifest.clone(), auth.clone()]),
            Error::MissingKey,
        ),
        (envelope(&[auth.clone(), auth.clone()]), Error::KeyOrder),
        (
            envelope(&[auth.clone(), manifest.clone(), manifest.clone()]),
            Error::KeyOrder,
        ),
        (
            envelope(&[other(uint(1)), auth.clone(), manifest.clone()]),
            Error::UnknownKey,
        ),
        (
            envelope(&[auth.clone(), manifest.clone(), other(uint(20))]),
            Error::UnknownKey,
        ),
        (
            envelope(&[auth.clone(), manifest.clone(), other(tstr("#another"))]),
            Error::UnknownKey,
        ),
        (
            envelope(&[auth.clone(), manifest.clone(), other(nint(0))]),
            Error::UnexpectedType,
        ),
        (
            envelope(&[
                auth.clone(),
                manifest.clone(),
                payload.clone(),
                text.clone(),
            ]),
            Error::UnexpectedType,
        ),
        (
            envelope(&[
                auth.clone(),
                manifest.clone(),
                text.clone(),
                payload.clone(),
                payload.clone(),
            ]),
            Error::UnknownKey,
        ),
        (
            envelope(&[
                auth.clone(),
                manifest.clone(),
                (tstr("#capsule"), bstr(b"")),
            ]),
            Error::EmptyPayload,
        ),
        (
            [
                vec![0xd8, 107, 0xa3],
                [auth.0.clone(), auth.1.clone()].concat(),
                [manifest.0.clone(), manifest.1.clone()].concat(),
                tstr("#capsule"),
                vec![0x5b, 0, 0, 0, 1],
            ]
            .concat(),
            Error::PayloadTooLong,
        ),
        (
            envelope(&[auth.clone(), manifest.clone(), text]),
            Error::UnsignedText,
        ),
        (
            {
                let mut head = envelope(&[auth.clone(), manifest.clone(), payload]);
                head.truncate(head.len() - PAYLOAD.len());
                head
            },
            Error::Delivery,
        ),
        (vec![0; MAX_HEAD + 1], Error::HeadTooLong),
        (
            envelope(&[(uint(2), bstr(&[0; MAX_HEAD])), manifest]),
            Error::HeadTooLong,
        ),
    ];
    for (place, (head, expected)) in cases.into_iter().enumerate() {
        assert_eq!(refusal(&head), Some(expected), "case {place}");
    }
}

#[test]
fn an_integrated_payload_has_to_agree_with_the_manifest() {
    // The head of a good envelope, with another length for the payload.
    let whole = integrated();
    let head = head_of(&whole);
    let (before, length) = head.split_at(head.len() - 2);
    let [info, length] = *length else {
        panic!("the length has one byte");
    };
    assert_eq!((info, usize::from(length)), (0x58, PAYLOAD.len()));
    let longer = [before, &[0x58, length + 1]].concat();
    assert_eq!(refusal(&longer), Some(Error::IntegratedSize));
    // A manifest with an integrated payload in an envelope without one.
    let key = b"\x68#capsule";
    let mut without = before[..before.len() - key.len()].to_vec();
    without[2] = 0xa2;
    assert_eq!(refusal(&without), Some(Error::Delivery));
}

#[test]
fn text_that_was_not_signed_is_refused() {
    let key = fake_key(1);
    let text = Text::describing("a thermometer");
    let mut envelope =
        build_envelope(&spec(), &[&key as &dyn Sign], None, Some(&text)).expect("builds");
    assert_eq!(refusal(&envelope), None);
    let last = envelope.len() - 1;
    envelope[last] ^= 0x20;
    assert_eq!(refusal(&envelope), Some(Error::TextDigest));
}

#[test]
fn every_signature_has_to_be_by_a_trusted_key() {
    let (one, two) = (fake_key(1), fake_key(2));
    let envelope = build_envelope(&spec(), &[&one, &two], None, None).expect("builds");
    let (a, b) = (anchor(&one), anchor(&two));
    assert!(verify(&envelope, &[a, b]).is_ok());
    assert!(verify(&envelope, &[b, a]).is_ok());
    assert_eq!(verify(&envelope, &[a]).err(), Some(Error::UntrustedKey));
    assert_eq!(verify(&envelope, &[b]).err(), Some(Error::UntrustedKey));
    assert_eq!(
        verify::<PublicKey>(&envelope, &[]).err(),
        Some(Error::UntrustedKey)
    );
}

#[test]
fn one_good_signature_does_not_make_up_for_a_bad_one() {
    let keys = [fake_key(1), fake_key(2), fake_key(3)];
    let anchors = keys.each_ref().map(anchor);
    let manifest = bstr(&Layers::new(PAYLOAD).encode());
    let digest = suit_digest(&manifest);
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|place| sha256(&keys[*place].pk[..]));
    for bad in 0..keys.len() {
        let blocks: Vec<_> = order
            .iter()
            .map(|place| {
                let mut block = Block::by(&keys[*place]);
                if *place == bad {
                    // A good signature, by the next key.
                    let other = &keys[(bad + 1) % keys.len()];
                    return block.sign(other, &digest);
                }
                block.tail.clear();
                block.sign(&keys[*place], &digest)
            })
            .collect();
        let envelope = envelope(&[
            (uint(2), bstr(&wrapper(&digest, &blocks))),
            (uint(3), manifest.clone()),
        ]);
        assert_eq!(
            verify(&envelope, &anchors).err(),
            Some(Error::SignatureMismatch)
        );
    }
}

#[test]
fn a_payload_has_to_be_the_one_described() {
    let envelope = detached();
    let manifest = verify(&envelope, &anchors()).expect("verifies");
    let longer = [PAYLOAD, b"x"].concat();
    let mut other = PAYLOAD.to_vec();
    other[0] ^= 1;
    let cases = [
        (&b""[..], Error::PayloadSize),
        (&PAYLOAD[1..], Error::PayloadSize),
        (&longer, Error::PayloadSize),
        (&other, Error::PayloadDigest),
    ];
    for (bytes, expected) in cases {
        assert_eq!(manifest.admit(bytes).err(), Some(expected));
        let mut check = manifest.payload_check();
        for byte in bytes {
            check.update(core::slice::from_ref(byte));
        }
        assert_eq!(check.finish(), Err(expected));
    }
    // Too many bytes stay too many.
    let mut check = manifest.payload_check();
    check.update(&longer);
    check.update(b"");
    assert_eq!(check.finish(), Err(Error::PayloadSize));
}

#[test]
fn nothing_is_built_that_a_device_would_refuse() {
    let key = fake_key(1);
    let build = |change: fn(&mut sealift_manifest::ManifestSpec)| {
        let mut spec = spec();
        change(&mut spec);
        build_envelope(&spec, &[&key as &dyn Sign], Some(PAYLOAD), None).err()
    };
    let refused = |error| Some(EncodeError::Refused(error));
    assert_eq!(build(|_| {}), None);
    assert_eq!(
        build(|s| s.component = "Vm1".into()),
        refused(Error::ComponentName)
    );
    assert_eq!(
        build(|s| s.invoke.floor = 8),
        refused(Error::FloorAboveSequence)
    );
    assert_eq!(build(|s| s.invoke.profile.clear()), refused(Error::Profile));
    assert_eq!(
        build(|s| s.payload_size += 1),
        refused(Error::IntegratedSize)
    );
    assert_eq!(
        build(|s| s.payload_digest[0] ^= 1),
        refused(Error::PayloadDigest)
    );
    let none = build_envelope(&spec(), &[], None, None).err();
    assert_eq!(none, refused(Error::NoSignature));
    let twice = build_envelope(&spec(), &[&key, &key], None, None).err();
    assert_eq!(twice, refused(Error::SignatureOrder));
    let long = Text::describing(&"x".repeat(MAX_HEAD));
    let long = build_envelope(&spec(), &[&key as &dyn Sign], None, Some(&long)).err();
    assert_eq!(long, refused(Error::HeadTooLong));
}

#[test]
fn numbers_and_classes_do_not_change() {
    let table: Vec<String> = Error::ALL
        .iter()
        .map(|error| {
            let class = match error.class() {
                ErrorClass::Malformed => 'm',
                ErrorClass::Untrusted => 'u',
                ErrorClass::Tampered => 't',
            };
            format!("{error:?}={}{class}", error.code())
        })
        .collect();
    let expected = "Truncated=1m TrailingBytes=2m NonMinimal=3m Indefinite=4m Reserved=5m \
        UnexpectedType=6m KeyOrder=7m UnknownKey=8m MissingKey=9m ArrayLength=10m Utf8=11m \
        OutOfRange=12m NotAnEnvelope=20m HeadTooLong=21m PayloadTooLong=22m EmptyPayload=23m \
        DigestAlgorithm=30m DigestLength=31m NoSignature=32u TooManySignatures=33m NotSign1=34m \
        AlgorithmDeprecated=35u Algorithm=36u KeyIdLength=37m UnprotectedHeader=38m \
        AttachedPayload=39m SignatureLength=40m SignatureOrder=41m \
        BelowThreshold=42u TooFewSignatures=43u OutOfScope=44u ManifestDigest=50t \
        UntrustedKey=51u SignatureScalar=52t SignaturePoint=53t SignatureMismatch=54t \
        TextDigest=55t Version=60m Component=61m ComponentName=62m IdentifierLength=63m \
        Command=64m ReportPolicy=65m Uri=66m Delivery=67m IntegratedSize=68t UnsignedText=69t \
        Profile=80m UnknownGrant=81m UnknownKind=82m FloorAboveSequence=83m \
        SignatureCount=84m PayloadSize=90t PayloadDigest=91t";
    assert_eq!(table.join(" "), expected);
    let keys = [KeyError::NotAPoint, KeyError::SmallOrder];
    assert_eq!(keys.map(KeyError::code), [1, 2]);
}
