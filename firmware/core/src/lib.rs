//! A Sealift device, without its I/O.
//!
//! A board hands datagrams to a [`Device`] and sends what comes back. Between
//! the two lies everything that a device decides:
//!
//! - [`sealift_oscore`] says who asks, or refuses;
//! - `route` and [`policy`](Policy) say what is asked for, and whether this
//!   peer may;
//! - `ota` and `install` take envelopes and payloads into the store, and
//!   [`Acceptance`] says which signed manifests this device takes;
//! - `trust` puts signed records of whom the device trusts in force;
//! - `asking` and `workers` have requests wait for capsules, which get slices
//!   of fuel in turn;
//! - `jobs` runs capsules that run once;
//! - `supervisor` starts capsules from flash, each time after the signature
//!   and the digest were checked again, and puts back what does not work;
//! - [`capsule`] runs them: the only code that touches Wasmtime.
//!
//! Errors go two ways: the exact cause to the log, a
//! [`Refusal`](sealift_wire::Refusal) to the peer.

#![no_std]
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

pub mod capsule;

mod acceptance;
mod asking;
mod block;
mod claim;
mod device;
mod install;
#[cfg_attr(not(feature = "jobs"), path = "no_jobs.rs")]
mod jobs;
mod ota;
mod policy;
mod refuse;
mod request;
mod response;
mod route;
mod sending;
mod service;
mod slots;
mod streams;
mod supervisor;
mod trust;
mod turns;
mod waiting;
mod workers;

pub use acceptance::{Acceptance, Limits};
pub use device::{BootError, Config, Device, Step};
pub use policy::Policy;
pub use sealift_manifest::Grants;
pub use sealift_provision::{Keys, Trust, TrustedKey};
pub use sealift_wire::Roles;
