//! The files in `vectors/`: an incompatible change of the record fails here.

use std::fs;
use std::path::PathBuf;

use ed25519_compact::{KeyPair, Seed};
use rand_core::{CryptoRng, Error, RngCore};
use sealift_credential::{Credential, Identity};
use sealift_manifest::{
    Grants, InvokeSpec, Kind, MAX_TRUST, ManifestSpec, PublicKey, Scan, Sign, TRUST, TRUST_PROFILE,
    build_envelope, scan_head, verify_threshold,
};
use sealift_provision::{Keys, Provision, Trust, TrustError, TrustedKey};
use sealift_wire::Roles;

/// Not random at all, so that the FAKE credentials are always the same.
struct Fake(u8);

impl RngCore for Fake {
    fn next_u32(&mut self) -> u32 {
        u32::from(self.0)
    }

    fn next_u64(&mut self) -> u64 {
        u64::from(self.0)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Fake {}

fn credential(name: &str, number: u8) -> Credential {
    let identity = Identity::generate(name, &mut Fake(number)).unwrap();
    identity.credential().clone()
}

fn pair(number: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([number; 32]))
}

fn key(number: u8) -> PublicKey {
    PublicKey::from_bytes(&pair(number).pk).unwrap()
}

/// Translator 1 for everything, 2 and 3 for one component each, two of which
/// have to sign.
fn trust() -> Trust {
    let scoped = |number, name: &str| TrustedKey::new(key(number), vec![name.into()]);
    Trust {
        translators: Keys {
            keys: vec![
                TrustedKey::new(key(1), vec![]),
                TrustedKey::new(key(4), vec![]),
                scoped(2, "vm1"),
                scoped(3, "vm2"),
            ],
            threshold: 2,
        },
        peers: vec![
            (Roles::DEPLOY.and(Roles::USE), credential("op", 1)),
            (Roles::OBSERVE, credential("watch", 2)),
        ],
    }
}

fn roots() -> Keys {
    Keys::roots(vec![key(9), key(10)], 2)
}

fn envelope() -> Vec<u8> {
    let record = trust().encode().unwrap();
    let mut spec = ManifestSpec {
        sequence_number: 5,
        component: TRUST.into(),
        vendor_id: [0xfa; 16],
        class_id: [0x14; 16],
        payload_digest: [0; 32],
        payload_size: 0,
        invoke: InvokeSpec {
            profile: TRUST_PROFILE.into(),
            fuel: 0,
            memory: 0,
            stack: 0,
            grants: Grants::NONE,
            kind: Kind::Persistent,
            floor: 0,
            source_digest: [0x5a; 32],
            signatures: 2,
        },
    };
    spec.set_payload(&record).unwrap();
    let (one, two) = (pair(9), pair(10));
    let keys: [&dyn Sign; 2] = [&one, &two];
    build_envelope(&spec, &keys, Some(&record), None).unwrap()
}

fn files() -> [(&'static str, Vec<u8>); 3] {
    let provision = Provision {
        trust: trust(),
        root: roots(),
    };
    [
        ("trust.cbor", trust().encode().unwrap()),
        ("trust.suit", envelope()),
        ("provision.bin", provision.encode().unwrap()),
    ]
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "vectors", name]
        .iter()
        .collect()
}

fn read(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_same_bytes_are_still_made() {
    for (name, bytes) in files() {
        assert!(read(name) == bytes, "{name} is not what it was");
    }
}

#[test]
fn they_still_say_the_same() {
    assert_eq!(Trust::decode(&read("trust.cbor")), Ok(trust()));
    let provision = Provision::decode(&read("provision.bin")).unwrap();
    assert_eq!((provision.trust, provision.root), (trust(), roots()));
    let envelope = read("trust.suit");
    let Ok(Scan::Complete { head_len, .. }) = scan_head(&envelope) else {
        panic!("no envelope");
    };
    let (head, record) = envelope.split_at(head_len);
    let manifest = verify_threshold(head, &roots().keys, 2).unwrap();
    assert_eq!(manifest.sequence_number, 5);
    assert_eq!(manifest.component, TRUST);
    let record = manifest.admit(record).unwrap();
    let found = Trust::decode((*record).as_ref()).unwrap();
    assert_eq!(found, trust());
    assert_eq!(found.check(&roots()), Ok(()));
}

#[test]
fn a_record_has_one_encoding() {
    let record = trust().encode().unwrap();
    for length in 0..record.len() {
        assert_eq!(
            Trust::decode(&record[..length]),
            Err(TrustError::Malformed),
            "{length}"
        );
    }
    let longer = [&record[..], &[0]].concat();
    assert_eq!(Trust::decode(&longer), Err(TrustError::Malformed));
    // Whatever else can be read is another record, in its own one encoding.
    for bit in 0..record.len() * 8 {
        let mut other = record.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        if let Ok(found) = Trust::decode(&other) {
            assert_ne!(found, trust());
            assert_eq!(found.encode().unwrap(), other);
        }
    }
    assert_eq!(
        Trust::decode(&vec![0; MAX_TRUST + 1]),
        Err(TrustError::TooLong)
    );
}

#[test]
fn each_rule_has_its_error() {
    let check = |change: &dyn Fn(&mut Trust)| {
        let mut trust = trust();
        change(&mut trust);
        trust.check(&roots())
    };
    let refused = |error, change: &dyn Fn(&mut Trust)| assert_eq!(check(change), Err(error));
    assert_eq!(check(&|_| {}), Ok(()));
    for threshold in [0, 5, 255] {
        refused(TrustError::Threshold, &|t| {
            t.translators.threshold = threshold
        });
    }
    refused(TrustError::TooFewKeys, &|t| t.translators.threshold = 3);
    refused(TrustError::TooFewKeys, &|t| t.translators.keys.clear());
    refused(TrustError::SameKeyTwice, &|t| {
        t.translators.keys.push(TrustedKey::new(key(1), vec![]));
    });
    refused(TrustError::RootAsTranslator, &|t| {
        t.translators.keys.push(TrustedKey::new(key(9), vec![]));
    });
    refused(TrustError::RootAsTranslator, &|t| {
        t.translators.threshold = 1;
        let sly = TrustedKey::new(key(5), vec!["vm1".into(), TRUST.into()]);
        t.translators.keys.push(sly);
    });
    // With "" there seem to be two for all components, and there is one.
    let long = "m".repeat(17);
    for name in ["", "VM1", "vm 1", "vm_1", "vm\u{e4}", &long] {
        refused(TrustError::NoComponent, &|t| {
            t.translators.keys = vec![
                TrustedKey::new(key(1), vec![]),
                TrustedKey::new(key(2), vec![name.into()]),
            ];
        });
        refused(TrustError::NoComponent, &|t| {
            let one_more = TrustedKey::new(key(5), vec!["vm1".into(), name.into()]);
            t.translators.keys.push(one_more);
        });
    }
    assert_eq!(
        check(&|t| {
            let longest = TrustedKey::new(key(5), vec!["m".repeat(16)]);
            t.translators.keys.push(longest);
        }),
        Ok(())
    );
    refused(TrustError::NoDeployer, &|t| {
        t.peers.remove(0);
    });
    refused(TrustError::SamePeerTwice, &|t| {
        t.peers.push((Roles::USE, credential("watch", 2)));
    });
    refused(TrustError::TooManyPeers, &|t| {
        for number in 3..=9 {
            t.peers.push((Roles::USE, credential("one more", number)));
        }
    });
}

#[test]
#[ignore = "writes the files in vectors/; only for a deliberate change of the format"]
fn regenerate() {
    for (name, bytes) in files() {
        fs::write(path(name), bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
