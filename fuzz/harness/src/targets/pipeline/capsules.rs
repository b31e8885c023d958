//! The capsules that are sent: payloads of the translator under manifests of this
//! harness, so that any of them can have any number and floor.

use std::sync::OnceLock;

use ed25519_compact::{KeyPair, Seed};
use sealift_manifest::{ManifestSpec, Scan, build_envelope, scan_head, verify};
use sealift_storage::sim;

use crate::device::{COMPONENTS, LAYOUT};
use crate::fixtures::Fixtures;
use crate::promise::{anchor, fake_key};
use crate::targets::envelope::respecified;

/// Capsules of a component; their sequence numbers count from 1.
pub(super) const EACH: usize = 8;

/// What a capsule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It says this when it is asked for its version.
    Says(u8),
    /// It does not start.
    Fails,
}

/// A capsule as it is sent.
pub(super) struct Sent {
    pub(super) kind: Kind,
    /// The envelope, with the payload in it or without.
    pub(super) envelope: Vec<u8>,
    pub(super) head: usize,
    pub(super) integrated: bool,
    /// The same, by somebody whom no device trusts.
    pub(super) by_stranger: Vec<u8>,
}

/// All of them, in the order of the store's model.
pub(super) struct Capsules {
    pub(super) sent: Vec<Sent>,
    pub(super) modelled: Vec<sim::Capsule>,
}

impl Capsules {
    /// The same for every input; `None` where there are no translated ones.
    pub(super) fn get() -> Option<&'static Self> {
        static CAPSULES: OnceLock<Option<Capsules>> = OnceLock::new();
        CAPSULES.get_or_init(Self::make).as_ref()
    }

    fn make() -> Option<Self> {
        let fixtures = Fixtures::load();
        let payloads: Vec<(ManifestSpec, Vec<u8>)> = fixtures
            .versions?
            .iter()
            .map(|envelope| {
                let (head, payload) = envelope.split_at(head_of(envelope));
                let manifest = verify(head, &fixtures.trust).expect("it is good");
                (respecified(&manifest), payload.to_vec())
            })
            .collect();
        let mut capsules = Self {
            sent: Vec::new(),
            modelled: Vec::new(),
        };
        for number in 0..COMPONENTS * EACH {
            let i = number % EACH;
            let kind = match i {
                3 | 6 => Kind::Fails,
                _ => Kind::Says(b'1' + (i % 2) as u8),
            };
            let (spec, payload) = match kind {
                Kind::Says(b'1') => &payloads[0],
                Kind::Says(_) => &payloads[1],
                Kind::Fails => &payloads[2],
            };
            let mut spec = spec.clone();
            spec.component = LAYOUT.names()[number / EACH].into();
            spec.sequence_number = i as u64 + 1;
            spec.invoke.floor = [0, i as u64, i as u64 + 1][i % 3];
            capsules.add(kind, &spec, payload, i.is_multiple_of(2));
        }
        Some(capsules)
    }

    fn add(&mut self, kind: Kind, spec: &ManifestSpec, payload: &[u8], integrated: bool) {
        let inside = integrated.then_some(payload);
        let by = |key: &KeyPair| build_envelope(spec, &[key], inside, None).expect("builds");
        let envelope = by(&fake_key());
        let head = head_of(&envelope);
        let alone = envelope[..head].to_vec();
        let modelled = sim::Capsule::new(alone, payload.to_vec(), &[anchor()]);
        self.modelled.push(modelled.expect("verifies"));
        self.sent.push(Sent {
            kind,
            head,
            integrated,
            by_stranger: by(&KeyPair::from_seed(Seed::new([9; 32]))),
            envelope,
        });
    }
}

fn head_of(envelope: &[u8]) -> usize {
    let prefix = &envelope[..envelope.len().min(sealift_manifest::MAX_HEAD)];
    match scan_head(prefix) {
        Ok(Scan::Complete { head_len, .. }) => head_len,
        other => panic!("no head: {other:?}"),
    }
}
