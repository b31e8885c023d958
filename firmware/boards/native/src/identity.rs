//! The device's own key: made at the first start, kept in flash, in two
//! copies of which one may be lost.

use anyhow::{Result, bail};
use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use rand_core::CryptoRngCore;
use sealift_oscore::{Credential, Identity};
use sha2::{Digest, Sha256};

use crate::flash::{FileFlash, PAGE};

/// Flash pages at the start of the file that hold the two copies.
pub(crate) const PAGES: usize = 2;

const SUBJECT: &str = "sealift-native";
const MAGIC: [u8; 4] = *b"SLid";
const LENGTH: usize = 256;
const CHECKSUM: usize = 32;

/// Reads the identity, or makes one on a flash that has none.
pub(crate) fn load(flash: &mut FileFlash, rng: &mut impl CryptoRngCore) -> Result<Identity> {
    let mut blank = true;
    for copy in 0..PAGES {
        let mut record = [0; LENGTH];
        flash.read(address(copy)?, &mut record)?;
        blank &= record.iter().all(|byte| *byte == 0xff);
        if let Some(identity) = decode(&record) {
            return Ok(identity);
        }
    }
    // Cut short at the very first start, when there is nothing to lose yet,
    // the first copy may be torn and the second is blank. Two bad copies are
    // something else: a new identity would lock the operators out unnoticed.
    let mut second = [0; LENGTH];
    flash.read(address(1)?, &mut second)?;
    if !blank && second.iter().any(|byte| *byte != 0xff) {
        bail!("both copies of the device's key are damaged");
    }
    let identity = Identity::generate(SUBJECT, rng)?;
    let record = encode(&identity)?;
    for copy in 0..PAGES {
        let start = address(copy)?;
        flash.erase(start, start + u32::try_from(PAGE)?)?;
        flash.write(start, &record)?;
    }
    log::info!("made a new device key");
    Ok(identity)
}

fn address(copy: usize) -> Result<u32> {
    Ok(u32::try_from(copy * PAGE)?)
}

/// Magic, length of the credential, private key, credential, padding, and
/// SHA-256 of all that.
fn encode(identity: &Identity) -> Result<[u8; LENGTH]> {
    let credential = identity.credential().as_bytes();
    let mut record = Vec::with_capacity(LENGTH);
    record.extend(MAGIC);
    record.push(u8::try_from(credential.len())?);
    record.extend(identity.private_key());
    record.extend(credential);
    record.resize(LENGTH - CHECKSUM, 0);
    record.extend(Sha256::digest(&record));
    match record.try_into() {
        Ok(record) => Ok(record),
        Err(_) => bail!("the credential is too long to be kept"),
    }
}

fn decode(record: &[u8; LENGTH]) -> Option<Identity> {
    let (content, checksum) = record.split_at(LENGTH - CHECKSUM);
    if Sha256::digest(content)[..] != *checksum {
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

    use super::*;

    fn flash(dir: &tempfile::TempDir) -> FileFlash {
        FileFlash::open(&dir.path().join("flash.img"), PAGES * PAGE).unwrap()
    }

    fn spoil(flash: &mut FileFlash, copy: usize) {
        flash.write(address(copy).unwrap() + 8, &[0; 4]).unwrap();
    }

    #[test]
    fn the_identity_stays_the_same_even_if_one_copy_is_lost() {
        for copy in 0..PAGES {
            let dir = tempfile::tempdir().unwrap();
            let mut flash = flash(&dir);
            let made = load(&mut flash, &mut OsRng).unwrap();
            spoil(&mut flash, copy);
            let again = load(&mut flash, &mut OsRng).unwrap();
            assert_eq!(made.credential(), again.credential());
        }
    }

    #[test]
    fn a_lost_identity_is_not_replaced_unnoticed() {
        let dir = tempfile::tempdir().unwrap();
        let mut flash = flash(&dir);
        load(&mut flash, &mut OsRng).unwrap();
        spoil(&mut flash, 0);
        spoil(&mut flash, 1);
        assert!(load(&mut flash, &mut OsRng).is_err());
    }

    #[test]
    fn a_first_start_that_was_cut_short_starts_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut flash = flash(&dir);
        flash.write(0, &[1, 2, 3, 4]).unwrap();
        load(&mut flash, &mut OsRng).unwrap();
    }
}
