//! The device's own key: made at the first start, kept in flash, in two
//! copies. One may be lost; it is written again at the next start.
//!
//! Each copy is at the start of its page, and behind the first one is a mark,
//! from the second start on. A key is made only where no other can have been:
//! where the second page is blank, since it is the last one that is written, and
//! there is no mark. Without the mark a first copy that rots, while the second
//! one is being written again, would look like a first start that was cut short.

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
/// Length of the mark, 0 in each bit, if words are not longer.
const MARK: usize = 4;

type Record = [u8; LENGTH];

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityError<E> {
    /// The flash failed.
    Flash(E),
    /// The flash reads other bytes than were just written.
    Worn,
    /// The pages do not fit 32-bit addresses, or are too small.
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
            Self::Worn => f.write_str("the flash does not keep the device's key"),
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
    let pages = Pages::new::<F>(base).ok_or(IdentityError::Address)?;
    let copies = [pages.first, pages.second].map(|page| read(flash, page));
    let good = |copy: &Record| Some((decode(copy)?, *copy));
    if let Some((identity, record)) = copies.iter().flatten().find_map(good) {
        let same = |copy: &Result<Record, _>| copy.as_ref().is_ok_and(|copy| *copy == record);
        pages.mend(flash, copies.each_ref().map(same), &record);
        return Ok(Loaded {
            identity,
            new: false,
        });
    }
    // What cannot be read now may be good all the same.
    let [first, second] = copies;
    first.map_err(IdentityError::Flash)?;
    let second = second.map_err(IdentityError::Flash)?;
    // Cut short at the very first start, when there is nothing to lose yet,
    // the first copy may be torn and the second is blank.
    let blank = second.iter().all(|byte| *byte == 0xff);
    if !blank || pages.is_marked(flash).map_err(IdentityError::Flash)? {
        return Err(IdentityError::Damaged);
    }
    let identity = Identity::generate(subject, rng).map_err(IdentityError::Credential)?;
    let record = encode(&identity).map_err(IdentityError::Credential)?;
    write(flash, pages.first, pages.second, &record)?;
    write(flash, pages.second, pages.end, &record)?;
    Ok(Loaded {
        identity,
        new: true,
    })
}

/// Where the copies are.
struct Pages {
    first: u32,
    /// Behind the first copy.
    mark: u32,
    second: u32,
    end: u32,
}

impl Pages {
    fn new<F: NorFlash>(base: u32) -> Option<Self> {
        let page = u32::try_from(F::ERASE_SIZE).ok()?;
        let mark = base.checked_add(u32::try_from(LENGTH).ok()?)?;
        let second = base.checked_add(page)?;
        // The mark is read like a copy.
        (F::ERASE_SIZE >= LENGTH.saturating_mul(2)).then_some(Self {
            first: base,
            mark,
            second,
            end: second.checked_add(page)?,
        })
    }

    /// Writes what is not there, of the copies and the mark. If that fails, there
    /// is a copy all the same, and the next start tries again.
    fn mend<F: NorFlash>(&self, flash: &mut F, there: [bool; 2], record: &Record) {
        let [first, second] = there;
        if !first {
            let _ = write(flash, self.first, self.second, record);
        }
        let _ = self.write_mark(flash);
        if !second {
            let _ = write(flash, self.second, self.end, record);
        }
    }

    fn is_marked<F: NorFlash>(&self, flash: &mut F) -> Result<bool, F::Error> {
        let found = read(flash, self.mark)?;
        let mark = found.first_chunk::<MARK>().copied().unwrap_or_default();
        // A bit of it may have flipped.
        Ok(u32::from_ne_bytes(mark).count_ones() <= 1)
    }

    fn write_mark<F: NorFlash>(&self, flash: &mut F) -> Result<(), F::Error> {
        if self.is_marked(flash)? {
            return Ok(());
        }
        let mark = [0; LENGTH];
        let mark = mark.get(..MARK.max(F::WRITE_SIZE)).unwrap_or(&mark);
        flash.write(self.mark, mark)
    }
}

fn read<F: NorFlash>(flash: &mut F, at: u32) -> Result<Record, F::Error> {
    let mut record = [0; LENGTH];
    flash.read(at, &mut record)?;
    Ok(record)
}

/// Erases a page, and writes a copy to its start.
fn write<F: NorFlash>(
    flash: &mut F,
    from: u32,
    to: u32,
    record: &Record,
) -> Result<(), IdentityError<F::Error>> {
    flash.erase(from, to).map_err(IdentityError::Flash)?;
    flash.write(from, record).map_err(IdentityError::Flash)?;
    match read(flash, from).map_err(IdentityError::Flash)? == *record {
        true => Ok(()),
        false => Err(IdentityError::Worn),
    }
}

/// Magic, length of the credential, private key, credential, padding, and
/// SHA-256 of all that.
fn encode(identity: &Identity) -> Result<Record, CredentialError> {
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

fn decode(record: &Record) -> Option<Identity> {
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
