//! What a device is provisioned with, as a record in flash.

use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decoder, Encoder};
use sealift_manifest::TRUST;
use sha2::{Digest, Sha256};

use crate::trust::{Keys, Trust, TrustError, TrustedKey, pair};

/// The longest record, in bytes.
pub const MAX_RECORD: usize = 2048;

const MAGIC: [u8; 4] = *b"SLpv";
/// Magic, length of what follows (4, little endian), SHA-256 of that.
const HEADER: usize = 40;

/// Whom a device trusts at first, and who may change that.
///
/// As a record: `SLpv`, the length of the content in four bytes, little endian,
/// its SHA-256, and the content, deterministic CBOR: `[trust, roots]`, as
/// [`Trust`] and [`Keys`].
#[derive(Clone, Debug, PartialEq)]
pub struct Provision {
    /// Whom it trusts as long as no signed record says otherwise.
    pub trust: Trust,
    /// Whose signed records it takes; if there are none, it takes none.
    pub root: Keys,
}

/// Why a record is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvisionError {
    /// The flash failed, or is too small.
    Flash,
    /// There is none: the page is erased.
    Missing,
    /// It is damaged, or something else.
    Damaged,
    /// It has no translator key, so that no capsule could ever run.
    NoTrust,
    /// It does not fit into [`MAX_RECORD`].
    TooLong,
    /// What it says makes no sense.
    Trust(TrustError),
}

impl fmt::Display for ProvisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trust(error) => return write!(f, "the provisioning record: {error}"),
            Self::Flash => "the flash failed where the provisioning record should be",
            Self::Missing => "this device was not provisioned",
            Self::Damaged => "the provisioning record is damaged",
            Self::NoTrust => "the provisioning record has no translator key",
            Self::TooLong => "too many keys and credentials for a provisioning record",
        })
    }
}

impl core::error::Error for ProvisionError {}

impl Provision {
    /// The record, a multiple of 256 bytes, filled up with 0xFF as erased flash
    /// is.
    ///
    /// # Errors
    ///
    /// [`ProvisionError::NoTrust`], [`ProvisionError::Trust`],
    /// [`ProvisionError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, ProvisionError> {
        self.check()?;
        let content = self.content().ok_or(ProvisionError::TooLong)?;
        let length = u32::try_from(content.len()).map_err(|_| ProvisionError::TooLong)?;
        let mut record = Vec::new();
        record.extend(MAGIC);
        record.extend(length.to_le_bytes());
        record.extend(Sha256::digest(&content));
        record.extend(content);
        let whole = record.len().next_multiple_of(256);
        if whole > MAX_RECORD {
            return Err(ProvisionError::TooLong);
        }
        record.resize(whole, 0xff);
        Ok(record)
    }

    /// Checks that somebody could sign what this device takes, and that root
    /// keys are nothing but that. Nobody has to be able to send something: a
    /// device can be provisioned for good.
    ///
    /// # Errors
    ///
    /// [`ProvisionError::NoTrust`], [`ProvisionError::Trust`].
    pub fn check(&self) -> Result<(), ProvisionError> {
        let Self { trust, root } = self;
        if trust.translators.is_empty() {
            return Err(ProvisionError::NoTrust);
        }
        trust.check_keys(root).map_err(ProvisionError::Trust)?;
        if root.is_empty() {
            return Ok(());
        }
        root.check().map_err(ProvisionError::Trust)?;
        let signs_records = |key: &TrustedKey| *key.components() == [TRUST];
        match root.keys.iter().all(signs_records) {
            true => Ok(()),
            false => Err(ProvisionError::Trust(TrustError::RootScope)),
        }
    }

    fn content(&self) -> Option<Vec<u8>> {
        let mut encoder = Encoder::new(Vec::new());
        encoder.array(2).ok()?;
        self.trust.write(&mut encoder)?;
        self.root.write(&mut encoder)?;
        Some(encoder.into_writer())
    }

    /// Reads a record; what is behind it does not matter.
    ///
    /// # Errors
    ///
    /// [`ProvisionError::Missing`], [`ProvisionError::Damaged`],
    /// [`ProvisionError::NoTrust`], [`ProvisionError::Trust`].
    pub fn decode(record: &[u8]) -> Result<Self, ProvisionError> {
        let (header, rest) = record
            .split_first_chunk::<HEADER>()
            .ok_or(ProvisionError::Damaged)?;
        if header.iter().all(|byte| *byte == 0xff) {
            return Err(ProvisionError::Missing);
        }
        let content = checked(header, rest).ok_or(ProvisionError::Damaged)?;
        let provision = parse(content).ok_or(ProvisionError::Damaged)?;
        // Other encodings of the same would be other records.
        if provision.content().as_deref() != Some(content) {
            return Err(ProvisionError::Damaged);
        }
        provision.check()?;
        Ok(provision)
    }
}

