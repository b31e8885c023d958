//! The SUIT profile of Sealift: what a translator signs and a device checks.
//!
//! An *envelope* (draft-ietf-suit-manifest, CBOR tag 107) carries one
//! *manifest*, which describes one payload for one component, and the
//! signatures over it. This crate decodes and verifies envelopes without
//! `std`, without an allocator and without panicking on any input; with the
//! feature `encode` it also builds them.
//!
//! # The promise
//!
//! [`Verified`] has no public constructor. The only ways to a
//! `Verified<Manifest>` and a `Verified<Payload>` are [`verify`] and
//! [`Verified::admit`], so a function that takes one cannot be called with
//! bytes that nobody checked. [`verify`] looks at the manifest only after its
//! digest and every signature were found good: until then it is an opaque byte
//! string.
//!
//! # One envelope, one byte string
//!
//! Encoding is deterministic (RFC 8949, section 4.2.1) and there is exactly
//! one command sequence for each [`Delivery`]. The decoder takes that shape
//! and no other: no longer integers than needed, no indefinite lengths, keys
//! in order, nothing unknown, nothing behind the end. Nothing in the shape
//! nests freely, so depth is bounded by construction.
//!
//! ```text
//! 107({
//!   2: << [ << [-16, sha256(bstr of the manifest)] >>,
//!           << 18([ << {1: -19, 4: kid} >>, {}, null, signature ]) >>, ... ] >>,
//!   3: << {
//!     1: 1, 2: sequence-number,
//!     3: << { 2: [[ 'vm1' ]],
//!             4: << [20, {1: vendor, 2: class, 3: << [-16, sha256] >>, 14: size},
//!                    1, 15, 2, 15] >> } >>,
//!     7: << [3, 15] >>,
//!     9: << [20, {23: << invoke-args >>}, 23, 2] >>,
//!     16: << [20, {21: "vm1/payload"}, 21, 2, 3, 15] >>,   ; detached only
//!     20: << [3, 15] >>,                                    ; detached
//!     20: << [20, {21: "#capsule"}, 21, 2, 3, 15] >>,       ; integrated
//!     23: [-16, sha256(bstr of the text)]                   ; if there is text
//!   } >>,
//!   23: << text >>,                                         ; severable
//!   "#capsule": payload                                     ; integrated only
//! })
//! ```
//!
//! Every signature present has to be good and by a trusted key, and there have
//! to be as many as verifier and manifest ask for; see [`verify_threshold`].
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unreachable,
        clippy::todo
    )
)]

#[cfg(feature = "encode")]
extern crate alloc;

mod authentication;
mod cbor;
mod envelope;
mod error;
mod invoke;
mod key;
mod labels;
mod manifest;
mod verified;

#[cfg(feature = "encode")]
mod encode;
#[cfg(feature = "encode")]
mod inspect;
#[cfg(feature = "encode")]
mod text;

pub use authentication::MAX_SIGNATURES;
pub use envelope::{Scan, scan_head};
pub use error::{Error, ErrorClass, KeyError};
pub use invoke::{Grants, InvokeArgs, Kind, MAX_PROFILE};
pub use key::{Anchor, KeyId, PublicKey};
pub use manifest::{Delivery, MAX_COMPONENT, Manifest, is_component};
pub use verified::{Payload, PayloadCheck, Verified, verify, verify_threshold};

#[cfg(feature = "encode")]
pub use encode::{
    EncodeError, InvokeSpec, ManifestSpec, Sign, add_signature, build_envelope, encode_manifest,
    sever_text,
};
#[cfg(feature = "encode")]
pub use inspect::{Inspected, Unverified, inspect};
#[cfg(feature = "encode")]
pub use text::{Text, TextError};

/// The longest envelope head that a device takes, in bytes.
///
/// The *head* of an envelope is everything but the bytes of an integrated
/// payload: of a detached one the whole envelope, of an integrated one all up
/// to and including the byte string header of [`PAYLOAD_KEY`], which sorts
/// last. So head and payload put together are the envelope.
pub const MAX_HEAD: usize = 1024;

/// The component of trust records: what a device trusts, rather than a capsule.
/// Keys that sign for it sign for nothing else.
pub const TRUST: &str = "trust";

/// The engine profile of a trust record: no engine runs it, so that no device
/// can take it for a capsule, or a capsule for it.
pub const TRUST_PROFILE: &str = "sealift-trust/1";

/// The envelope key under which an integrated payload stands, and the URI by
/// which the manifest refers to it.
pub const PAYLOAD_KEY: &str = "#capsule";
