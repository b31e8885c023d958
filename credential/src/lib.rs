//! Who somebody is: credentials and identities, and the text files that they
//! are kept in.
//!
//! On its own, without the protocols that use it, because the offline signer
//! has to read credentials - a trust record names those of operators - and
//! must not depend on anything that speaks to a network.
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

#[cfg(feature = "pem")]
extern crate alloc;

mod credential;
#[cfg(feature = "pem")]
pub mod pem;

pub use credential::{
    Credential, CredentialError, Identity, MAX_CREDENTIAL, MAX_KID, MAX_SUBJECT, decompress,
};
