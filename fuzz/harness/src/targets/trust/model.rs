//! What a device must trust: the rules of trust records, written down once more.

use sealift_core::Roles;

use crate::device::ROLES;
use crate::promise::ROOTS;

/// How far a number may be above the one in force.
pub(super) const MAX_RISE: u64 = 1 << 48;
/// The most signatures that can be asked for, and the most peers.
const MAX_SIGNATURES: u8 = 4;
const MAX_PEERS: usize = 8;

/// A translator: the number of its key, and the components that it is for; none stand
/// for all but the trust record's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Translator {
    pub(super) key: u8,
    pub(super) components: Vec<String>,
}

/// What a record says; peers by their number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) threshold: u8,
    pub(super) translators: Vec<Translator>,
    pub(super) peers: Vec<(u8, usize)>,
}

/// Where the device's own signed capsules come from: none of the numbered keys.
const SIGNER: u8 = 0;

impl Content {
    /// What the device was provisioned with.
    pub(super) fn provisioned() -> Self {
        let translator = |key| Translator {
            key,
            components: Vec::new(),
        };
        Self {
            threshold: 1,
            translators: vec![translator(1), translator(SIGNER)],
            peers: ROLES.iter().map(|roles| roles.bits()).zip(0..).collect(),
        }
    }

    /// What is left when the record is damaged: nobody may sign.
    pub(super) fn damaged() -> Self {
        Self {
            translators: Vec::new(),
            ..Self::provisioned()
        }
    }

    /// Whether who takes it can go on from there: with capsules, and with records.
    pub(super) fn can_be_lived_with(&self) -> bool {
        let keys = &self.translators;
        let needed = usize::from(self.threshold);
        let enough = |name: &str| keys.iter().filter(|key| key.is_for(name)).count() >= needed;
        let served = |key: &Translator| match &key.components[..] {
            [] => enough("any other"),
            names => names.iter().all(|name| can_be(name) && enough(name)),
        };
        let is_root = |key: &Translator| key.is_for("trust") || ROOTS.contains(&key.key);
        (1..=MAX_SIGNATURES).contains(&self.threshold)
            && !keys.is_empty()
            && all_differ(keys.iter().map(|key| usize::from(key.key)))
            && keys.iter().all(served)
            && !keys.iter().any(is_root)
            && self.peers.len() <= MAX_PEERS
            && all_differ(self.peers.iter().map(|(_, who)| *who))
            && self.peers.iter().any(|(roles, _)| deploys(*roles))
    }

    /// The place of a peer; `None` for one that is not known.
    pub(super) fn place(&self, who: usize) -> Option<usize> {
        self.peers.iter().position(|(_, peer)| *peer == who)
    }

    /// Whether a peer is known and has one of these roles.
    pub(super) fn may(&self, who: usize, any_of: Roles) -> bool {
        let mut peers = self.peers.iter();
        peers.any(|(roles, peer)| *peer == who && roles & any_of.bits() != 0)
    }

    /// Whether an envelope for this component may come from these signers, of whom it
    /// asks for so many.
    pub(super) fn allows(&self, signers: &[u8], asks: u8, component: &str) -> bool {
        let keys = &self.translators;
        let trusted = |signer: &u8| {
            let mut keys = keys.iter();
            keys.any(|key| key.key == *signer && key.is_for(component))
        };
        is_enough(signers.len(), self.threshold, asks) && signers.iter().all(trusted)
    }
}

impl Translator {
    fn is_for(&self, component: &str) -> bool {
        match self.components.is_empty() {
            true => component != "trust",
            false => self.components.iter().any(|name| name == component),
        }
    }
}

/// Whether so many signatures do.
pub(super) fn is_enough(signatures: usize, threshold: u8, asks: u8) -> bool {
    signatures >= usize::from(threshold.max(asks))
}

/// Whether a component can be called that.
fn can_be(name: &str) -> bool {
    let letters = "abcdefghijklmnopqrstuvwxyz0123456789-";
    (1..=16).contains(&name.len()) && name.chars().all(|c| letters.contains(c))
}

fn deploys(roles: u8) -> bool {
    roles & Roles::DEPLOY.bits() != 0
}

fn all_differ(numbers: impl Iterator<Item = usize>) -> bool {
    let mut numbers: Vec<usize> = numbers.collect();
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len() == count
}

/// The record that is in force.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    /// Its number; 0 for what was provisioned.
    pub(super) number: u64,
    pub(super) content: Content,
    /// As it is stored; nothing where there is none, or it is damaged.
    pub(super) stored: Vec<u8>,
    pub(super) manifest: Vec<u8>,
}

impl InForce {
    pub(super) fn provisioned() -> Self {
        Self {
            number: 0,
            content: Content::provisioned(),
            stored: Vec::new(),
            manifest: Vec::new(),
        }
    }
}
