//! The device's own key: made at the first start, kept in flash, in two
//! copies of which one may be lost.

use alloc::vec::Vec;
use core::fmt;

use embedded_storage::nor_flash::{NorFlash, NorFlashError};
use rand_core::CryptoRngCore;
use sealift_credential::{Credential, CredentialError, Identity};
use sha2::{Digest, Sha256};

/// Flash pages that hold the copies, one each.
pub const PAGES: u32 = 2;

const MAGIC: [u8; 4] = *b"SLid";
const LENGTH: usize = 256;
const CHECKSUM: usize = 32;

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityError<E> {
    /// The flash failed.
    Flash(E),
    /// The pages do not fit 32-bit addresses.
    Address,
    /// Both copies are damaged. A new key would lock the operators out
    /// unnoticed; who wants one erases the pages.
    Damaged,
    /// A key could not be made.
    Credential(CredentialError),
}

impl<E: NorFlashError> fmt::Display for IdentityError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the flash failed: {}", error.kind()),
            Self::Address => f.write_str("the pages of the device's key are out of reach"),
            Self::Damaged => f.write_str("both copies of the device's key are damaged"),
            Self::Credential(error) => write!(f, "no key could be made: {error}"),
        }
    }
}

impl<E: NorFlashError> core::error::Error for IdentityError<E> {}

/// A device's key, and whether it is new.
#[derive(Debug)]
pub struct Loaded {
    /// The key with its credential.
    pub identity: Identity,
    /// Whether it was made just now.
    pub new: bool,
}

/// Reads the identity from the [`PAGES`] at `base`, or makes one, named
/// `subject`, on a flash that has none.
///
/// # Errors
///
/// [`IdentityError`].
pub fn load<F: NorFlash>(
    flash: &mut F,
    base: u32,
    subject: &str,
    rng: &mut impl CryptoRngCore,
) -> Result<Loaded, IdentityError<F::Error>> {
    let first = base;
    let page = u32::try_from(F::ERASE_SIZE).map_err(|_| IdentityError::Address)?;
    let second = base.checked_add(page).ok_or(IdentityError::Address)?;
    let end = second.checked_add(page).ok_or(IdentityError::Address)?;

    let mut records = [[0; LENGTH]; 2];
    for (address, record) in [first, second].into_iter().zip(&mut records) {
        flash.read(address, record).map_err(IdentityError::Flash)?;
        if let Some(identity) = decode(record) {
            return Ok(Loaded {
                identity,
                new: false,
            });
        }
    }
    // Cut short at the very first start, when there is nothing to lose yet,
    // the first copy may be torn and the second is blank.
    if records[1].iter().any(|byte| *byte != 0xff) {
        return Err(IdentityError::Damaged);
    }
    let identity = Identity::generate(subject, rng).map_err(IdentityError::Credential)?;
    let record = encode(&identity).map_err(IdentityError::Credential)?;
    for (from, to) in [(first, second), (second, end)] {
        flash.erase(from, to).map_err(IdentityError::Flash)?;
        flash.write(from, &record).map_err(IdentityError::Flash)?;
    }
    Ok(Loaded {
        identity,
        new: true,
    })
}

/// Magic, length of the credential, private key, credential, padding, and
/// SHA-256 of all that.
fn encode(identity: &Identity) -> Result<[u8; LENGTH], CredentialError> {
    let credential = identity.credential().as_bytes();
    let length = u8::try_from(credential.len()).map_err(|_| CredentialError::TooLong)?;
    let mut record = Vec::with_capacity(LENGTH);
    record.extend(MAGIC);
    record.push(length);
    record.extend(identity.private_key());
    record.extend(credential);
    record.resize(LENGTH.saturating_sub(CHECKSUM), 0);
    record.extend(Sha256::digest(&record));
    record.try_into().map_err(|_| CredentialError::TooLong)
}

fn decode(record: &[u8; LENGTH]) -> Option<Identity> {
    let (content, checksum) = record.split_last_chunk::<CHECKSUM>()?;
    if Sha256::digest(content).as_slice() != checksum {
        return None;
    }
    let rest = content.strip_prefix(&MAGIC)?;
    let (length, rest) = rest.split_first()?;
    let (private, rest) = rest.split_first_chunk()?;
    let credential = Credential::parse(rest.get(..usize::from(*length))?).ok()?;
    Identity::new(private, credential).ok()
}

#[cfg(test)]
mod tests {
    use rand_core::OsRng;
    use sealift_storage::sim::MockFlash;

    use super::*;

    type Flash = MockFlash<4, 4096>;
    const BASE: u32 = 4096;

    fn flash() -> Flash {
        Flash::new(3)
    }

    fn get(
        flash: &mut Flash,
    ) -> Result<Loaded, IdentityError<<Flash as embedded_storage::nor_flash::ErrorType>::Error>>
    {
        load(flash, BASE, "device", &mut OsRng)
    }

    /// Erases a copy and writes something else there.
    fn spoil(flash: &mut Flash, copy: u32) {
        let at = BASE + copy * 4096;
        flash.erase(at, at + 4096).unwrap();
        flash.write(at, &[1, 2, 3, 4]).unwrap();
    }

    #[test]
    fn the_identity_stays_the_same_even_if_one_copy_is_lost() {
        for copy in 0..PAGES {
            let mut flash = flash();
            let made = get(&mut flash).unwrap();
            assert!(made.new);
            spoil(&mut flash, copy);
            let again = get(&mut flash).unwrap();
            assert!(!again.new);
            assert_eq!(made.identity.credential(), again.identity.credential());
        }
    }

    #[test]
    fn a_lost_identity_is_not_replaced_unnoticed() {
        let mut flash = flash();
        get(&mut flash).unwrap();
        spoil(&mut flash, 0);
        spoil(&mut flash, 1);
        assert!(matches!(get(&mut flash), Err(IdentityError::Damaged)));
    }

    #[test]
    fn a_first_start_that_was_cut_short_starts_over() {
        let mut flash = flash();
        flash.write(BASE, &[1, 2, 3, 4]).unwrap();
        assert!(get(&mut flash).unwrap().new);
    }
}
