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
//! ```
//! use sealift_guest::{Capsule, Method, Request, Response};
//!
//! struct Lamp {
//!     on: bool,
//! }
//!
//! impl Capsule for Lamp {
//!     fn start() -> Option<Self> {
//!         Some(Self { on: false })
//!     }
//!
//!     fn resources(&self) -> &'static [&'static str] {
//!         &["on"]
//!     }
//!
//!     fn handle(&mut self, request: &Request<'_>) -> Response {
//!         match (request.path(), request.method()) {
//!             ("on", Method::Get) => Response::text(if self.on { "yes" } else { "no" }),
//!             ("on", Method::Put) => {
//!                 self.on = request.payload() == b"yes";
//!                 Response::changed()
//!             }
//!             ("on", _) => Response::method_not_allowed(),
//!             _ => Response::not_found(),
//!         }
//!     }
//! }
//! sealift_guest::persistent!(Lamp);
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
//! (2 kB), `Vec` that grows (3 kB), a panic with a message.
#![no_std]

extern crate alloc;
#[cfg(not(target_arch = "wasm32"))]
extern crate std;

#[cfg(target_arch = "wasm32")]
mod abi;
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
