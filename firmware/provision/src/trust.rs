//! Whom a device trusts: one form for the record that it is provisioned with
//! and for the signed ones that take its place later.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decoder, Encoder};
use sealift_credential::Credential;
use sealift_manifest::{Anchor, MAX_SIGNATURES, MAX_TRUST, PublicKey, TRUST, is_component};
use sealift_wire::Roles;

/// The most credentials that a device can know.
pub const MAX_PEERS: usize = 8;

/// What no component is called: it stands for all that are not named.
const ANY_OTHER: &str = "";

/// A key that is trusted, and for which components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    key: PublicKey,
    /// Those that it may sign for; if there is none, all but [`TRUST`].
    components: Vec<String>,
}

impl TrustedKey {
    /// A translator's key, for these components; if there is none, for all but
    /// [`TRUST`].
    #[must_use]
    pub fn new(key: PublicKey, components: Vec<String>) -> Self {
        Self { key, components }
    }

    /// The components that it is restricted to; none if it is for all.
    #[must_use]
    pub fn components(&self) -> &[String] {
        &self.components
    }
}

impl Anchor for TrustedKey {
    fn key(&self) -> &PublicKey {
        &self.key
    }

    fn may_sign(&self, component: &str) -> bool {
        match self.components.as_slice() {
            [] => component != TRUST,
            components => components.iter().any(|name| name == component),
        }
    }
}

/// Keys, and how many of them have to sign.
///
/// As CBOR: `[threshold, [* [bstr .size 32, [* component]]]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The keys.
    pub keys: Vec<TrustedKey>,
    /// How many signatures are needed, each by another of them: 1 to
    /// [`MAX_SIGNATURES`].
    pub threshold: u8,
}

/// No keys.
impl Default for Keys {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            threshold: 1,
        }
    }
}

/// Translators that are all equal, and one signature is enough.
impl From<Vec<PublicKey>> for Keys {
    fn from(keys: Vec<PublicKey>) -> Self {
        let keys = keys.into_iter();
        Self {
            keys: keys.map(|key| TrustedKey::new(key, Vec::new())).collect(),
            threshold: 1,
        }
    }
}

impl Keys {
    /// Root keys: they sign trust records, and nothing else.
    #[must_use]
    pub fn roots(keys: Vec<PublicKey>, threshold: u8) -> Self {
        let keys = keys.into_iter();
        Self {
            keys: keys
                .map(|key| TrustedKey::new(key, alloc::vec![TRUST.into()]))
                .collect(),
            threshold,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.keys.iter().any(|known| known.key == *key)
    }

    /// Checks that they can do what they are there for: that for every
    /// component that one of them is for there are as many as have to sign.
    ///
    /// # Errors
    ///
    /// [`TrustError::Threshold`], [`TrustError::SameKeyTwice`],
    /// [`TrustError::NoComponent`], [`TrustError::TooFewKeys`].
    pub fn check(&self) -> Result<(), TrustError> {
        let threshold = usize::from(self.threshold);
        if !(1..=MAX_SIGNATURES).contains(&threshold) {
            return Err(TrustError::Threshold);
        }
        let mut rest = self.keys.as_slice();
        while let Some((first, behind)) = rest.split_first() {
            if behind.iter().any(|other| other.key == first.key) {
                return Err(TrustError::SameKeyTwice);
            }
            rest = behind;
        }
        // A key would count for such a name, and could sign nothing.
        let mut names = self.keys.iter().flat_map(|key| &key.components);
        if !names.all(|name| is_component(name.as_bytes())) {
            return Err(TrustError::NoComponent);
        }
        let enough =
            |name: &str| self.keys.iter().filter(|key| key.may_sign(name)).count() >= threshold;
        let covers = |key: &TrustedKey| match key.components.as_slice() {
            [] => enough(ANY_OTHER),
            names => names.iter().all(|name| enough(name)),
        };
        match !self.is_empty() && self.keys.iter().all(covers) {
            true => Ok(()),
            false => Err(TrustError::TooFewKeys),
        }
    }

    pub(crate) fn write(&self, encoder: &mut Encoder<Vec<u8>>) -> Option<()> {
        encoder.array(2).ok()?.u8(self.threshold).ok()?;
        encoder.array(u64::try_from(self.keys.len()).ok()?).ok()?;
        for key in &self.keys {
            encoder.array(2).ok()?.bytes(&key.key.to_bytes()).ok()?;
            let names = u64::try_from(key.components.len()).ok()?;
            encoder.array(names).ok()?;
            for name in &key.components {
                encoder.str(name).ok()?;
            }
        }
        Some(())
    }

    pub(crate) fn read(decoder: &mut Decoder<'_>) -> Option<Self> {
        pair(decoder)?;
        let threshold = decoder.u8().ok()?;
        let mut keys = Vec::new();
        for _ in 0..decoder.array().ok()?? {
            pair(decoder)?;
            let key = decoder.bytes().ok()?.try_into().ok()?;
            let key = PublicKey::from_bytes(key).ok()?;
            let mut components = Vec::new();
            for _ in 0..decoder.array().ok()?? {
                components.push(decoder.str().ok()?.into());
            }
            keys.push(TrustedKey { key, components });
        }
        Some(Self { keys, threshold })
    }
}

/// Whom a device trusts: who may sign capsules, and who may ask for what.
///
/// As CBOR: `[translators, [* [roles, credential]]]`, the translators as
/// [`Keys`], the roles as bits, the credential as encoded. It is deterministic
/// (RFC 8949, section 4.2.1), and other encodings of the same are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The keys of translators.
    pub translators: Keys,
    /// Peers and what they may do.
    pub peers: Vec<(Roles, Credential)>,
}

