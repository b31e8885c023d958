//! What the microcontroller boards share: all but pins, memory map and drivers.
//!
//! A board makes its peripherals ready and then hands over, in this order:
//!
//! 1. [`heap::give`] memory, and [`logger::start`] the log;
//! 2. [`start`] a device with its flash, its random source and its [`Plan`];
//! 3. [`serve`] it on a UDP socket, for ever.

#![no_std]

extern crate alloc;

pub mod heap;
pub mod logger;
pub mod stack;

mod guest;
mod plan;
mod serve;

pub use guest::{BoardHost, Services};
pub use plan::{Plan, StartError, start};
pub use serve::{PORT, Sockets, serve};
