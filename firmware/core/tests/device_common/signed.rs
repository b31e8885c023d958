//! Capsules, signed with a FAKE key.

use sealift_manifest::{InvokeSpec, Kind, ManifestSpec, Sign, build_envelope};

use super::capsules::{self, Capsule, fake_key};

/// The envelope of a capsule, with its payload inside, and changes to what is
/// signed.
pub(crate) fn envelope(
    capsule: &Capsule,
    sequence: u64,
    change: impl FnOnce(&mut ManifestSpec),
) -> Vec<u8> {
    sign(capsule, sequence, change, Some(&capsule.artifact))
}

/// The same without the payload.
pub(crate) fn detached(
    capsule: &Capsule,
    sequence: u64,
    change: impl FnOnce(&mut ManifestSpec),
) -> Vec<u8> {
    sign(capsule, sequence, change, None)
}

fn sign(
    capsule: &Capsule,
    sequence: u64,
    change: impl FnOnce(&mut ManifestSpec),
    payload: Option<&[u8]>,
) -> Vec<u8> {
    let spec = respecified(capsule, sequence, change);
    let key = fake_key();
    build_envelope(&spec, &[&key as &dyn Sign], payload, None).unwrap()
}

/// The manifest of a capsule, with changes.
pub(crate) fn respecified(
    capsule: &Capsule,
    sequence: u64,
    change: impl FnOnce(&mut ManifestSpec),
) -> ManifestSpec {
    let mut spec = ManifestSpec {
        sequence_number: sequence,
        component: "vm1".into(),
        vendor_id: sealift_engine::DEFAULT_VENDOR_ID,
        class_id: sealift_engine::DEFAULT_CLASS_ID,
        payload_digest: [0; 32],
        payload_size: 0,
        invoke: InvokeSpec {
            profile: sealift_engine::HOST.profile().into(),
            fuel: 1_000_000,
            memory: 1 << 16,
            stack: capsule.stack,
            grants: capsule.grants,
            kind: capsule.kind,
            floor: 0,
            source_digest: [0; 32],
            signatures: 1,
        },
    };
    spec.set_payload(&capsule.artifact).unwrap();
    change(&mut spec);
    spec
}

/// A persistent capsule that answers with this text.
pub(crate) fn answering(text: &str) -> Capsule {
    capsules::persistent(capsules::Parts {
        answer: &format!("\\ff{text}"),
        ..capsules::Parts::default()
    })
}

/// A capsule of the kind that runs once, which hands its input back.
pub(crate) fn echo() -> Capsule {
    let core = r#"(module
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
        (func (export "sealift:capsule/job@0.1.0#run") (param $at i32) (param $len i32) (result i32)
            (i32.store8 (i32.const 0) (i32.const 0))
            (i32.store (i32.const 4) (local.get $at))
            (i32.store (i32.const 8) (local.get $len))
            i32.const 0))"#;
    Capsule::of_component(
        &capsules::component(core, "ephemeral", None),
        Kind::Ephemeral,
    )
}
