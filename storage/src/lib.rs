//! Power-fail-safe dual-slot store for capsules on NOR flash.

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

#[cfg(any(test, feature = "sim"))]
extern crate std;

mod component;
mod error;
mod journal;
mod layout;
mod media;
mod record;
mod region;
mod slot;
mod state;
mod status;
mod store;
mod transfer;

#[cfg(feature = "sim")]
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "for tests, where a panic is a failure found"
)]
pub mod sim;

pub use error::Error;
pub use layout::{HEAD_AREA, JOURNAL_PAGES, Layout, LayoutError};
pub use region::{Region, RegionError};
pub use slot::{Lease, Slot};
pub use status::{ComponentStatus, Opened, Phase, SlotId, SlotInfo, Transfer};
pub use store::Store;
