//! What a Sealift capsule is written with.
//!
//! A capsule is a `no_std` library of crate type `cdylib`, built for
//! `wasm32v1-none`, that exports one of two things:
//!
//! - a [`Capsule`], which stays on the device and answers CoAP requests:
//!   [`persistent!`];
//! - a [`Job`], which runs once and leaves its output: [`ephemeral!`];
//!   or functions that are run once, one of them: [`functions!`].
//!
//! This is all of one: a lamp that can be dimmed, and says so in the device's
//! log.
//!
//! ```
//! use sealift_guest::{Capsule, Line, Method, Request, Response, services};
//!
//! struct Lamp {
//!     percent: u32,
//! }
//!
//! impl Capsule for Lamp {
//!     fn start() -> Option<Self> {
//!         Some(Self { percent: 0 })
//!     }
//!
//!     fn resources(&self) -> &'static [&'static str] {
//!         &["brightness"]
//!     }
//!
//!     fn handle(&mut self, request: &Request<'_>) -> Response {
//!         match (request.path(), request.method()) {
//!             ("brightness", Method::Get) => {
//!                 Response::text(Line::<3>::new().number(self.percent).as_str())
//!             }
//!             ("brightness", Method::Put) => match request.number() {
//!                 Some(percent @ 0..=100) => {
//!                     self.percent = percent;
//!                     services::log("dimmed");
//!                     Response::changed()
//!                 }
//!                 _ => Response::bad_request(),
//!             },
//!             ("brightness", _) => Response::method_not_allowed(),
//!             _ => Response::not_found(),
//!         }
//!     }
//! }
//!
//! sealift_guest::persistent!(Lamp, panic = log);
//!
//! // And this is how it is tested; see `testing`.
//! # fn main() {
//! use sealift_guest::testing::Device;
//! use sealift_guest::Code;
//!
//! let device = Device::new();
//! let mut lamp = device.start::<Lamp>().unwrap();
//! assert_eq!(lamp.put("brightness", "40").code(), Code::CHANGED);
//! assert_eq!(lamp.get("brightness").text(), "40");
//! assert_eq!(lamp.put("brightness", "400").code(), Code::BAD_REQUEST);
//! assert_eq!(device.log(), ["dimmed"]);
//! # }
//! ```
//!
//! What a capsule calls of [`log!`], [`rng`], [`time`], [`sensors`], [`gpio`]
//! and [`udp`] becomes an import of its component and needs the grant of that
//! name when it is signed; what it does not call, does not.
//!
//! # Tests
//!
//! On a workstation the same crate runs on a device of [`testing`], so that
//! `cargo test` tests a capsule's logic.
//!
//! # Size
//!
//! Bytecode is about three times as long as Wasm, and it travels over the air.
//! This crate speaks the canonical ABI by hand, and nothing of it that a
//! capsule does not call is in the capsule. What is expensive in Rust:
//! `core::fmt` (some 8 kB; [`Line`] does without), `core::str::from_utf8`
//! (2 kB; [`Request::number`] does without), `Vec` that grows (3 kB), a panic
//! with a message, and the first copy of a length that the compiler does not
//! know.
#![no_std]

extern crate alloc;
#[cfg(not(target_arch = "wasm32"))]
extern crate std;

#[cfg(target_arch = "wasm32")]
mod abi;
mod bytes;
mod export;
mod format;
mod function;
#[cfg(any(target_arch = "wasm32", test))]
pub mod heap;
mod message;
pub mod services;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use alloc::{string::String, vec::Vec};
pub use export::{Capsule, Job};
pub use format::{Decimal, Line, Text};
pub use message::{Code, ContentFormat, Method, Request, Response};
pub use services::{Unavailable, gpio, rng, sensors, time, udp};

#[cfg(target_arch = "wasm32")]
use abi::bytes as allocate;
#[cfg(not(target_arch = "wasm32"))]
use testing::bytes as allocate;

#[doc(hidden)]
pub mod __private {
    #[cfg(target_arch = "wasm32")]
    pub use crate::abi::*;
    pub use crate::function::{Value, encode, length};
}
