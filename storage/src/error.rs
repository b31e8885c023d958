//! Why the store refuses or fails.

use core::fmt;

use embedded_storage::nor_flash::NorFlashError;

use crate::LayoutError;

/// A refusal or failure of the store, one variant per check.
///
/// `E` is the flash's own error. Whatever the error, the store stays usable,
/// and the state that was last reported stays in force, with the exceptions
/// that [`Store`](crate::Store) lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<E> {
    /// The layout does not suit the flash.
    Layout(LayoutError),
    /// The flash reported an error.
    Flash(E),
    /// The flash reads other bytes than were just written: a worn page, or
    /// somebody else writes to the store's area.
    Worn {
        /// Flash offset of the first word concerned, bytes.
        offset: u32,
    },
    /// The journal's record numbers are used up (after 4 billion records).
    JournalExhausted,

    /// The layout has no component of this number.
    UnknownComponent,
    /// The slot holds no capsule, or no whole one.
    NoCapsule,
    /// The range reaches beyond the stored bytes.
    OutOfBounds,
    /// The buffer is smaller than the head.
    BufferTooSmall {
        /// Bytes needed.
        needed: usize,
    },

    /// The manifest names another component.
    WrongComponent,
    /// The head of the envelope is empty or longer than 1024 bytes.
    HeadLength,
    /// The payload does not fit into a slot.
    TooLarge {
        /// The largest payload that fits, bytes.
        capacity: u32,
    },
    /// The sequence number is not above the highest that was ever activated.
    OldSequence {
        /// The highest sequence number ever activated.
        highest: u64,
    },
    /// The sequence number is under the rollback floor.
    BelowFloor {
        /// The rollback floor.
        floor: u64,
    },
    /// A trial must be confirmed or rolled back first.
    TrialPending,
    /// The slot is lent to a running capsule.
    SlotLent,

    /// No transfer is open.
    NoTransfer,
    /// The bytes do not start where the transfer stands.
    WrongOffset {
        /// Where the transfer stands: payload bytes received.
        received: u32,
    },
    /// More bytes than the manifest announced.
    TooLong,
    /// The transfer is not complete.
    Incomplete {
        /// Payload bytes received.
        received: u32,
    },
    /// The manifest is not that of the stored capsule.
    OtherManifest,
    /// The payload in flash is not the one that the manifest describes.
    WrongPayload,

    /// The active capsule is not on trial.
    NoTrial,
    /// The trial has no tries left.
    NoTriesLeft,
    /// There is no confirmed capsule to go back to.
    NoPrevious,
    /// The lease is of a slot that this store did not lend.
    ForeignLease,
}

impl<E> Error<E> {
    /// The stable number of this error. Layout errors are 1 to 9.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Layout(error) => error.code(),
            Self::Flash(_) => 10,
            Self::Worn { .. } => 11,
            Self::JournalExhausted => 12,
            Self::UnknownComponent => 20,
            Self::NoCapsule => 21,
            Self::OutOfBounds => 22,
            Self::BufferTooSmall { .. } => 23,
            Self::WrongComponent => 30,
            Self::HeadLength => 31,
            Self::TooLarge { .. } => 32,
            Self::OldSequence { .. } => 33,
            Self::BelowFloor { .. } => 34,
            Self::TrialPending => 35,
            Self::SlotLent => 36,
            Self::NoTransfer => 40,
            Self::WrongOffset { .. } => 41,
            Self::TooLong => 42,
            Self::Incomplete { .. } => 43,
            Self::OtherManifest => 44,
            Self::WrongPayload => 45,
            Self::NoTrial => 50,
            Self::NoTriesLeft => 51,
            Self::NoPrevious => 52,
            Self::ForeignLease => 53,
        }
    }

    /// Whether the flash failed, as opposed to a request that is refused.
    #[must_use]
    pub const fn is_flash_failure(&self) -> bool {
        matches!(
            self,
            Self::Flash(_) | Self::Worn { .. } | Self::JournalExhausted
        )
    }
}

