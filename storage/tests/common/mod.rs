//! What the tests share: FAKE translator keys and capsules made with them.

#![allow(dead_code, reason = "not every test binary uses all of it")]

pub(crate) mod scenarios;
pub(crate) mod sweep;

use ed25519_compact::{KeyPair, Seed};
use sealift_manifest::{Grants, InvokeSpec, Kind, ManifestSpec, PublicKey, Sign, build_envelope};
use sealift_storage::Layout;
use sealift_storage::sim::Capsule;

/// The components of every test device.
pub(crate) const NAMES: [&str; 2] = ["vm1", "vm2"];
/// Where the store starts: not at 0, and something else is before and behind.
pub(crate) const MARGIN_PAGES: u32 = 1;

/// The layout for pages of `page` bytes and slots of `slot_pages`.
pub(crate) const fn layout(page: u32, slot_pages: u16) -> Layout<2> {
    Layout::new(MARGIN_PAGES * page, slot_pages, NAMES)
}

/// Pages of a flash for that layout, margins included.
pub(crate) const fn flash_pages(slot_pages: u16) -> usize {
    2 * MARGIN_PAGES as usize + 2 * (2 + 2 * slot_pages as usize)
}

/// A FAKE key: its secret is in the source.
pub(crate) fn fake_key() -> KeyPair {
    KeyPair::from_seed(Seed::new([0xFA; 32]))
}

/// The payload of a capsule: bytes that differ between any two of them.
pub(crate) fn payload(sequence: u64, len: usize) -> Vec<u8> {
    let mut value = sequence.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            value = value.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            (value >> 56) as u8
        })
        .collect()
}

/// An honest capsule for `component`.
pub(crate) fn capsule(component: &str, sequence: u64, floor: u64, len: usize) -> Capsule {
    let payload = payload(sequence, len);
    with_payload(component, sequence, floor, &payload, payload.clone())
}

/// A capsule whose manifest describes `described`, sent with `sent`.
pub(crate) fn with_payload(
    component: &str,
    sequence: u64,
    floor: u64,
    described: &[u8],
    sent: Vec<u8>,
) -> Capsule {
    let mut spec = ManifestSpec {
        sequence_number: sequence,
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
            signatures: 1,
        },
    };
    spec.set_payload(described).expect("short");
    let key = fake_key();
    let head = build_envelope(&spec, &[&key], None, None).expect("builds");
    let anchor = PublicKey::from_bytes(&key.public_key()).expect("valid");
    Capsule::new(head, sent, &[anchor]).expect("verifies")
}
