//! The record: one whole state with its number, as it lies in a journal page.

use sha2::{Digest, Sha256};

use crate::state::{STATE_LEN, State};

/// Length of a record without its seals, bytes.
pub(crate) const RECORD_LEN: usize = 128;
/// Least length of a seal, bytes.
const SEAL_LEN: u32 = 4;

const CHECK_LEN: usize = 8;
const NUMBER_LEN: usize = 4;

/// What a record is bound to: the format, the component's name and the place
/// and geometry of its area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag([u8; CHECK_LEN]);

impl Tag {
    pub(crate) fn new(name: &str, journal: u32, erase: u32, slot_pages: u16) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"sealift-storage 1\0");
        hash.update(journal.to_le_bytes());
        hash.update(erase.to_le_bytes());
        hash.update(slot_pages.to_le_bytes());
        hash.update(name);
        Self(truncate(hash))
    }
}

fn truncate(hash: Sha256) -> [u8; CHECK_LEN] {
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().copied().unwrap_or_default()
}

/// A numbered state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) number: u32,
    pub(crate) state: State,
}

impl Record {
    /// Bytes 0 to 3: number; 4 to 119: state; 120 to 127: check, the first 8
    /// bytes of the SHA-256 of the tag and all that is before.
    pub(crate) fn encode(&self, tag: Tag) -> [u8; RECORD_LEN] {
        let mut bytes = [0; RECORD_LEN];
        let number = self.number.to_le_bytes();
        let state = self.state.encode();
        let check = check(tag, &number, &state);
        let fields = number.iter().chain(&state).chain(&check);
        for (byte, value) in bytes.iter_mut().zip(fields) {
            *byte = *value;
        }
        bytes
    }

    /// The record that these bytes are, if they are one of this area.
    pub(crate) fn decode(tag: Tag, bytes: &[u8; RECORD_LEN]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk::<NUMBER_LEN>()?;
        let (state, rest) = rest.split_first_chunk::<STATE_LEN>()?;
        if rest != check(tag, number, state) {
            return None;
        }
        Some(Self {
            number: u32::from_le_bytes(*number),
            state: State::decode(state)?,
        })
    }

    /// The record that these bytes were before one bit of them flipped.
    ///
    /// By trial, since it is rare: up to 1024 hashes, of which one in 2^54
    /// makes a record of bytes that never were one.
    pub(crate) fn repair(tag: Tag, bytes: &[u8; RECORD_LEN]) -> Option<Self> {
        let bits = (0..RECORD_LEN).flat_map(|at| (0..u8::BITS).map(move |bit| (at, bit)));
        bits.into_iter().find_map(|(at, bit)| {
            let mut bytes = *bytes;
            *bytes.get_mut(at)? ^= 1_u8.wrapping_shl(bit);
            Self::decode(tag, &bytes)
        })
    }
}

/// A cut write or erase can leave any bits; with a 32-bit sum one in 2^32 of
/// those would pass for a record. SHA-256 is on the device anyway.
fn check(tag: Tag, number: &[u8; NUMBER_LEN], state: &[u8; STATE_LEN]) -> [u8; CHECK_LEN] {
    let mut hash = Sha256::new();
    hash.update(tag.0);
    hash.update(number);
    hash.update(state);
    truncate(hash)
}

/// The geometry of the places for records in a journal page.
pub(crate) struct Place;

impl Place {
    /// Bytes of a place: the record and its two seals, each in words of its
    /// own, and an opening before them if the record is a single word.
    pub(crate) const fn size(word: u32) -> u32 {
        let [_, second] = Self::seal_offsets(word);
        second.saturating_add(round_up(SEAL_LEN, word))
    }

    /// Where in a place the record is: at its start, or behind an opening.
    ///
    /// A record of several words leaves its first ones behind if it is cut, so
    /// that a mount sees that it was tried. A single word can read as erased
    /// and yet be a record later; the opening is what is seen then.
    pub(crate) const fn record_offset(word: u32) -> u32 {
        if word >= Self::RECORD_LEN { word } else { 0 }
    }

    /// Where in a place the seals are.
    pub(crate) const fn seal_offsets(word: u32) -> [u32; 2] {
        let record = Self::record_offset(word);
        let first = record.saturating_add(round_up(Self::RECORD_LEN, word));
        [first, first.saturating_add(round_up(SEAL_LEN, word))]
    }

    #[expect(clippy::cast_possible_truncation, reason = "128")]
    const RECORD_LEN: u32 = RECORD_LEN as u32;
}

/// `length` rounded up to whole words.
pub(crate) const fn round_up(length: u32, word: u32) -> u32 {
    match length.checked_next_multiple_of(word) {
        Some(rounded) => rounded,
        None => u32::MAX,
    }
}
