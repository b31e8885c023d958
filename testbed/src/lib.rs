//! A bench with the real programs on it: the offline signer, the updater and
//! a device, each a process of its own. The demo and the end-to-end tests
//! are written against this.

#![forbid(unsafe_code)]

mod device;
mod programs;
mod workshop;

pub use device::{Device, DeviceOptions};
pub use programs::{Outcome, Programs};
pub use workshop::{Sign, Workshop};
