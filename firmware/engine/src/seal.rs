//! The seal: by it a device knows an artifact that a translator of its own
//! engine profile has finished, before Wasmtime looks at it.
//!
//! Wasmtime's loader believes what is in an artifact: a wrong index or a wrong
//! byte of code is undefined behaviour, not an error. That the artifact is the
//! one that was signed, the digest in the manifest says. The seal says what a
//! signature over any bytes cannot: that they came out of
//! [`translator_config`](crate::translator_config) whole, for this profile. A
//! payload that was damaged or cut before it was signed, or a `.cwasm` of
//! another tool that was signed by mistake, has none. It is no protection
//! against whoever holds a trusted key and means harm.
//!
//! It costs no byte of a payload: it lies in the ELF header's entry point,
//! which Wasmtime leaves empty and does not read. Nor does it cost code: a
//! device has SHA-256 anyway.

use core::ops::Range;

use sha2::{Digest, Sha256};

use crate::Target;

/// Where the seal lies: `e_entry` of an ELF-64 header.
const PLACE: Range<usize> = 24..32;

/// What is hashed before the profile and the artifact.
const DOMAIN: &[u8] = b"sealift artifact\0";

type Seal = [u8; 8];

/// There is no place for a seal: this is not even the header of an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort;

impl core::fmt::Display for TooShort {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("too short for an artifact")
    }
}

impl core::error::Error for TooShort {}

/// Seals an artifact that was just translated for `target`.
///
/// # Errors
///
/// [`TooShort`].
#[cfg(feature = "translate")]
pub fn seal(target: Target, artifact: &mut [u8]) -> Result<(), TooShort> {
    let seal = of(target, artifact)?;
    let place = artifact.get_mut(PLACE).ok_or(TooShort)?;
    place.copy_from_slice(&seal);
    Ok(())
}

/// Whether this artifact is as a translator for `target`, of this profile,
/// sealed it.
#[must_use]
pub fn is_sealed(target: Target, artifact: &[u8]) -> bool {
    of(target, artifact).is_ok_and(|seal| artifact.get(PLACE) == Some(&seal))
}

/// The first bytes of a digest of the profile and of all of the artifact but
/// the seal itself.
fn of(target: Target, artifact: &[u8]) -> Result<Seal, TooShort> {
    let (before, rest) = artifact.split_at_checked(PLACE.start).ok_or(TooShort)?;
    let (_, after) = rest.split_at_checked(PLACE.len()).ok_or(TooShort)?;
    let digest = Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(target.profile())
        .chain_update([0])
        .chain_update(before)
        .chain_update(after)
        .finalize();
    digest.first_chunk().copied().ok_or(TooShort)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target = Target::Pulley32;

    /// A seal as it is made, without the feature that makes it.
    fn sealed(len: usize) -> [u8; 64] {
        let mut artifact = [7; 64];
        let seal = of(TARGET, &artifact[..len]).unwrap();
        artifact[PLACE].copy_from_slice(&seal);
        artifact
    }

    #[test]
    fn every_bit_and_the_length_count() {
        let artifact = sealed(64);
        assert!(is_sealed(TARGET, &artifact));
        for len in 0..64 {
            assert!(!is_sealed(TARGET, &artifact[..len]), "{len}");
        }
        for bit in 0..64 * 8 {
            let mut damaged = artifact;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_sealed(TARGET, &damaged), "{bit}");
        }
        // A longer one, whose beginning was sealed.
        assert!(!is_sealed(TARGET, &sealed(63)));
    }

    #[test]
    fn the_other_profile_has_another_seal() {
        assert!(!is_sealed(Target::Pulley64, &sealed(64)));
    }
}
