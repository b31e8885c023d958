//! Attacks on envelopes, and on what is stored of them, on a whole device.
//! Each is refused for the reason that it is made for, changes nothing, and the
//! device serves on. The attacks themselves are the folders of
//! `manifest/attacks`; here are those that are no single envelope, too.
//! `threat-model/attacks.md` lists them.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

#[path = "../device_common/mod.rs"]
mod device_common;

#[path = "../../../../manifest/tests/common/craft.rs"]
#[allow(dead_code, reason = "the manifest's own tests use more of it")]
mod craft;

mod bench;
mod encodings;
mod flash;
mod folders;
mod numbers;
