//! What a device and its updater say to each other above CoAP: the resource
//! paths, the roles, the status map and the refusals. Both sides use this one definition.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

extern crate alloc;

mod refusal;
mod roles;
mod status;

pub use refusal::Refusal;
pub use roles::Roles;
pub use status::{ComponentStatus, DeviceStatus, Phase, StatusError, Transfer};

/// First path segment of the resources that manage components.
pub const VM_CONTROL: &str = "vm-control";
/// Path of the resource that runs ephemeral capsules.
pub const VM_RUN: &str = "vm-run";
/// Last segment of the resource that takes a detached payload.
pub const PAYLOAD: &str = "payload";
/// Last segment of the resource that confirms a trial.
pub const CONFIRM: &str = "confirm";
/// Last segment of the resource that puts the previous capsule back.
pub const ROLLBACK: &str = "rollback";
