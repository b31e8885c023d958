//! Manifests with good signatures, for payloads that no translator made.

use ed25519_compact::{KeyPair, Seed};
use sealift_engine::{DEFAULT_CLASS_ID, DEFAULT_VENDOR_ID, HOST};
use sealift_manifest::{Grants, InvokeSpec, Kind, ManifestSpec, PublicKey};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The numbers of the device's root keys.
pub(crate) const ROOTS: [u8; 2] = [9, 10];

thread_local! {
    static PAIRS: RefCell<BTreeMap<u8, (KeyPair, PublicKey)>> =
        const { RefCell::new(BTreeMap::new()) };
}

/// A FAKE key. Everybody can make signatures with it.
#[must_use]
pub fn fake_key() -> KeyPair {
    key(1)
}

/// Another one, of this number.
pub(crate) fn key(number: u8) -> KeyPair {
    pair(number).0
}

/// Both halves. Each takes a multiplication on the curve, and there are many inputs.
fn pair(number: u8) -> (KeyPair, PublicKey) {
    let make = || {
        let pair = KeyPair::from_seed(Seed::new([number; 32]));
        let public = PublicKey::from_bytes(&pair.pk).expect("a key");
        (pair, public)
    };
    PAIRS.with_borrow_mut(|pairs| pairs.entry(number).or_insert_with(make).clone())
}

/// The public half of the first one, for a device to trust.
#[must_use]
pub fn anchor() -> PublicKey {
    public_key(1)
}

/// The public half of the one of this number.
pub(crate) fn public_key(number: u8) -> PublicKey {
    pair(number).1
}

/// A manifest that a device here takes, without grants, for this payload.
///
/// # Panics
/// Where the payload is too long for one.
#[must_use]
pub fn spec(component: &str, sequence_number: u64, payload: &[u8]) -> ManifestSpec {
    let mut spec = ManifestSpec {
        sequence_number,
        component: component.into(),
        vendor_id: DEFAULT_VENDOR_ID,
        class_id: DEFAULT_CLASS_ID,
        payload_digest: [0; 32],
        payload_size: 0,
        invoke: InvokeSpec {
            profile: HOST.profile().into(),
            fuel: 100_000,
            memory: 1 << 16,
            stack: 1 << 13,
            grants: Grants::NONE,
            kind: Kind::Persistent,
            floor: 0,
            source_digest: [0; 32],
            signatures: 1,
        },
    };
    spec.set_payload(payload).expect("short");
    spec
}
