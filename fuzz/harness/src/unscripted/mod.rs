//! Targets below the device, whose inputs are bytes and not steps of a script.

mod envelope;
mod store;

use ed25519_compact::{KeyPair, Seed};
use sealift_manifest::{Grants, InvokeSpec, Kind, ManifestSpec, PublicKey, Sign as _};

/// A thing that is fuzzed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unscripted {
    /// Envelopes, and manifests that are signed as they are.
    Envelope,
    /// Histories of the store, against its model.
    Store,
}

impl Unscripted {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Envelope, Self::Store];

    /// The name of the fuzzer and of its folders.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Store => "store",
        }
    }

    /// Runs an input, which may be any bytes. Panics where something is wrong.
    /// Returns whether it came to what the target is for: a manifest that was taken,
    /// a power cut.
    pub fn run(self, input: &[u8]) -> bool {
        match self {
            Self::Envelope => envelope::run(input),
            Self::Store => store::run(input),
        }
    }

    /// Inputs to start from, by name.
    #[must_use]
    pub fn seeds(self) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::Envelope => envelope::seeds(),
            Self::Store => store::seeds(),
        }
    }
}

/// A FAKE key: its secret is in the source.
fn fake_key() -> KeyPair {
    KeyPair::from_seed(Seed::new([0xFA; 32]))
}

fn anchor() -> PublicKey {
    PublicKey::from_bytes(&fake_key().public_key()).expect("a key")
}

/// A manifest for this payload.
fn spec(component: &str, sequence_number: u64, floor: u64, payload: &[u8]) -> ManifestSpec {
    let mut spec = ManifestSpec {
        sequence_number,
        component: component.into(),
        vendor_id: [1; 16],
        class_id: [2; 16],
        payload_digest: [0; 32],
        payload_size: 0,
        invoke: InvokeSpec {
            profile: "test-profile".into(),
            fuel: 1000,
            memory: 8192,
            stack: 2048,
            grants: Grants::LOG,
            kind: Kind::Persistent,
            floor,
            source_digest: [3; 32],
        },
    };
    spec.set_payload(payload).expect("short");
    spec
}
