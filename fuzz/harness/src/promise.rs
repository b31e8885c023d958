//! Manifests with good signatures, for payloads that no translator made.

use ed25519_compact::{KeyPair, Seed};
use sealift_engine::{DEFAULT_CLASS_ID, DEFAULT_VENDOR_ID, HOST};
use sealift_manifest::{Grants, InvokeSpec, Kind, ManifestSpec, PublicKey};

/// A FAKE key. Everybody can make signatures with it.
#[must_use]
pub fn fake_key() -> KeyPair {
    KeyPair::from_seed(Seed::new([1; 32]))
}

/// Its public half, for a device to trust.
#[must_use]
pub fn anchor() -> PublicKey {
    PublicKey::from_bytes(&fake_key().pk).expect("a key")
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
