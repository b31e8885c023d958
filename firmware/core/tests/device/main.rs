//! The whole device, through its datagrams.

#[path = "../device_common/mod.rs"]
mod device_common;

mod datagrams;
mod exhaustive;
mod fairness;
mod nonces;
mod offers;
mod peers;
mod quota;
mod random;
mod room;
mod rules;
mod updates;
mod waiting;
