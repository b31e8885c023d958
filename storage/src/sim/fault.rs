//! How a flash fails, and what it notes.

use core::fmt;

use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};

/// What a power cut leaves of the word or page that was in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// What was there before.
    Old,
    /// What was to be there. The cells may be weak all the same: to write
    /// there again without an erase is an error.
    New,
    /// The bytes up to the cut are new, the others old.
    Prefix,
    /// Any mix of old and new bits, that stays.
    Mix,
    /// After each restart something else, old, new or any mix of their bits,
    /// until the page is erased.
    Unstable,
}

impl Torn {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Old,
        Self::New,
        Self::Prefix,
        Self::Mix,
        Self::Unstable,
    ];
}

/// A wrong access, or the absence of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MockError {
    /// The power is off.
    Off,
    /// Not at the start of a word or page, or not whole ones.
    NotAligned,
    /// Beyond the end.
    OutOfBounds,
    /// A word was written for the second time since its page was erased.
    WordTwice {
        /// Its offset.
        offset: u32,
    },
    /// A write into a page that was not erased since power came on; only with
    /// [`MockFlash::demand_fresh_pages`].
    StalePage {
        /// The offset of the page.
        offset: u32,
    },
    /// See [`MockFlash::glitch_at`].
    Glitch,
    /// The page is broken, see [`MockFlash::wear_out`].
    Broken,
}

impl fmt::Display for MockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl core::error::Error for MockError {}

impl NorFlashError for MockError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}

/// One word that was written or page that was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The step of its first byte.
    pub step: u64,
    /// Its steps.
    pub len: u64,
    /// A page, not a word.
    pub is_erase: bool,
}
