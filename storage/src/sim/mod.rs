//! For tests: a flash that loses power, and what the store must make of it.
//!
//! [`MockFlash`] is a NOR flash in RAM that checks every access and cuts power
//! at any byte; [`Model`] says in a few lines what a component's state must be
//! after any operation; [`Driver`] does operations on both and compares them,
//! through cuts and restarts.

mod capsule;
mod driver;
mod flash;
mod model;

pub use capsule::Capsule;
pub use driver::{Driver, Outcome, Script};
pub use flash::{Access, MockError, MockFlash, Torn};
pub use model::{Model, Operation};
