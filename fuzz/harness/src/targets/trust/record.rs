//! Trust records as they are sent, from the bytes of a step: any content, under any
//! manifest, by any keys, altered before they were signed or after that.

use sealift_core::{Grants, Roles, Trust};
use sealift_manifest::{
    Anchor, Delivery, Kind, MAX_TRUST, ManifestSpec, Sign, TRUST, TRUST_PROFILE, build_envelope,
    encode_manifest,
};

use super::model::{Content, MAX_RISE, Translator};
use super::people;
use crate::promise::{ROOTS, key, public_key, spec};
use crate::script::patch;
use crate::targets::envelope::bstr;

/// Keys by their numbers: four translators, a stranger, the roots and a stranger's root.
pub(super) const KEYS: [u8; 8] = [1, 2, 3, 4, 5, ROOTS[0], ROOTS[1], 11];

/// The components that a translator can be for; a bit each.
const COMPONENTS: [&str; 5] = ["vm1", "vm2", TRUST, "vm-run", "vm9"];

/// The number of the first key, or peer, in altered bytes that is none of ours.
const UNKNOWN: u8 = 100;

/// Bytes of a step before the content.
const HEAD: usize = 7;

/// A record to be sent.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) signers: Vec<u8>,
    pub(super) asks: u8,
    /// Whether the manifest is one of a record for this device.
    pub(super) fits: bool,
    /// The manifest: two envelopes with the same are the same to a store.
    pub(super) manifest: Vec<u8>,
    /// What it says, if it can be read.
    pub(super) content: Option<Content>,
    pub(super) bytes: Vec<u8>,
    pub(super) envelope: Vec<u8>,
    /// Whether head and content are those that were signed.
    pub(super) intact: (bool, bool),
}

