//! Translator keys, and the strict check of a signature.

use core::fmt;

use ed25519_compact::Error as CurveError;
use sha2::{Digest as _, Sha256};

use crate::{Error, KeyError};

/// Names a public key: the first 8 bytes of its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) [u8; 8]);

impl KeyId {
    /// The bytes that stand in an envelope as `kid`.
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A key that is trusted, and what for.
pub trait Anchor {
    /// The key.
    fn key(&self) -> &PublicKey;

    /// Whether it may sign for the component of this name.
    fn may_sign(&self, component: &str) -> bool;
}

/// A bare key may sign for everything.
impl Anchor for PublicKey {
    fn key(&self) -> &PublicKey {
        self
    }

    fn may_sign(&self, _: &str) -> bool {
        true
    }
}

/// The public key of a translator, checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey {
    key: ed25519_compact::PublicKey,
    id: KeyId,
}

impl PublicKey {
    /// Takes the 32 bytes of an Ed25519 public key (RFC 8032, section 5.1.2).
    ///
    /// # Errors
    ///
    /// [`KeyError::NotAPoint`] if they are not the canonical encoding of a
    /// point on the curve, [`KeyError::SmallOrder`] if that point is one for
    /// which signatures can be forged.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = ed25519_compact::PublicKey::new(*bytes);
        key.validate().map_err(|error| match error {
            CurveError::WeakPublicKey => KeyError::SmallOrder,
            _ => KeyError::NotAPoint,
        })?;
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(bytes));
        Ok(Self {
            key,
            id: KeyId([a, b, c, d, e, f, g, h]),
        })
    }

    /// The 32 bytes of the key.
    pub fn to_bytes(&self) -> [u8; 32] {
        *self.key
    }

    /// The name of this key in envelopes.
    pub const fn key_id(&self) -> KeyId {
        self.id
    }

    /// Checks a signature over the message that `parts` make together.
    ///
    /// Beside the equation itself this refuses what would let one signature
    /// have two encodings or fit more than one message: a scalar that is not
    /// reduced, and a point R that is not canonical or of small order. The
    /// equation is the one with the cofactor (RFC 8032, section 5.1.7).
    pub(crate) fn check(&self, parts: &[&[u8]], signature: &[u8; 64]) -> Result<(), Error> {
        let signature = ed25519_compact::Signature::new(*signature);
        let mut state = self
            .key
            .verify_incremental(&signature)
            .map_err(|error| match error {
                CurveError::NonCanonical => Error::SignatureScalar,
                _ => Error::SignaturePoint,
            })?;
        for part in parts {
            state.absorb(part);
        }
        state.verify().map_err(|_| Error::SignatureMismatch)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}
