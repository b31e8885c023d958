//! What a Sealift capsule is written with.
//!
//! A capsule is a `no_std` library of crate type `cdylib`, built for
//! `wasm32v1-none`, that exports one of two things:
//!
//! - a [`Capsule`], which stays on the device and answers CoAP requests:
//!   [`persistent!`];
//! - a [`Job`], which runs once and leaves its output: [`ephemeral!`].
//!
//! ```ignore
//! #![no_std]
//! use sealift_guest::{Capsule, Method, Request, Response};
//!
//! struct Lamp { on: bool }
//!
//! impl Capsule for Lamp {
//!     fn start() -> Option<Self> { Some(Self { on: false }) }
//!     fn resources(&self) -> &[&str] { &["on"] }
//!     fn handle(&mut self, request: &Request<'_>) -> Response {
//!         if !request.path_is(&["on"]) { return Response::not_found(); }
//!         match request.method() {
//!             Method::Get => Response::text(if self.on { "yes" } else { "no" }),
//!             Method::Put => { self.on = request.payload() == b"yes"; Response::changed() }
//!             _ => Response::method_not_allowed(),
//!         }
//!     }
//! }
//! sealift_guest::persistent!(Lamp);
//! ```
//!
//! What a capsule calls of [`log!`], [`rng`], [`time`] and [`sensors`] becomes
//! an import of its component and needs the grant of that name when it is
//! signed; what it does not call, does not.
//!
//! The crate brings the global allocator ([`heap`]). The panic handler comes
//! with the export macro: it traps, or with `panic = log` first writes the
//! message to the log, which then is an import.
#![no_std]

extern crate alloc;

mod export;
mod format;
pub mod heap;
mod message;
pub mod services;

pub use export::{Capsule, Job};
pub use format::{Decimal, Line};
pub use message::{Method, Request, Response, TEXT};
pub use services::{rng, sensors, time};

#[doc(hidden)]
pub mod __private {
    pub use crate::export::{Global, answer, ephemeral, persistent, resources, start};
}
pub use alloc::{string::String, vec::Vec};

#[global_allocator]
static HEAP: heap::Heap = heap::Heap::new();
