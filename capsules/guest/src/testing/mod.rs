//! A device for tests on a workstation: `cargo test` in the capsule's crate.
//!
//! ```
//! use sealift_guest::testing::Device;
//! use sealift_guest::{Capsule, Code, Request, Response, services};
//!
//! struct Greeter;
//!
//! impl Capsule for Greeter {
//!     fn start() -> Option<Self> {
//!         Some(Self)
//!     }
//!
//!     fn handle(&mut self, request: &Request<'_>) -> Response {
//!         match (request.path(), request.parameter("name")) {
//!             ("hello", Some(_)) => {
//!                 services::log("greeted");
//!                 Response::text("hello")
//!             }
//!             ("hello", None) => Response::bad_request(),
//!             _ => Response::not_found(),
//!         }
//!     }
//! }
//!
//! let device = Device::new();
//! let mut greeter = device.start::<Greeter>().unwrap();
//! assert_eq!(greeter.get("hello?name=Ada").text(), "hello");
//! assert_eq!(greeter.get("goodbye").code(), Code::NOT_FOUND);
//! assert_eq!(device.log(), ["greeted"]);
//! ```

mod call;
mod device;
pub(crate) mod services;

use alloc::boxed::Box;
use core::mem::MaybeUninit;

pub use call::{Answer, Running};
pub use device::Device;

/// Bytes that are not written yet.
pub(crate) fn bytes(length: usize) -> Box<[MaybeUninit<u8>]> {
    Box::new_uninit_slice(length)
}
