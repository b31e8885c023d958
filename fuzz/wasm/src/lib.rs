//! What the fuzzers with a compiler in them do with an input, and what the
//! tests of translation do with a module: both have this in common.
//!
//! - [`translated`]: bytes are a generated module, which is refused with a
//!   reason or does on a device what it does as machine code ([`compare()`]).
//! - [`signer`]: bytes are what somebody gives the signer as Wasm.
//! - [`seeds`]: inputs to start from.
//! - [`smith`]: modules from a program that makes them, for tests.
//!
//! wasm-smith is not among the dependencies: it turns on features of crates
//! that Cranelift has in common with it, and a workspace with both compiles
//! Cranelift twice. The fuzzer has it, and tests start a program.

#![forbid(unsafe_code)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "lengths and indices of test data are small"
)]

pub mod calls;
mod compare;
pub mod device;
pub mod oracle;
pub mod seeds;
pub mod signer;
pub mod smith;
pub mod wrap;

pub use compare::{
    FUEL, FUEL_OF_WRAPPING, MEMORY, Outcome, Tally, compare, compare_with, damaged, differential,
};

use arbitrary::Unstructured;

/// Runs an input of the target `translated`: a module that `module` makes of
/// the bytes, and calls of what is left of them.
///
/// # Panics
///
/// Where the device and the machine code differ, or the signer takes what it
/// should refuse.
pub fn translated(
    input: &[u8],
    module: impl FnOnce(&mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>>,
) -> Tally {
    differential(input, module).unwrap_or_else(|difference| panic!("{difference}"))
}