impl Record {
    /// Reads a step; `above` is the number in force, `earlier` the contents that were
    /// sent before. `None` where there is no such envelope.
    pub(super) fn read(data: &[u8], above: u64, earlier: &[Record]) -> Option<Self> {
        let [how, by, signers, asks, odd, alters, length, rest @ ..] = data else {
            return None;
        };
        let number = number(*how, *by, above);
        let (plan, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        let (before, after) = rest.split_at((usize::from(alters >> 4) * 4).min(rest.len()));
        let (content, mut bytes) = match plan {
            // Of an earlier one, which is signed anew.
            [0xff, which, ..] => {
                let of = earlier.iter().rev().nth(usize::from(*which))?;
                (of.content.clone(), of.bytes.clone())
            }
            plan => {
                let content = content(plan);
                let bytes = encode(&content);
                (Some(content), bytes)
            }
        };
        let content = match before.len() < 4 {
            true => content.filter(is_readable),
            false => {
                patch(&mut bytes, before);
                decoded(&bytes)
            }
        };
        let signers: Vec<u8> = bits(*signers).map(|bit| KEYS[bit]).collect();
        let asks = asks % 5;
        let spec = manifest(number, asks, *odd, &bytes);
        let whole = envelope(&spec, &signers, Some(&bytes))?;
        let head = whole.len() - bytes.len();
        let mut altered = whole.clone();
        patch(
            &mut altered,
            &after[..after.len().min(usize::from(alters & 15) * 4)],
        );
        let intact = (altered.get(..head) == whole.get(..head), altered == whole);
        Some(Self {
            number,
            signers,
            asks,
            fits: odd & ODD == 0,
            manifest: encode_manifest(&spec, Delivery::Integrated, None),
            content,
            bytes,
            envelope: altered,
            intact,
        })
    }

    /// One as it should be, by these root keys.
    pub(super) fn good(number: u64, roots: u8, content: &Content) -> Self {
        let bytes = encode(content);
        let signers = ROOTS[..usize::from(roots)].to_vec();
        let spec = manifest(number, 1, 0, &bytes);
        let envelope = envelope(&spec, &signers, Some(&bytes)).expect("it is good");
        Self {
            number,
            signers,
            asks: 1,
            fits: true,
            manifest: encode_manifest(&spec, Delivery::Integrated, None),
            content: Some(content.clone()),
            bytes,
            envelope,
            intact: (true, true),
        }
    }
}

/// An envelope for any component, or none that can be made.
pub(super) fn envelope(
    spec: &ManifestSpec,
    signers: &[u8],
    payload: Option<&[u8]>,
) -> Option<Vec<u8>> {
    let pairs: Vec<_> = signers.iter().map(|number| key(*number)).collect();
    let pairs: Vec<&dyn Sign> = pairs.iter().map(|pair| pair as &dyn Sign).collect();
    build_envelope(spec, &pairs, payload, None).ok()
}

/// The numbers of the bits that are set; of those, as many as may sign.
pub(super) fn bits(set: u8) -> impl Iterator<Item = usize> {
    (0..8).filter(move |bit| set >> bit & 1 == 1).take(4)
}

/// A number: near the one in force, near the ends, or a power of two.
fn number(how: u8, by: u8, above: u64) -> u64 {
    let by_u64 = u64::from(by);
    match how % 8 {
        0 => above.saturating_add(1),
        1 => above.saturating_add(by_u64),
        2 => above.saturating_sub(by_u64),
        3 => by_u64,
        4 => u64::MAX - by_u64,
        5 => 1 << (by % 64),
        6 => above.saturating_add(1 << (by % 64)),
        _ => (above.saturating_add(MAX_RISE) - 128).saturating_add(by_u64),
    }
}

/// What makes a manifest another one than a record's for this device.
const ODD: u8 = 0b0011_1111;

fn manifest(number: u64, asks: u8, odd: u8, content: &[u8]) -> ManifestSpec {
    let is = |bit: u8| odd >> bit & 1 == 1;
    let mut spec = spec(if is(0) { "vm1" } else { TRUST }, number, content);
    spec.invoke.fuel = 0;
    spec.invoke.memory = if is(1) { 2 << 20 } else { 0 };
    spec.invoke.stack = 0;
    spec.invoke.signatures = asks;
    if !is(2) {
        spec.invoke.profile = TRUST_PROFILE.into();
    }
    if is(3) {
        spec.invoke.kind = Kind::Ephemeral;
    }
    spec.vendor_id[0] ^= u8::from(is(4));
    spec.class_id[15] ^= u8::from(is(5));
    // Neither matters to a record.
    if is(6) {
        spec.invoke.floor = number;
    }
    if is(7) {
        spec.invoke.grants = Grants::LOG;
    }
    spec
}

/// The content that a plan stands for: threshold, keys and peers.
fn content(plan: &[u8]) -> Content {
    let mut plan = plan.iter().copied();
    let mut next = || plan.next().unwrap_or(0);
    let threshold = next();
    let translators = (0..next() % 7).map(|_| {
        let key = KEYS[usize::from(next()) % KEYS.len()];
        let components = bits(next()).filter_map(|bit| COMPONENTS.get(bit));
        Translator {
            key,
            components: components.map(|name| (*name).to_owned()).collect(),
        }
    });
    let translators = translators.collect();
    let peers = (0..next() % 12).map(|_| (next(), usize::from(next()) % people::COUNT));
    Content {
        threshold,
        translators,
        peers: peers.collect(),
    }
}

/// A plan for a content.
pub(super) fn plan(content: &Content) -> Vec<u8> {
    let position = |key: &Translator| KEYS.iter().position(|known| *known == key.key);
    let mut plan = vec![content.threshold, content.translators.len() as u8];
    for key in &content.translators {
        let bit = |(bit, name): (usize, &&str)| {
            u8::from(key.components.iter().any(|known| known == name)) << bit
        };
        plan.push(position(key).expect("of the known keys") as u8);
        plan.push(COMPONENTS.iter().enumerate().map(bit).sum());
    }
    plan.push(content.peers.len() as u8);
    for (roles, who) in &content.peers {
        plan.extend([*roles, *who as u8]);
    }
    plan
}

/// A step's data for a record of this content.
pub(super) fn step(head: [u8; HEAD - 1], plan: &[u8], patches: &[u8]) -> Vec<u8> {
    [&head[..], &[plan.len() as u8], plan, patches].concat()
}

/// The encoding, as `sealift-provision` has it: `[[threshold, [* [key, [* component]]]],
/// [* [roles, credential]]]`.
pub(super) fn encode(content: &Content) -> Vec<u8> {
    let mut bytes = vec![0x82, 0x82];
    bytes.extend(unsigned(content.threshold));
    bytes.push(0x80 + content.translators.len() as u8);
    for translator in &content.translators {
        bytes.push(0x82);
        bytes.extend(bstr(&public_key(translator.key).to_bytes()));
        bytes.push(0x80 + translator.components.len() as u8);
        for name in &translator.components {
            bytes.push(0x60 + name.len() as u8);
            bytes.extend(name.as_bytes());
        }
    }
    bytes.push(0x80 + content.peers.len() as u8);
    for (roles, who) in &content.peers {
        bytes.push(0x82);
        bytes.extend(unsigned(*roles));
        bytes.extend(bstr(people::credential(*who).as_bytes()));
    }
    bytes
}

/// A number of CBOR.
fn unsigned(number: u8) -> Vec<u8> {
    match number {
        0..24 => vec![number],
        _ => vec![24, number],
    }
}

/// Whether a content, as it is encoded here, is one that can be read.
fn is_readable(content: &Content) -> bool {
    let mut peers = content.peers.iter();
    let readable = peers.all(|(roles, _)| Roles::from_bits(*roles).is_some())
        && encode(content).len() <= MAX_TRUST;
    assert_eq!(
        decoded(&encode(content)).as_ref(),
        readable.then_some(content)
    );
    readable
}

/// What altered bytes say, if they are a record. Keys and peers that have no number get
/// one that nobody has.
fn decoded(bytes: &[u8]) -> Option<Content> {
    let trust = Trust::decode(bytes).ok()?;
    assert_eq!(trust.encode().as_deref(), Ok(bytes), "two encodings");
    let keys = &trust.translators.keys;
    let translators = keys.iter().map(|key| {
        let known = KEYS
            .iter()
            .find(|number| public_key(**number) == *key.key());
        let other = || keys.iter().position(|other| other.key() == key.key());
        Translator {
            key: known
                .copied()
                .unwrap_or_else(|| UNKNOWN + other().unwrap_or(0) as u8),
            components: key.components().to_vec(),
        }
    });
    let peers = trust.peers.iter().map(|(roles, peer)| {
        let known = (0..people::COUNT).find(|who| people::credential(*who) == *peer);
        let other = || trust.peers.iter().position(|(_, other)| other == peer);
        let unknown = || usize::from(UNKNOWN) + other().unwrap_or(0);
        (roles.bits(), known.unwrap_or_else(unknown))
    });
    Some(Content {
        threshold: trust.translators.threshold,
        translators: translators.collect(),
        peers: peers.collect(),
    })
}
