//! How many have to sign, and for what: every signature counts, none is passed
//! over, and no key counts twice.

mod common;

use common::craft::{Block, bstr, envelope, suit_digest, uint, wrapper};
use common::{PAYLOAD, anchor, fake_key, spec};
use ed25519_compact::KeyPair;
use sealift_manifest::{
    Anchor, Delivery, EncodeError, Error, ErrorClass, MAX_SIGNATURES, ManifestSpec, PublicKey,
    Sign, add_signature, build_envelope, encode_manifest, inspect, verify, verify_threshold,
};

/// A key that is for one component.
struct Scoped(PublicKey, &'static str);

impl Anchor for Scoped {
    fn key(&self) -> &PublicKey {
        &self.0
    }

    fn may_sign(&self, component: &str) -> bool {
        self.1 == component
    }
}

fn requiring(signatures: u8) -> ManifestSpec {
    let mut spec = spec();
    spec.invoke.signatures = signatures;
    spec
}

fn signed(spec: &ManifestSpec, keys: &[&KeyPair]) -> Vec<u8> {
    let keys: Vec<&dyn Sign> = keys.iter().map(|key| *key as &dyn Sign).collect();
    build_envelope(spec, &keys, None, None).expect("the specification is good")
}

/// An envelope whose blocks are made by hand: who claims to sign, and who does.
fn by_hand(blocks: &[(&KeyPair, &KeyPair)]) -> Vec<u8> {
    let manifest = bstr(&encode_manifest(&spec(), Delivery::Detached, None));
    let digest = suit_digest(&manifest);
    let blocks: Vec<Vec<u8>> = blocks
        .iter()
        .map(|(claimed, real)| Block::by(claimed).sign(real, &digest))
        .collect();
    envelope(&[
        (uint(2), bstr(&wrapper(&digest, &blocks))),
        (uint(3), manifest),
    ])
}

/// Two keys in the order of their identifiers.
fn two() -> (KeyPair, KeyPair) {
    let (one, two) = (fake_key(1), fake_key(2));
    match anchor(&one).key_id() < anchor(&two).key_id() {
        true => (one, two),
        false => (two, one),
    }
}

#[test]
fn a_verifier_gets_as_many_signatures_as_it_asks_for() {
    let keys: Vec<KeyPair> = (1..=4).map(fake_key).collect();
    let anchors: Vec<PublicKey> = keys.iter().map(anchor).collect();
    for count in 1..=MAX_SIGNATURES {
        let signers: Vec<&KeyPair> = keys.iter().take(count).collect();
        let envelope = signed(&spec(), &signers);
        for threshold in 0..=5_u8 {
            let found = verify_threshold(&envelope, &anchors, threshold).err();
            let enough = count >= usize::from(threshold);
            let expected = (!enough).then_some(Error::BelowThreshold);
            assert_eq!(found, expected, "{count} of {threshold}");
        }
    }
}

#[test]
fn a_manifest_gets_as_many_signatures_as_it_asks_for() {
    let (one, other) = two();
    let anchors = [anchor(&one), anchor(&other)];
    let alone = signed(&requiring(2), &[&one]);
    assert_eq!(
        verify(&alone, &anchors).err(),
        Some(Error::TooFewSignatures)
    );
    // It may not be talked out of it by a verifier that asks for less.
    assert_eq!(
        verify_threshold(&alone, &anchors, 0).err(),
        Some(Error::TooFewSignatures)
    );
    let both = add_signature(&alone, &other).expect("there is room");
    let manifest = verify(&both, &anchors).expect("two signatures");
    assert_eq!(manifest.invoke.signatures, 2);
    // In the order of the keys, whoever came first.
    let reverse = add_signature(&signed(&requiring(2), &[&other]), &one).expect("there is room");
    assert_eq!(both, reverse);
    assert_eq!(both, signed(&requiring(2), &[&one, &other]));
}

#[test]
fn one_of_two_that_is_bad_is_not_passed_over() {
    let (one, other) = two();
    let anchors = [anchor(&one), anchor(&other)];
    for blocks in [
        [(&one, &one), (&other, &one)],
        [(&one, &other), (&other, &other)],
    ] {
        for threshold in [1, 2] {
            assert_eq!(
                verify_threshold(&by_hand(&blocks), &anchors, threshold).err(),
                Some(Error::SignatureMismatch)
            );
        }
    }
    let good = by_hand(&[(&one, &one), (&other, &other)]);
    assert!(verify_threshold(&good, &anchors, 2).is_ok());
}

#[test]
fn one_key_does_not_count_twice() {
    let (one, _) = two();
    let anchors = [anchor(&one), anchor(&one)];
    let twice = by_hand(&[(&one, &one), (&one, &one)]);
    for threshold in [1, 2] {
        assert_eq!(
            verify_threshold(&twice, &anchors, threshold).err(),
            Some(Error::SignatureOrder)
        );
    }
    // Nor if it is trusted twice.
    let once = by_hand(&[(&one, &one)]);
    assert_eq!(
        verify_threshold(&once, &anchors, 2).err(),
        Some(Error::BelowThreshold)
    );
    assert_eq!(
        add_signature(&once, &one),
        Err(EncodeError::Refused(Error::SignatureOrder))
    );
}

#[test]
fn a_second_key_that_is_unknown_keeps_it_off() {
    let (one, other) = two();
    let both = signed(&spec(), &[&one, &other]);
    for (anchors, threshold) in [
        ([anchor(&one)], 1),
        ([anchor(&other)], 1),
        ([anchor(&one)], 2),
    ] {
        assert_eq!(
            verify_threshold(&both, &anchors, threshold).err(),
            Some(Error::UntrustedKey)
        );
    }
}

#[test]
fn each_key_has_to_be_for_the_component() {
    let (one, other) = two();
    let both = signed(&spec(), &[&one, &other]);
    let scoped = |first, second| [Scoped(anchor(&one), first), Scoped(anchor(&other), second)];
    assert!(verify_threshold(&both, &scoped("vm1", "vm1"), 2).is_ok());
    for (first, second) in [("vm1", "vm2"), ("vm2", "vm1"), ("vm2", "vm2"), ("", "vm11")] {
        // Not even where one would do.
        for threshold in [1, 2] {
            assert_eq!(
                verify_threshold(&both, &scoped(first, second), threshold).err(),
                Some(Error::OutOfScope)
            );
        }
    }
}

#[test]
fn what_a_manifest_can_ask_for_is_bounded() {
    let key = fake_key(1);
    let refused = |signatures| {
        let key: [&dyn Sign; 1] = [&key];
        build_envelope(&requiring(signatures), &key, None, None).err()
    };
    assert_eq!(refused(1), None);
    assert_eq!(refused(4), None);
    for signatures in [0, 5, 8, 24, 255] {
        assert_eq!(
            refused(signatures),
            Some(EncodeError::Refused(Error::SignatureCount))
        );
    }
}

#[test]
fn nothing_is_signed_that_is_no_envelope_or_was_altered_or_is_full() {
    let keys: Vec<KeyPair> = (1..=5).map(fake_key).collect();
    let four: Vec<&KeyPair> = keys.iter().take(4).collect();
    assert_eq!(
        add_signature(&signed(&spec(), &four), &keys[4]),
        Err(EncodeError::Refused(Error::TooManySignatures))
    );
    assert!(add_signature(b"nothing", &keys[0]).is_err());
    let mut altered = signed(&spec(), &[&keys[0]]);
    let at = altered.len() - 3;
    altered[at] ^= 1;
    assert_eq!(
        add_signature(&altered, &keys[1]),
        Err(EncodeError::Refused(Error::ManifestDigest))
    );
}

#[test]
fn a_payload_inside_stays_where_it_is() {
    let (one, other) = two();
    let first: [&dyn Sign; 1] = [&one];
    let alone = build_envelope(&spec(), &first, Some(PAYLOAD), None).expect("good");
    let both = add_signature(&alone, &other).expect("there is room");
    let inspected = inspect(&both).expect("an envelope");
    let inspected = inspected.untrusted();
    assert_eq!(inspected.payload, Some(PAYLOAD));
    assert_eq!(inspected.problems, []);
    assert_eq!(inspected.key_ids.len(), 2);
}

#[test]
fn a_peer_is_told_no_more_than_that_it_is_untrusted() {
    for error in [
        Error::BelowThreshold,
        Error::TooFewSignatures,
        Error::OutOfScope,
    ] {
        assert_eq!(error.class(), ErrorClass::Untrusted);
    }
}
