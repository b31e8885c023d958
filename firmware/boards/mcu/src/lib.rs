//! What the microcontroller boards share: all but pins, memory map and drivers.
//!
//! A board makes its peripherals ready and then hands over, in this order:
//!
//! 1. give `heap` memory, and start the `logger`, where there is no operating
//!    system that has both;
//! 2. [`boot`] a device with its flash, its random source and its [`Plan`];
//! 3. start a [`network`], and [`serve`] the device on a UDP socket, for ever.

#![no_std]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unreachable,
    clippy::todo
)]

extern crate alloc;

#[cfg(all(feature = "bare", target_arch = "arm"))]
pub mod cortex;
#[cfg(feature = "bare")]
pub mod heap;
#[cfg(feature = "bare")]
pub mod logger;
#[cfg(feature = "rtt")]
pub mod rtt;
#[cfg(feature = "bare")]
pub mod stack;

mod board;
mod guest;
mod network;
mod plan;
mod port;
mod serve;
mod thermometer;

pub use board::{BoardDevice, NAMES, Random, SESSIONS, boot, fork};
pub use guest::{BoardHost, Services};
#[cfg(feature = "dhcp")]
pub use network::dhcp;
pub use network::{fixed, network};
pub use plan::{Plan, StartError, start};
pub use serve::{PORT, serve};
pub use thermometer::Thermometer;
