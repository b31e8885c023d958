//! Whom a device trusts, as a record in flash.

use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decoder, Encoder};
use sealift_manifest::PublicKey;
use sealift_oscore::Credential;
use sealift_wire::Roles;
use sha2::{Digest, Sha256};

/// The longest record, in bytes.
pub const MAX_RECORD: usize = 2048;

const MAGIC: [u8; 4] = *b"SLpv";
/// Magic, length of what follows (4, little endian), SHA-256 of that.
const HEADER: usize = 40;

/// Whom a device trusts.
///
/// As a record: `SLpv`, the length of the content in four bytes, little endian,
/// its SHA-256, and the content, deterministic CBOR:
/// `[[+ bstr .size 32], [* [uint, bstr]]]`, the Ed25519 keys of translators, and
/// for each peer the set of its roles and its credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Provision {
    /// Translator keys.
    pub trust: Vec<PublicKey>,
    /// Peers and what they may do.
    pub allow: Vec<(Roles, Credential)>,
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
}

impl fmt::Display for ProvisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
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
    /// [`ProvisionError::NoTrust`], [`ProvisionError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, ProvisionError> {
        if self.trust.is_empty() {
            return Err(ProvisionError::NoTrust);
        }
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

    fn content(&self) -> Option<Vec<u8>> {
        let mut encoder = Encoder::new(Vec::new());
        encoder.array(2).ok()?;
        encoder.array(u64::try_from(self.trust.len()).ok()?).ok()?;
        for key in &self.trust {
            encoder.bytes(&key.to_bytes()).ok()?;
        }
        encoder.array(u64::try_from(self.allow.len()).ok()?).ok()?;
        for (roles, credential) in &self.allow {
            encoder.array(2).ok()?.u8(roles.bits()).ok()?;
            encoder.bytes(credential.as_bytes()).ok()?;
        }
        Some(encoder.into_writer())
    }

    /// Reads a record; what is behind it does not matter.
    ///
    /// # Errors
    ///
    /// [`ProvisionError::Missing`], [`ProvisionError::Damaged`],
    /// [`ProvisionError::NoTrust`].
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
        match provision.trust.is_empty() {
            true => Err(ProvisionError::NoTrust),
            false => Ok(provision),
        }
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
    (decoder.array().ok()? == Some(2)).then_some(())?;
    let mut trust = Vec::new();
    for _ in 0..decoder.array().ok()?? {
        let key = decoder.bytes().ok()?.try_into().ok()?;
        trust.push(PublicKey::from_bytes(key).ok()?);
    }
    let mut allow = Vec::new();
    for _ in 0..decoder.array().ok()?? {
        (decoder.array().ok()? == Some(2)).then_some(())?;
        let roles = Roles::from_bits(decoder.u8().ok()?)?;
        allow.push((roles, Credential::parse(decoder.bytes().ok()?).ok()?));
    }
    (decoder.position() == content.len()).then_some(Provision { trust, allow })
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use rand_core::OsRng;
    use sealift_oscore::Identity;

    use super::*;

    fn key(n: u8) -> PublicKey {
        let pair = ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new([n; 32]));
        PublicKey::from_bytes(&pair.pk).unwrap()
    }

    fn credential(name: &str) -> Credential {
        let identity = Identity::generate(name, &mut OsRng).unwrap();
        identity.credential().clone()
    }

    fn provision() -> Provision {
        Provision {
            trust: vec![key(1), key(2)],
            allow: vec![
                (Roles::DEPLOY.and(Roles::USE), credential("op")),
                (Roles::USE, credential("app")),
            ],
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        let record = provision().encode().unwrap();
        assert_eq!(
            Provision::decode(&record).as_ref().map(|p| p.trust.len()),
            Ok(2)
        );
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
            trust: vec![],
            allow: vec![],
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
            trust: vec![key(1); 60],
            allow: vec![],
        };
        assert_eq!(many.encode(), Err(ProvisionError::TooLong));
    }
}
