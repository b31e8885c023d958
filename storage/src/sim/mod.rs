//! For tests: a flash that loses power, and what the store must make of it.
//!
//! [`MockFlash`] is a NOR flash in RAM that checks every access and cuts power
//! at any byte; [`Model`] says in a few lines what a component's state must be
//! after any operation; [`Driver`] does operations on both and compares them,
//! through cuts and restarts.

mod aged;
mod capsule;
mod driver;
mod fault;
mod flash;
mod model;
mod script;

pub use aged::age;
pub use capsule::Capsule;
pub use driver::Driver;
pub use fault::{Access, MockError, Torn};
pub use flash::MockFlash;
pub use model::{Model, Operation};
pub use script::{Outcome, Part, Script};