/// Why a device does not trust like that. The numbers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TrustError {
    /// The bytes are no record, or not in its one encoding.
    Malformed = 1,
    /// It is longer than [`MAX_TRUST`].
    TooLong = 2,
    /// A threshold of 0, or above [`MAX_SIGNATURES`].
    Threshold = 3,
    /// A component for which fewer keys may sign than have to: nobody could
    /// ever install anything there.
    TooFewKeys = 4,
    /// A key that is there twice, and would count twice.
    SameKeyTwice = 5,
    /// A translator that could sign trust records: a root key, or one that is
    /// for [`TRUST`].
    RootAsTranslator = 6,
    /// Nobody has the role `deploy`: nobody could ever send anything.
    NoDeployer = 7,
    /// A credential that is there twice.
    SamePeerTwice = 8,
    /// More credentials than [`MAX_PEERS`].
    TooManyPeers = 9,
    /// A translator for something that no component can be called.
    NoComponent = 10,
    /// A root key that is for other components than [`TRUST`], or not for that:
    /// only in what a device is provisioned with.
    RootScope = 11,
}

impl TrustError {
    /// The stable number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a trust record",
            Self::TooLong => "too many keys and credentials for a trust record",
            Self::Threshold => "the threshold is not 1 to 4",
            Self::TooFewKeys => "fewer keys may sign for a component than have to",
            Self::SameKeyTwice => "a key is there twice",
            Self::RootAsTranslator => "a translator's key could sign trust records, too",
            Self::NoDeployer => "nobody has the role deploy",
            Self::SamePeerTwice => "a credential is there twice",
            Self::TooManyPeers => "more than 8 credentials",
            Self::NoComponent => "a key is for what no component can be called",
            Self::RootScope => "a root key is not for trust records alone",
        })
    }
}

impl core::error::Error for TrustError {}

impl Trust {
    /// Gives a credential roles, besides those that it has.
    pub fn allow(&mut self, roles: Roles, credential: Credential) {
        let known = self.peers.iter_mut().find(|(_, peer)| *peer == credential);
        match known {
            Some((has, _)) => *has = has.and(roles),
            None => self.peers.push((roles, credential)),
        }
    }

