//! The threat model of Sealift, held against the source.
//!
//! The model itself is prose and two tables, beside this crate:
//! `README.md` and a page for each trust boundary, `threats.toml` with an
//! entry for each threat, and `unsafe.toml` with an entry for each file that
//! has unsafe code. A claim in them is worth as much as its test, so this
//! crate checks that the tests are there:
//!
//! - [`check`] holds `threats.toml` against the tests in the source, the
//!   paths that it names, the pages and RFC 9124;
//! - [`census`] holds `unsafe.toml` against the `unsafe` in the source.
//!
//! Both return everything that is wrong, not the first of it. The tests of
//! this crate run them on the tree, and on copies of the tables that were
//! broken in one place each.
//!
//! # Tags
//!
//! `threats.toml` is the one place that says which test holds which threat. A
//! test may point back to it, for whoever reads the test:
//!
//! ```text
//! /// Threat: NET-4
//! #[test]
//! fn a_replay_is_not_done_again() {
//! ```
//!
//! Such a tag has to name a threat that there is, and one that names this test.

#![forbid(unsafe_code)]

mod census;
mod check;
mod pages;
mod print;
mod problem;
mod rfc9124;
mod source;
mod table;

pub use census::{Census, UnsafeFile, census};
pub use check::check;
pub use pages::Pages;
pub use print::{entry, overview};
pub use problem::Problem;
pub use rfc9124::{REQUIREMENTS, THREATS};
pub use source::{Scanned, Sources, Test};
pub use table::{Status, Stride, Table, Threat};
