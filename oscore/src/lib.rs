//! Secured CoAP for small devices: messages (RFC 7252, 7959), OSCORE (RFC 8613)
//! and EDHOC (RFC 9528, by `lakers`), client and server, without I/O. What a
//! server allocates is bounded: the peers' credentials, its tables of sessions and
//! of half-open key exchanges, and what it sent and may have to send again.
//!
//! - [`coap`]: message codec.
//! - [`context`], [`protect`]: OSCORE security contexts, protecting and unprotecting.
//! - [`credential`]: who somebody is: credentials and identities.
//! - [`edhoc`]: the key exchange.
//! - [`server`]: the device side: one call for each datagram.
//! - [`client`]: the operator side.
//! - `pem`: text files for credentials and identities (feature `pem`).
//!
//! Any datagram is safe to hand to [`server::Server::receive`]: nothing panics,
//! loops or changes an established session unless it has been authenticated.
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

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod client;
pub mod coap;
pub mod context;
pub mod edhoc;
mod error;
pub mod protect;
pub mod server;
#[cfg(test)]
mod vectors;

pub use client::{ClientContext, ClientHandshake};
pub use error::Error;
pub use sealift_credential as credential;
#[cfg(feature = "pem")]
pub use sealift_credential::pem;
pub use sealift_credential::{Credential, CredentialError, Identity};
pub use server::{Incoming, PeerIndex, Request, Server, SessionId};

/// Longest datagram that is sent or taken, in bytes: a block of 1024 bytes with
/// its options and the OSCORE overhead, and small enough for the IPv6 minimum
/// MTU of 1280 without fragments (40 bytes of IPv6, 8 of UDP).
pub const MAX_DATAGRAM: usize = 1232;

/// Bytes that protecting adds to an inner message at the most: header 4, token 8,
/// OSCORE option 1 + 1 + 13, payload marker 1, tag 8.
pub const MAX_OVERHEAD: usize = 36;

/// Longest EDHOC message with its connection identifier in front, in bytes.
pub const MAX_EDHOC: usize = 200;