impl<E: NorFlashError> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout(error) => write!(f, "{error}"),
            Self::Flash(error) => write!(f, "the flash failed: {}", error.kind()),
            Self::Worn { offset } => {
                write!(f, "the flash does not keep what is written at {offset:#x}")
            }
            Self::JournalExhausted => f.write_str("the journal's record numbers are used up"),
            Self::UnknownComponent => f.write_str("no such component"),
            Self::NoCapsule => f.write_str("the slot holds no capsule"),
            Self::OutOfBounds => f.write_str("the range reaches beyond the stored bytes"),
            Self::BufferTooSmall { needed } => {
                write!(f, "the buffer is too small: {needed} bytes are needed")
            }
            Self::WrongComponent => f.write_str("the manifest is for another component"),
            Self::HeadLength => f.write_str("the head of the envelope is empty or too long"),
            Self::TooLarge { capacity } => {
                write!(f, "the payload is larger than a slot: {capacity} bytes")
            }
            Self::OldSequence { highest } => write!(
                f,
                "the sequence number is not above the highest ever activated, {highest}"
            ),
            Self::BelowFloor { floor } => {
                write!(
                    f,
                    "the sequence number is under the rollback floor, {floor}"
                )
            }
            Self::TrialPending => f.write_str("a trial is pending"),
            Self::SlotLent => f.write_str("the slot is in use by a running capsule"),
            Self::NoTransfer => f.write_str("no transfer is open"),
            Self::WrongOffset { received } => {
                write!(f, "the bytes do not follow the {received} received")
            }
            Self::TooLong => f.write_str("more bytes than the manifest announced"),
            Self::Incomplete { received } => {
                write!(f, "the transfer is not complete: {received} bytes so far")
            }
            Self::OtherManifest => f.write_str("the manifest is not that of the stored capsule"),
            Self::WrongPayload => f.write_str("the payload does not match the manifest"),
            Self::NoTrial => f.write_str("the active capsule is not on trial"),
            Self::NoTriesLeft => f.write_str("the trial has no tries left"),
            Self::NoPrevious => f.write_str("there is no confirmed capsule to go back to"),
            Self::ForeignLease => f.write_str("the lease is not of this store"),
        }
    }
}

impl<E: NorFlashError> core::error::Error for Error<E> {}

#[cfg(test)]
mod tests {
    use super::Error;
    use crate::LayoutError;
    use embedded_storage::nor_flash::NorFlashErrorKind;
    use std::collections::BTreeSet;
    use std::string::ToString;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn each_error_has_its_number_and_its_words() {
        let errors: Vec<(Error<NorFlashErrorKind>, u8, bool)> = vec![
            (Error::Layout(LayoutError::WordSize), 1, false),
            (Error::Layout(LayoutError::ReadSize), 2, false),
            (Error::Layout(LayoutError::PageSize), 3, false),
            (Error::Layout(LayoutError::BaseUnaligned), 4, false),
            (Error::Layout(LayoutError::SlotTooSmall), 5, false),
            (Error::Layout(LayoutError::TooLarge), 6, false),
            (Error::Layout(LayoutError::DuplicateName), 7, false),
            (Error::Flash(NorFlashErrorKind::Other), 10, true),
            (Error::Worn { offset: 1 }, 11, true),
            (Error::JournalExhausted, 12, true),
            (Error::UnknownComponent, 20, false),
            (Error::NoCapsule, 21, false),
            (Error::OutOfBounds, 22, false),
            (Error::BufferTooSmall { needed: 1 }, 23, false),
            (Error::WrongComponent, 30, false),
            (Error::HeadLength, 31, false),
            (Error::TooLarge { capacity: 1 }, 32, false),
            (Error::OldSequence { highest: 1 }, 33, false),
            (Error::BelowFloor { floor: 1 }, 34, false),
            (Error::TrialPending, 35, false),
            (Error::SlotLent, 36, false),
            (Error::NoTransfer, 40, false),
            (Error::WrongOffset { received: 1 }, 41, false),
            (Error::TooLong, 42, false),
            (Error::Incomplete { received: 1 }, 43, false),
            (Error::OtherManifest, 44, false),
            (Error::WrongPayload, 45, false),
            (Error::NoTrial, 50, false),
            (Error::NoTriesLeft, 51, false),
            (Error::NoPrevious, 52, false),
            (Error::ForeignLease, 53, false),
        ];
        let mut words = BTreeSet::new();
        for (error, code, flash) in &errors {
            assert_eq!((error.code(), error.is_flash_failure()), (*code, *flash));
            assert!(words.insert(error.to_string()), "{error} twice");
        }
        assert_eq!(words.len(), errors.len());
    }
}
