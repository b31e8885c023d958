//! Capsules on the device's runtime, without the device around it.

#[path = "../capsule_common/mod.rs"]
mod capsule_common;

mod built;
mod faults;
mod foreign;
mod functions;
mod gpio_udp;
mod grants;
mod host_calls;
mod hostile;
mod needs;
mod slices;
