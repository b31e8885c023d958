//! What the tests share: fake keys, a manifest, envelopes.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this"
)]

pub(crate) mod craft;

use ed25519_compact::{KeyPair, Seed};
use sealift_manifest::{Grants, InvokeSpec, Kind, ManifestSpec, PublicKey, Sign, build_envelope};

/// The payload of every test envelope.
pub(crate) const PAYLOAD: &[u8] = b"not really Pulley bytecode, but signed as if it were";

/// A FAKE key. Everybody can make signatures with it.
pub(crate) fn fake_key(number: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([number; 32]))
}

/// The public half of a fake key.
pub(crate) fn anchor(key: &KeyPair) -> PublicKey {
    PublicKey::from_bytes(&key.pk).expect("a fake key is a good key")
}

/// A manifest for [`PAYLOAD`].
pub(crate) fn spec() -> ManifestSpec {
    let mut spec = ManifestSpec {
        sequence_number: 7,
        component: "vm1".into(),
        vendor_id: *b"\xfa\x6b\x4a\x53\xd5\xad\x5f\xdf\xbe\x9d\xe6\x63\xe4\xd4\x1f\xfe",
        class_id: *b"\x14\x92\xaf\x14\x25\x69\x5e\x48\xbf\x42\x9b\x2d\x51\xf2\xab\x45",
        payload_digest: [0; 32],
        payload_size: 0,
        invoke: InvokeSpec {
            profile: "wasmtime48/pulley32/1".into(),
            fuel: 1_000_000,
            memory: 65_536,
            stack: 8192,
            grants: Grants::LOG.union(Grants::RNG),
            kind: Kind::Persistent,
            floor: 3,
            source_digest: [0x5a; 32],
            signatures: 1,
        },
    };
    spec.set_payload(PAYLOAD).expect("the payload is short");
    spec
}

/// An envelope with a detached payload, signed with fake key 1.
pub(crate) fn detached() -> Vec<u8> {
    let key = fake_key(1);
    build_envelope(&spec(), &[&key as &dyn Sign], None, None).expect("the specification is good")
}

/// An envelope with an integrated payload, signed with fake key 1.
pub(crate) fn integrated() -> Vec<u8> {
    let key = fake_key(1);
    build_envelope(&spec(), &[&key as &dyn Sign], Some(PAYLOAD), None)
        .expect("the specification is good")
}
