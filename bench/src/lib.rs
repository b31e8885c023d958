//! What is measured, and how. The figures are in `README.md`, and a test
//! checks that they are those that the code here gives.

#![deny(unsafe_code)]

mod heap;
pub mod payloads;
pub mod store;
