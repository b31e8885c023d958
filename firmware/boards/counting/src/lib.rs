//! Counts instructions on the emulated boards: what a device and a loop share.
//!
//! QEMU, told with `-icount` that each instruction takes the same time, makes its
//! clock a counter of instructions. A program here does what the host asks for,
//! one [`Task`] after the other, and says of each how many instructions it took:
//!
//! - [`start`] makes the machine ready;
//! - [`Host`] is who asks, by semihosting;
//! - [`counted`] does something and counts;
//! - [`Flash`] is the flash of a device, [`clock`] its time.
//!
//! None of this is in the images that ship.

#![no_std]

extern crate alloc;

pub mod clock;
mod flash;
mod host;
#[cfg_attr(target_arch = "arm", path = "cortex_m.rs")]
#[cfg_attr(target_arch = "riscv32", path = "riscv.rs")]
mod machine;
mod start;

pub use flash::{Flash, WORD};
pub use host::{Host, Task};
pub use machine::counted;
pub use start::start;
