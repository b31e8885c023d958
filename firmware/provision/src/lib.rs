//! What makes a device this device, kept in flash beside its store: its own
//! key, which it makes itself at its first start, and whom it trusts, which
//! its owner writes to it before that.
//!
//! | pages, from an address of the board's choice | |
//! |---|---|
//! | 2 | [`identity`]: the device's key, two copies |
//! | 1 | [`Provision`]: translator keys, credentials and their roles |
//!
//! Nothing here is part of the store, and no peer can change it: who provisions
//! a device has it on the desk. What a device trusts can change all the same, if
//! it was provisioned with root keys: a [`Trust`] that they signed takes the
//! place of the one here. That is kept in the store, and checked at every start.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unreachable,
        clippy::todo
    )
)]

extern crate alloc;

#[cfg(feature = "files")]
pub mod files;
pub mod identity;
mod record;
mod trust;
pub mod wifi;

use embedded_storage::nor_flash::NorFlash;

pub use record::{MAX_RECORD, Provision, ProvisionError};
pub use trust::{Keys, MAX_PEERS, MAX_TRUST, Trust, TrustError, TrustedKey};

/// Flash pages that identity and provisioning take.
pub const PAGES: u32 = identity::PAGES.saturating_add(1);

/// Reads what a device was provisioned with; `base` is the address of the first
/// of the [`PAGES`].
///
/// # Errors
///
/// [`ProvisionError`]: without a good record there is nobody to trust.
pub fn read<F: NorFlash>(flash: &mut F, base: u32) -> Result<Provision, ProvisionError> {
    let page = u32::try_from(F::ERASE_SIZE).map_err(|_| ProvisionError::Flash)?;
    let start = page
        .checked_mul(identity::PAGES)
        .and_then(|offset| base.checked_add(offset))
        .ok_or(ProvisionError::Flash)?;
    let mut record = alloc::vec![0; MAX_RECORD.min(F::ERASE_SIZE)];
    flash
        .read(start, &mut record)
        .map_err(|_| ProvisionError::Flash)?;
    Provision::decode(&record)
}
