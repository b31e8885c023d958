//! What requests cost a device: recordings of a real client and the device in
//! [`unit`], made by [`cases`], that [`mod@replay`] does again for Valgrind.
//!
//! A crate of its own, so that there is no compiler in it, and the device core is
//! built as it ships.

#![deny(unsafe_code)]

pub mod cases;
pub mod peer;
pub mod replay;
pub mod stack;
pub mod steps;
pub mod unit;
