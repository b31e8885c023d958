//! From an exact cause to what a peer is told. The cause goes to the log.

use core::fmt;

use embedded_storage::nor_flash::NorFlashError;
use sealift_manifest::ErrorClass;
use sealift_storage::Error as StoreError;
use sealift_wire::Refusal;

/// Why a request was not done: the refusal for the peer, after the cause went
/// to the log.
pub(crate) fn because(what: &str, cause: &dyn fmt::Display, refusal: Refusal) -> Refusal {
    log::warn!("{what}: refused: {cause}");
    refusal
}

/// The refusal for an envelope that does not verify.
pub(crate) fn envelope(what: &str, error: sealift_manifest::Error) -> Refusal {
    let refusal = match error.class() {
        ErrorClass::Malformed => Refusal::Malformed,
        ErrorClass::Untrusted => Refusal::Untrusted,
        ErrorClass::Tampered => Refusal::Tampered,
    };
    because(what, &error, refusal)
}

/// The refusal for what the store will not do.
pub(crate) fn store<E: NorFlashError>(what: &str, error: &StoreError<E>) -> Refusal {
    let refusal = match error {
        StoreError::UnknownComponent => Refusal::UnknownComponent,
        StoreError::NoCapsule => Refusal::NoCapsule,
        StoreError::WrongComponent => Refusal::WrongComponent,
        StoreError::HeadLength => Refusal::TooLarge,
        StoreError::TooLarge { .. } => Refusal::NoSpace,
        StoreError::OldSequence { .. } => Refusal::OldSequence,
        StoreError::BelowFloor { .. } => Refusal::BelowFloor,
        StoreError::TrialPending => Refusal::TrialPending,
        StoreError::SlotLent => Refusal::Busy,
        StoreError::NoTransfer => Refusal::NoTransfer,
        StoreError::WrongOffset { .. } => Refusal::WrongOffset,
        StoreError::TooLong => Refusal::TooLong,
        StoreError::Incomplete { .. } => Refusal::Truncated,
        StoreError::OtherManifest | StoreError::WrongPayload => Refusal::WrongPayload,
        StoreError::NoTrial => Refusal::NoTrial,
        StoreError::NoPrevious => Refusal::NoPrevious,
        _ => Refusal::Internal,
    };
    because(what, error, refusal)
}
