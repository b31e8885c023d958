//! A device with a root key, and trust records for it.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this"
)]

use ed25519_compact::{KeyPair, Seed};
use sealift_core::{Keys, Roles, Trust, TrustedKey};
use sealift_manifest::{
    Grants, InvokeSpec, Kind, ManifestSpec, PublicKey, Sign, TRUST, TRUST_PROFILE, build_envelope,
};
use sealift_oscore::coap::Code;
use sealift_oscore::{Credential, Identity};
use sealift_wire::{DeviceStatus, Refusal};

use crate::device_common::capsules::Capsule;
use crate::device_common::{Answer, Rig, Session, respecified};

/// Where records go.
pub(crate) const RECORD: &str = "/vm-control/trust";
pub(crate) const VM1: &str = "/vm-control/vm1";

/// FAKE keys: 1 is what the rig's capsules are signed with.
pub(crate) const OLD: u8 = 1;
pub(crate) const NEW: u8 = 2;
pub(crate) const STRANGER: u8 = 3;
pub(crate) const ROOT: u8 = 9;
pub(crate) const SECOND_ROOT: u8 = 10;

pub(crate) fn pair(number: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([number; 32]))
}

pub(crate) fn public(number: u8) -> PublicKey {
    PublicKey::from_bytes(&pair(number).pk).unwrap()
}

/// Translators that are for everything.
pub(crate) fn translators(numbers: &[u8], threshold: u8) -> Keys {
    let keys = numbers.iter().map(|number| public(*number));
    Keys {
        threshold,
        ..keys.collect::<Vec<_>>().into()
    }
}

/// A translator that is for these components.
pub(crate) fn scoped(number: u8, components: &[&str]) -> TrustedKey {
    let components = components.iter().map(|name| (*name).into());
    TrustedKey::new(public(number), components.collect())
}

/// A device with root key [`ROOT`] and translator [`OLD`].
pub(crate) fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.reboot_under(translators(&[OLD], 1), Keys::roots(vec![public(ROOT)], 1));
    rig
}

/// The peers that a rig has from the start.
pub(crate) fn peers(rig: &Rig) -> Vec<(Roles, Credential)> {
    vec![
        (Roles::DEPLOY, rig.op.credential().clone()),
        (Roles::DEPLOY, rig.second.credential().clone()),
        (Roles::USE, rig.app.credential().clone()),
    ]
}

/// A record with these translators, and all peers of the rig.
pub(crate) fn trusting(rig: &Rig, translators: Keys) -> Trust {
    Trust {
        translators,
        peers: peers(rig),
    }
}

/// The manifest of a record with this content.
pub(crate) fn spec(content: &[u8], sequence: u64) -> ManifestSpec {
    let mut spec = ManifestSpec {
        sequence_number: sequence,
        component: TRUST.into(),
        vendor_id: sealift_engine::DEFAULT_VENDOR_ID,
        class_id: sealift_engine::DEFAULT_CLASS_ID,
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
            source_digest: [0; 32],
            signatures: 1,
        },
    };
    spec.set_payload(content).unwrap();
    spec
}

/// An envelope, signed by these keys.
pub(crate) fn signed(spec: &ManifestSpec, keys: &[u8], content: &[u8]) -> Vec<u8> {
    let pairs: Vec<KeyPair> = keys.iter().map(|key| pair(*key)).collect();
    let keys: Vec<&dyn Sign> = pairs.iter().map(|pair| pair as &dyn Sign).collect();
    build_envelope(spec, &keys, Some(content), None).unwrap()
}

/// The envelope of a record, signed by the root key.
pub(crate) fn record(trust: &Trust, sequence: u64) -> Vec<u8> {
    let content = trust.encode().unwrap();
    signed(&spec(&content, sequence), &[ROOT], &content)
}

/// The envelope of a capsule for vm1, signed by these keys.
pub(crate) fn capsule(capsule: &Capsule, sequence: u64, keys: &[u8]) -> Vec<u8> {
    let spec = respecified(capsule, sequence, |_| {});
    signed(&spec, keys, &capsule.artifact)
}

pub(crate) fn put(rig: &mut Rig, session: &mut Session, envelope: &[u8], path: &str) -> Answer {
    rig.put(session, path, envelope).expect("an answer")
}

/// Sends a record as the first deployer, who gets this answer.
pub(crate) fn refuses(rig: &mut Rig, envelope: &[u8], refusal: Refusal) {
    let before = number(rig);
    let mut op = rig.op();
    let answer = put(rig, &mut op, envelope, RECORD);
    assert!(answer.is(refusal), "{refusal}: {answer:?}");
    assert_eq!(number(rig), before);
    rig.reboot();
    assert_eq!(number(rig), before);
}

pub(crate) fn takes(rig: &mut Rig, trust: &Trust, sequence: u64) {
    let mut op = rig.op();
    let answer = put(rig, &mut op, &record(trust, sequence), RECORD);
    assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
}

/// What the status says of the record in force, asked by the second deployer.
pub(crate) fn number(rig: &mut Rig) -> Option<u64> {
    let mut second = rig.second();
    let answer = rig.simple(&mut second, Code::GET, "/vm-control");
    DeviceStatus::from_cbor(&answer.payload).unwrap().trust
}

/// A session, if the device makes one with this peer.
pub(crate) fn session(rig: &mut Rig, who: &Identity, port: u16) -> Option<Session> {
    let who = Identity::new(who.private_key(), who.credential().clone()).unwrap();
    rig.connect(&who, port)
}

/// Another deployer, whom nobody knows yet.
pub(crate) fn newcomer() -> Identity {
    Identity::generate("newcomer", &mut rand_core::OsRng).unwrap()
}
