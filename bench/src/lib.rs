//! What is measured, and how. The figures are in `README.md`, and a test
//! checks that they are those that the code here gives.

#![forbid(unsafe_code)]

pub mod store;
