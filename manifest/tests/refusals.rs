//! Refusals that depend on more than an envelope: on the keys that are trusted,
//! on the pieces of a payload, on what is to be built. For every other check
//! there is an attack in `attacks/` that only this check refuses.

mod common;

use common::craft::{Block, Layers, bstr, envelope, sha256, suit_digest, uint, wrapper};
use common::{PAYLOAD, anchor, detached, fake_key, integrated, spec};
use sealift_manifest::{
    EncodeError, Error, ErrorClass, KeyError, MAX_HEAD, PublicKey, Sign, Text, build_envelope,
    verify,
};

fn anchors() -> [PublicKey; 1] {
    [anchor(&fake_key(1))]
}

#[test]
fn a_head_is_only_a_head() {
    let refusal = |head: &[u8]| verify(head, &anchors()).err();
    assert_eq!(refusal(&integrated()), Some(Error::TrailingBytes));
    let behind = [&detached()[..], &[0]].concat();
    assert_eq!(refusal(&behind), Some(Error::TrailingBytes));
    assert_eq!(refusal(&[0; MAX_HEAD + 1]), Some(Error::HeadTooLong));
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
