//! What the fuzzers do with an input, without the fuzzers: the device in memory,
//! its peers, and what must hold.
//!
//! - [`Target`]: the things that are fuzzed; [`Target::run`] takes any bytes and
//!   panics where something is wrong.
//! - [`Script`]: how bytes are read as steps; [`mutate`]: how they are changed.
//!   (Two targets, below the device, have inputs that are no scripts.)
//! - [`Target::seeds`]: real exchanges to start from.
//! - [`promise`]: signed manifests, and [`config`]: a device that takes them.
//! - [`memory`]: counts what the device holds.
//!
//! libFuzzer calls this from `fuzz/fuzz_targets`, a test here with what is in
//! `fuzz/seeds` and `fuzz/regressions`.

#![deny(unsafe_code)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

mod device;
mod fixtures;
mod link;
pub mod memory;
mod mutate;
pub mod promise;
mod rig;
mod rng;
mod script;
mod seeds;
mod targets;
mod trace;

pub use device::config;
pub use fixtures::FOLDER;
pub use mutate::{cross, mutate, plain};
pub use rng::Rng;
pub use script::{MAX_STEPS, Script, Step, patch};
pub use targets::Target;
pub use trace::Trace;
