//! Whom a device trusts, from the files that `signer keygen` and
//! `updater keygen` write.

extern crate std;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use std::path::{Path, PathBuf};

use sealift_credential::{Credential, pem};
use sealift_manifest::{KeyError, PublicKey};
use sealift_wire::Roles;

use crate::{Keys, Trust};

/// Why a file does not give a key or a credential.
#[derive(Debug)]
pub struct FileError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Read(std::io::Error),
    NotAKey,
    Key(KeyError),
    Credential(pem::PemError),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.why {
            Why::Read(error) => write!(f, "cannot be read: {error}"),
            Why::NotAKey => f.write_str("not an Ed25519 public key"),
            Why::Key(error) => write!(f, "{error}"),
            Why::Credential(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for FileError {}

/// The public key of a translator, from a PEM file.
fn trusted_key(path: &Path) -> Result<PublicKey, FileError> {
    let text = read(path)?;
    let key = ed25519_compact::PublicKey::from_pem(&text).map_err(|_| wrong(path, Why::NotAKey))?;
    PublicKey::from_bytes(&key).map_err(|error| wrong(path, Why::Key(error)))
}

/// A peer's public credential.
fn credential(path: &Path) -> Result<Credential, FileError> {
    pem::decode_credential(&read(path)?).map_err(|error| wrong(path, Why::Credential(error)))
}

/// Reads `ROLE=FILE`, an argument of a command line.
///
/// # Errors
///
/// What is wrong with it, for whoever typed it.
pub fn allowance(text: &str) -> Result<(Roles, PathBuf), &'static str> {
    let (role, path) = text.split_once('=').ok_or("expected ROLE=FILE")?;
    let role = Roles::from_name(role).ok_or("the role is not one of deploy, observe and use")?;
    Ok((role, path.into()))
}

/// Reads `ROLE=FILE` arguments into what a device trusts.
///
/// # Errors
///
/// [`FileError`].
pub fn trust(translators: Keys, allow: &[(Roles, PathBuf)]) -> Result<Trust, FileError> {
    let mut trust = Trust {
        translators,
        peers: Vec::new(),
    };
    for (roles, path) in allow {
        trust.allow(*roles, credential(path)?);
    }
    Ok(trust)
}

/// Public keys, from PEM files.
///
/// # Errors
///
/// [`FileError`].
pub fn keys(paths: &[PathBuf]) -> Result<Vec<PublicKey>, FileError> {
    paths.iter().map(|path| trusted_key(path)).collect()
}

fn read(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(|error| wrong(path, Why::Read(error)))
}

fn wrong(path: &Path, why: Why) -> FileError {
    let path = path.into();
    FileError { path, why }
}
