//! What requests cost a device: recordings of a real client and the device in
//! [`unit`], made by [`cases`], that [`mod@replay`] does again for Valgrind; and the
//! same cases on an emulated board, in [`board`].
//!
//! A crate of its own, so that there is no compiler in it, and the device core is
//! built as it ships.

#![deny(unsafe_code)]

pub mod board;
pub mod cases;
pub mod emulator;
pub mod peer;
pub mod replay;
pub mod stack;
pub mod steps;
pub mod unit;
