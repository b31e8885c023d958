//! Text files (RFC 7468) for credentials and identities.
//!
//! A credential file is one block `EDHOC CREDENTIAL`: the encoded claims set. An
//! identity file is that block and after it one block `EDHOC PRIVATE KEY`: the
//! 32-byte scalar. Nothing else is accepted but white space before, between and
//! after them.

use crate::credential::{Credential, CredentialError, Identity};
use alloc::string::String;
use pem_rfc7468::LineEnding;
use zeroize::Zeroizing;

const CREDENTIAL: &str = "EDHOC CREDENTIAL";
const PRIVATE_KEY: &str = "EDHOC PRIVATE KEY";

/// Why a file was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PemError {
    /// There is no block where one is due.
    MissingCredential,
    /// An identity file has no private key after the credential.
    MissingPrivateKey,
    /// A credential file that also holds a private key, or something else after it.
    Trailing,
    /// A block has another label than the one that is due.
    Label,
    /// A block is not well-formed.
    Encoding,
    /// The private key does not have 32 bytes.
    KeyLength,
    /// What the blocks hold is not valid.
    Credential(CredentialError),
}

impl PemError {
    /// A stable number for this error; the ones of [`CredentialError`] are below 20.
    pub const fn code(self) -> u8 {
        match self {
            Self::Credential(error) => error.code(),
            Self::MissingCredential => 20,
            Self::MissingPrivateKey => 21,
            Self::Trailing => 22,
            Self::Label => 23,
            Self::Encoding => 24,
            Self::KeyLength => 25,
        }
    }
}

impl core::fmt::Display for PemError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Credential(error) => return error.fmt(f),
            Self::MissingCredential => "there is no EDHOC CREDENTIAL block",
            Self::MissingPrivateKey => "there is no EDHOC PRIVATE KEY block after the credential",
            Self::Trailing => "there is something after the credential; is it a private file?",
            Self::Label => "a block has an unexpected label",
            Self::Encoding => "a block is not well-formed PEM",
            Self::KeyLength => "the private key does not have 32 bytes",
        })
    }
}

impl core::error::Error for PemError {}

impl From<CredentialError> for PemError {
    fn from(error: CredentialError) -> Self {
        Self::Credential(error)
    }
}

/// The text of a public file.
pub fn encode_credential(credential: &Credential) -> String {
    pem_rfc7468::encode_string(CREDENTIAL, LineEnding::LF, credential.as_bytes())
        .unwrap_or_default()
}

/// Reads a public file: a credential and nothing else.
///
/// # Errors
/// One variant for each way in which it is not one.
pub fn decode_credential(text: &str) -> Result<Credential, PemError> {
    let (block, rest) = split(text).ok_or(PemError::MissingCredential)?;
    if !rest.trim().is_empty() {
        return Err(PemError::Trailing);
    }
    Ok(Credential::parse(&bytes(block, CREDENTIAL)?)?)
}

/// The text of a private file. It holds the private key: give the file mode 0600.
pub fn encode_identity(identity: &Identity) -> Zeroizing<String> {
    let mut text = encode_credential(identity.credential());
    let key = Zeroizing::new(
        pem_rfc7468::encode_string(PRIVATE_KEY, LineEnding::LF, identity.private_key())
            .unwrap_or_default(),
    );
    // One exact allocation: growing would leave a copy of the key behind.
    text.reserve_exact(key.len());
    text.push_str(&key);
    Zeroizing::new(text)
}

/// Reads a private file: a credential, then its private key.
///
/// # Errors
/// One variant for each way in which it is not one.
pub fn decode_identity(text: &str) -> Result<Identity, PemError> {
    let (block, rest) = split(text).ok_or(PemError::MissingCredential)?;
    let credential = Credential::parse(&bytes(block, CREDENTIAL)?)?;
    let (block, rest) = split(rest).ok_or(PemError::MissingPrivateKey)?;
    if !rest.trim().is_empty() {
        return Err(PemError::Trailing);
    }
    let key = Zeroizing::new(bytes(block, PRIVATE_KEY)?);
    let key = key
        .first_chunk::<32>()
        .filter(|_| key.len() == 32)
        .ok_or(PemError::KeyLength)?;
    Ok(Identity::new(key, credential)?)
}

/// The block that the text starts with, and the text after its last line.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if !text.starts_with("-----BEGIN ") {
        return None;
    }
    let end = text.find("-----END ")?;
    let line = text.get(end..)?.find('\n');
    let after = match line {
        Some(length) => end.checked_add(length)?.checked_add(1)?,
        None => text.len(),
    };
    text.split_at_checked(after)
}

fn bytes(block: &str, label: &str) -> Result<alloc::vec::Vec<u8>, PemError> {
    let (found, bytes) =
        pem_rfc7468::decode_vec(block.as_bytes()).map_err(|_| PemError::Encoding)?;
    if found != label {
        return Err(PemError::Label);
    }
    Ok(bytes)
}
