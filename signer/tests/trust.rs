//! Trust records and second signatures, through the library.

mod common;

use common::{chatty, persistent, persistent_with};
use sealift_credential::{Credential, Identity};
use sealift_provision::TrustError;
use sealift_wire::Roles;
use signer::{
    Error, Grants, Key, Keys, PayloadAt, SignRequest, Trust, TrustRequest, TrustedKey, cosign,
    inspect, sign, sign_trust, verify,
};

fn key(number: u8) -> Key {
    Key::from_seed(&[number; 32]).expect("a key")
}

fn credential() -> Credential {
    let identity = Identity::generate("op", &mut rand_core::OsRng).expect("a credential");
    identity.credential().clone()
}

fn trust() -> Trust {
    Trust {
        translators: Keys {
            keys: vec![
                TrustedKey::new(*key(1).public(), vec![]),
                TrustedKey::new(*key(2).public(), vec!["vm1".into()]),
            ],
            threshold: 1,
        },
        peers: vec![(Roles::DEPLOY, credential())],
    }
}

fn record(trust: &Trust, roots: &[Key], signatures: u8) -> signer::Result<Vec<u8>> {
    numbered(4, trust, roots, signatures)
}

fn numbered(
    sequence: u64,
    trust: &Trust,
    roots: &[Key],
    signatures: u8,
) -> signer::Result<Vec<u8>> {
    sign_trust(&TrustRequest {
        keys: roots,
        sequence,
        trust,
        signatures,
        vendor_id: [1; 16],
        class_id: [2; 16],
    })
}

#[test]
fn a_record_says_what_was_asked_for() {
    let envelope = record(&trust(), &[key(9)], 1).expect("signed");
    let said = inspect(&envelope).expect("an envelope");
    assert_eq!((said.component.as_str(), said.sequence), ("trust", 4));
    assert_eq!(said.problems, Vec::<String>::new());
    let trusted = said.trust.expect("a record");
    assert_eq!(trusted.threshold, 1);
    assert_eq!(
        trusted.translators[0].key,
        key(1).public().key_id().to_string()
    );
    assert_eq!(trusted.translators[1].components, ["vm1"]);
    assert_eq!(trusted.peers[0].roles, ["deploy"]);
    let anchors = [*key(9).public()];
    let checked = verify(&envelope, &anchors, PayloadAt::Envelope, None).expect("good");
    assert!(checked.manifest.signature_checked && checked.manifest.trust.is_some());
    let wasm = persistent();
    let source = verify(&envelope, &anchors, PayloadAt::Envelope, Some(&wasm));
    assert!(matches!(source, Err(Error::SourceOfNothing)));
}

#[test]
fn nothing_is_signed_that_locks_somebody_out() {
    let refused = |change: &dyn Fn(&mut Trust), error| {
        let mut trust = trust();
        change(&mut trust);
        match record(&trust, &[key(9)], 1) {
            Err(Error::Trust(found)) => assert_eq!(found, error),
            other => panic!("{other:?}"),
        }
    };
    refused(
        &|trust| trust.translators.threshold = 2,
        TrustError::TooFewKeys,
    );
    refused(&|trust| trust.peers.clear(), TrustError::NoDeployer);
    refused(
        &|trust| {
            let root = TrustedKey::new(*key(9).public(), vec![]);
            trust.translators.keys.push(root);
        },
        TrustError::RootAsTranslator,
    );
    refused(
        &|trust| {
            let name = "m".repeat(2000);
            trust.translators.keys[1] = TrustedKey::new(*key(2).public(), vec![name]);
        },
        TrustError::TooLong,
    );
}

#[test]
fn the_first_record_has_number_1() {
    let first = |sequence| numbered(sequence, &trust(), &[key(9)], 1);
    assert!(matches!(first(0), Err(Error::ZeroSequence)));
    first(1).expect("signed");
}

#[test]
fn no_key_signs_twice() {
    let twice = record(&trust(), &[key(9), key(10), key(9)], 1);
    let id = key(9).public().key_id().to_string();
    assert!(matches!(twice, Err(Error::KeyTwice(named)) if named == id));
    record(&trust(), &[key(9), key(10)], 1).expect("signed");
}

#[test]
fn a_second_root_signs_the_same_record() {
    let alone = record(&trust(), &[key(9)], 2).expect("signed");
    let anchors = [*key(9).public(), *key(10).public()];
    assert!(verify(&alone, &anchors, PayloadAt::Envelope, None).is_err());
    let both = cosign(&alone, &key(10), None).expect("signed");
    let checked = verify(&both, &anchors, PayloadAt::Envelope, None).expect("good");
    assert_eq!(checked.manifest.signers.len(), 2);
    // Not by a key that the record makes a translator.
    assert!(matches!(
        cosign(&alone, &key(1), None),
        Err(Error::Trust(TrustError::RootAsTranslator))
    ));
}

#[test]
fn a_capsule_is_cosigned_by_who_translates_it_again() {
    let (one, two) = (key(1), key(2));
    let wasm = persistent();
    let request = SignRequest {
        signatures: 2,
        ..SignRequest::new(&wasm, &one, "vm1", 1)
    };
    let alone = sign(&request).expect("signed").envelope;
    let anchors = [*one.public(), *two.public()];
    let checked = verify(&alone, &anchors, PayloadAt::Envelope, None);
    assert!(matches!(
        checked,
        Err(Error::Manifest(sealift_manifest::Error::TooFewSignatures))
    ));
    assert!(matches!(
        cosign(&alone, &two, None),
        Err(Error::SourceNeeded)
    ));
    let other = persistent_with("(func (export \"more\"))", "2048 (pagesize 1)");
    assert!(matches!(
        cosign(&alone, &two, Some(&other)),
        Err(Error::OtherSource)
    ));
    assert!(matches!(
        cosign(&alone, &one, Some(&wasm)),
        Err(Error::SignedAlready(_))
    ));
    let both = cosign(&alone, &two, Some(&wasm)).expect("signed");
    let checked = verify(&both, &anchors, PayloadAt::Envelope, Some(&wasm)).expect("good");
    assert!(checked.reproduced);
    assert_eq!(checked.manifest.signers.len(), 2);
    assert_eq!(checked.manifest.signatures, 2);
}

#[test]
fn an_altered_payload_or_one_with_less_grants_is_not_cosigned() {
    let (one, two) = (key(1), key(2));
    let wasm = chatty();
    let request = SignRequest {
        grants: Grants::LOG.union(Grants::RNG),
        ..SignRequest::new(&wasm, &one, "vm1", 1)
    };
    let mut envelope = sign(&request).expect("signed").envelope;
    assert!(cosign(&envelope, &two, Some(&wasm)).is_ok());
    let last = envelope.len() - 1;
    envelope[last] ^= 1;
    assert!(matches!(
        cosign(&envelope, &two, Some(&wasm)),
        Err(Error::Manifest(sealift_manifest::Error::PayloadDigest))
    ));
}

#[test]
fn no_capsule_is_for_the_trust_component() {
    let (wasm, key) = (persistent(), key(1));
    assert!(matches!(
        sign(&SignRequest::new(&wasm, &key, "trust", 1)),
        Err(Error::TrustComponent)
    ));
}