fn checked<'a>(header: &[u8; HEADER], rest: &'a [u8]) -> Option<&'a [u8]> {
    let header = header.strip_prefix(&MAGIC)?;
    let (length, digest) = header.split_first_chunk::<4>()?;
    let content = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    (Sha256::digest(content).as_slice() == digest).then_some(content)
}

fn parse(content: &[u8]) -> Option<Provision> {
    let mut decoder = Decoder::new(content);
    pair(&mut decoder)?;
    Some(Provision {
        trust: Trust::read(&mut decoder)?,
        root: Keys::read(&mut decoder)?,
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use rand_core::OsRng;
    use sealift_credential::{Credential, Identity};
    use sealift_manifest::PublicKey;
    use sealift_wire::Roles;

    use super::*;

    fn key(n: u8) -> PublicKey {
        let pair = ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new([n; 32]));
        PublicKey::from_bytes(&pair.pk).unwrap()
    }

    fn credential(name: &str) -> Credential {
        let identity = Identity::generate(name, &mut OsRng).unwrap();
        identity.credential().clone()
    }

    fn trust(keys: Vec<PublicKey>, peers: Vec<(Roles, Credential)>) -> Trust {
        Trust {
            translators: keys.into(),
            peers,
        }
    }

    fn provision() -> Provision {
        let peers = vec![
            (Roles::DEPLOY.and(Roles::USE), credential("op")),
            (Roles::USE, credential("app")),
        ];
        Provision {
            trust: trust(vec![key(1), key(2)], peers),
            root: Keys::roots(vec![key(3), key(4)], 2),
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        let given = provision();
        let record = given.encode().unwrap();
        assert_eq!(Provision::decode(&record), Ok(given.clone()));
        // Erased flash behind it.
        let mut page = record.clone();
        page.resize(4096, 0xff);
        assert_eq!(Provision::decode(&page), Ok(given));
    }

    #[test]
    fn each_flipped_bit_and_each_cut_is_noticed() {
        let record = provision().encode().unwrap();
        let used = HEADER + usize::from(record[4]) + 256 * usize::from(record[5]);
        for bit in 0..used * 8 {
            let mut damaged = record.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Provision::decode(&damaged), Err(ProvisionError::Damaged));
        }
        for length in 0..used {
            assert_eq!(
                Provision::decode(&record[..length]),
                Err(ProvisionError::Damaged)
            );
        }
    }

    #[test]
    fn a_device_without_a_record_says_so() {
        assert_eq!(
            Provision::decode(&[0xff; 4096]),
            Err(ProvisionError::Missing)
        );
    }

    #[test]
    fn nobody_to_trust_is_refused_when_written_and_when_read() {
        let empty = Provision {
            trust: trust(vec![], vec![]),
            root: Keys::default(),
        };
        assert_eq!(empty.encode(), Err(ProvisionError::NoTrust));
        let content = empty.content().unwrap();
        let mut record = MAGIC.to_vec();
        record.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        record.extend(Sha256::digest(&content));
        record.extend(content);
        assert_eq!(Provision::decode(&record), Err(ProvisionError::NoTrust));
    }

    #[test]
    fn more_than_fits_is_refused() {
        let many = Provision {
            trust: trust((1..=60).map(key).collect(), vec![]),
            root: Keys::default(),
        };
        assert_eq!(many.encode(), Err(ProvisionError::TooLong));
    }

    #[test]
    fn a_threshold_that_cannot_be_met_and_a_root_that_translates_are_refused() {
        let refused = |provision: Provision, error| {
            assert_eq!(provision.encode(), Err(ProvisionError::Trust(error)));
        };
        let mut given = provision();
        given.trust.translators.threshold = 3;
        refused(given, TrustError::TooFewKeys);
        let mut given = provision();
        given.root.threshold = 3;
        refused(given, TrustError::TooFewKeys);
        let mut given = provision();
        given.root.threshold = 0;
        refused(given, TrustError::Threshold);
        let mut given = provision();
        given.root = Keys::roots(vec![key(2)], 1);
        refused(given, TrustError::RootAsTranslator);
    }

    #[test]
    fn a_root_key_is_for_trust_records_and_nothing_else() {
        // No component stands for all but trust records.
        for names in [&[][..], &["vm1"], &[TRUST, "vm1"], &["vm1", TRUST]] {
            let names: Vec<_> = names.iter().map(|name| (*name).into()).collect();
            let mut given = provision();
            given.root = Keys {
                keys: vec![
                    TrustedKey::new(key(3), names.clone()),
                    TrustedKey::new(key(4), names),
                ],
                threshold: 2,
            };
            let refused = ProvisionError::Trust(TrustError::RootScope);
            assert_eq!(given.encode(), Err(refused));
        }
    }
}
