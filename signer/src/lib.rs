//! The translator: Wasm in, a signed SUIT envelope with Pulley bytecode out.
//!
//! Wasmtime's `deserialize` is unsafe on bytes that its own compiler did not
//! write. A device makes that call on nothing but what a translator has
//! signed, and so this crate signs nothing but bytecode that it has itself
//! just produced: [`sign`] takes Wasm, and there is no way to hand it a
//! payload.
//!
//! - [`translate`]: checks a capsule against the capsule WIT, translates it
//!   and loads the result again as a device would.
//! - [`sign`]: translates, and signs the result with a [`Key`].
//! - [`cosign`]: adds a signature, after translating again.
//! - [`sign_trust`]: signs, with a root key, whom devices trust.
//! - [`inspect`] and [`verify`]: what an envelope says, and whether it is
//!   true, up to translating the source again and comparing byte for byte.
//! - [`payload_without`]: what each step of the translation is worth.
//!
//! It works offline: no network code, and no dependency that has any.

#![deny(unsafe_code)]

mod artifact;
mod cosign;
mod depth;
mod envelope;
mod error;
mod files;
mod flags;
mod identity;
mod key;
mod load;
mod measure;
mod needs;
mod printable;
mod sign;
mod slim;
mod translate;
mod trust;
mod wasm;
mod wit;

pub use artifact::Section;
pub use cosign::cosign;
pub use envelope::{Checked, Inspection, PayloadAt, inspect, verify};
pub use error::{Error, Result};
pub use files::{
    read, read_key, read_public_key, refuse_overwriting, write_key_pair, write_together,
};
pub use identity::{class_id, vendor_id};
pub use key::{Key, from_public_pem, to_public_pem};
pub use measure::{Step, payload_without};
pub use printable::printable;
pub use sign::{SignRequest, Signed, sign};
pub use slim::slim;
pub use translate::{Sizes, Translation, translate};
pub use trust::{Peer, Translator, TrustRequest, Trusted, sign_trust};

pub use sealift_engine::Target;
pub use sealift_manifest::{Grants, Kind, PublicKey};
pub use sealift_provision::{Keys, Trust, TrustedKey, files as trust_files};
