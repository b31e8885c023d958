//! Sends capsules to devices and manages them: a CoAP client (RFC 7252, 7959)
//! with EDHOC (RFC 9528) and OSCORE (RFC 8613).
//!
//! [`Client`] is the way in: [`Client::connect`] authenticates both sides,
//! [`Client::push`] installs a capsule and resumes an interrupted transfer,
//! [`Client::request`] is anything else. Below it, [`exchange`] is the message
//! layer, [`rtt`] how long it waits and [`blocks`] the arithmetic of block-wise
//! transfer; none of them does I/O, which is behind [`Transport`].
//!
//! The updater holds no translator key and verifies no signature: what it sends
//! is for the device to judge.
#![forbid(unsafe_code)]

mod address;
pub mod blocks;
mod client;
mod error;
pub mod exchange;
mod handshake;
pub mod keys;
mod link;
mod package;
mod push;
mod request;
pub mod rtt;
mod session;
#[cfg(feature = "program")]
pub mod show;
mod transport;

pub use address::Address;
pub use blocks::BlockSize;
pub use client::{Client, Config};
pub use error::{Advice, Error, printable};
pub use exchange::Params;
pub use link::Traffic;
pub use package::{Package, check_integrated};
pub use push::{Event, Flow, Outcome, Pushed};
pub use request::{Code, Method, Request, Response, code_name, is_success};
pub use transport::{Transport, Udp};