    /// The roles of a credential.
    #[must_use]
    pub fn roles(&self, credential: &Credential) -> Roles {
        let known = self.peers.iter().find(|(_, peer)| peer == credential);
        known.map_or(Roles::NONE, |(roles, _)| *roles)
    }

    /// The rules for a record that takes the place of another one, under these
    /// root keys: who takes it can go on from there, by capsules and by
    /// further records.
    ///
    /// # Errors
    ///
    /// The first rule that is broken: all of [`TrustError`] from
    /// [`TrustError::Threshold`] on but [`TrustError::RootScope`].
    pub fn check(&self, roots: &Keys) -> Result<(), TrustError> {
        self.check_keys(roots)?;
        let deploys = |(roles, _): &(Roles, Credential)| roles.has(Roles::DEPLOY);
        match self.peers.iter().any(deploys) {
            true => Ok(()),
            false => Err(TrustError::NoDeployer),
        }
    }

    /// The rules but for the last: those that hold for every device.
    pub(crate) fn check_keys(&self, roots: &Keys) -> Result<(), TrustError> {
        self.translators.check()?;
        let root = |key: &TrustedKey| key.may_sign(TRUST) || roots.contains(&key.key);
        if self.translators.keys.iter().any(root) {
            return Err(TrustError::RootAsTranslator);
        }
        if self.peers.len() > MAX_PEERS {
            return Err(TrustError::TooManyPeers);
        }
        let mut rest = self.peers.as_slice();
        while let Some(((_, first), behind)) = rest.split_first() {
            if behind.iter().any(|(_, other)| other == first) {
                return Err(TrustError::SamePeerTwice);
            }
            rest = behind;
        }
        Ok(())
    }

    /// The encoding. What [`Trust::check`] asks for is not checked.
    ///
    /// # Errors
    ///
    /// [`TrustError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, TrustError> {
        let mut encoder = Encoder::new(Vec::new());
        self.write(&mut encoder).ok_or(TrustError::TooLong)?;
        let record = encoder.into_writer();
        match record.len() <= MAX_TRUST {
            true => Ok(record),
            false => Err(TrustError::TooLong),
        }
    }

    /// Reads a record that fills `record`.
    ///
    /// # Errors
    ///
    /// [`TrustError::Malformed`], [`TrustError::TooLong`].
    pub fn decode(record: &[u8]) -> Result<Self, TrustError> {
        if record.len() > MAX_TRUST {
            return Err(TrustError::TooLong);
        }
        let trust = Self::read(&mut Decoder::new(record)).ok_or(TrustError::Malformed)?;
        // Other encodings of the same would be other records; and so would be
        // the same with something behind it.
        match trust.encode()? == record {
            true => Ok(trust),
            false => Err(TrustError::Malformed),
        }
    }

    pub(crate) fn write(&self, encoder: &mut Encoder<Vec<u8>>) -> Option<()> {
        encoder.array(2).ok()?;
        self.translators.write(encoder)?;
        encoder.array(u64::try_from(self.peers.len()).ok()?).ok()?;
        for (roles, credential) in &self.peers {
            encoder.array(2).ok()?.u8(roles.bits()).ok()?;
            encoder.bytes(credential.as_bytes()).ok()?;
        }
        Some(())
    }

    pub(crate) fn read(decoder: &mut Decoder<'_>) -> Option<Self> {
        pair(decoder)?;
        let translators = Keys::read(decoder)?;
        let mut peers = Vec::new();
        for _ in 0..decoder.array().ok()?? {
            pair(decoder)?;
            let roles = Roles::from_bits(decoder.u8().ok()?)?;
            peers.push((roles, Credential::parse(decoder.bytes().ok()?).ok()?));
        }
        Some(Self { translators, peers })
    }
}

/// The head of an array of two.
pub(crate) fn pair(decoder: &mut Decoder<'_>) -> Option<()> {
    (decoder.array().ok()? == Some(2)).then_some(())
}
