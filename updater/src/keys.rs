//! Files with credentials: making, loading, and never writing over one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use rand_core::OsRng;
use sealift_oscore::credential::MAX_SUBJECT;
use sealift_oscore::pem::{self, PemError};
use sealift_oscore::{Credential, CredentialError, Identity};

/// Why a file with a credential was not made or not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is a file already, and it is not overwritten.
    #[error("{} exists and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// The private file would have the name of the public one.
    #[error("{} is the name for the public part", .0.display())]
    Name(PathBuf),
    /// The name to put into the credential is not possible.
    #[error("the name cannot be used: {0}")]
    Subject(CredentialError),
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {source}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: PemError,
    },
}

/// Files that were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The file with the public credential.
    pub public: PathBuf,
    /// The name in the credential.
    pub name: String,
}

/// Makes a new credential: the private file `out`, readable by its owner only,
/// and beside it the public one with the extension `pub`. The name in it is the
/// one of the file where none is given.
///
/// # Errors
///
/// [`KeyError`]. No file is left behind then, and none is ever overwritten.
pub fn generate(out: &Path, name: Option<&str>) -> Result<Made, KeyError> {
    let public = out.with_extension("pub");
    if public == out {
        return Err(KeyError::Name(public));
    }
    if public.symlink_metadata().is_ok() {
        return Err(KeyError::Exists(public));
    }
    let name = match name {
        Some(name) => name.to_owned(),
        None => file_name(out),
    };
    let identity = Identity::generate(&name, &mut OsRng).map_err(KeyError::Subject)?;
    write_new(out, 0o600, pem::encode_identity(&identity).as_bytes())?;
    let text = pem::encode_credential(identity.credential());
    if let Err(error) = write_new(&public, 0o644, text.as_bytes()) {
        // The pair or nothing; this file is ours.
        let _ = fs::remove_file(out);
        return Err(error);
    }
    Ok(Made { public, name })
}

/// Loads a private file.
///
/// # Errors
///
/// [`KeyError::Io`], [`KeyError::Content`].
pub fn load_identity(path: &Path) -> Result<Identity, KeyError> {
    let text = zeroize::Zeroizing::new(read(path)?);
    let identity = pem::decode_identity(&text).map_err(|source| content(path, source))?;
    warn_if_exposed(path);
    Ok(identity)
}

/// Loads a public file.
///
/// # Errors
///
/// [`KeyError::Io`], [`KeyError::Content`].
pub fn load_credential(path: &Path) -> Result<Credential, KeyError> {
    pem::decode_credential(&read(path)?).map_err(|source| content(path, source))
}

/// The name of a file without its extension, cut to what a credential holds.
fn file_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut name = String::new();
    for c in stem.chars().filter(|c| !c.is_control()) {
        if name.len() + c.len_utf8() > MAX_SUBJECT {
            break;
        }
        name.push(c);
    }
    name
}

fn read(path: &Path) -> Result<String, KeyError> {
    fs::read_to_string(path).map_err(|source| io_error(path, source))
}

/// Writes a new file, with this mode where there are modes.
///
/// # Errors
///
/// [`KeyError::Exists`], [`KeyError::Io`]. No part of it is left behind then.
pub fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), KeyError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => KeyError::Exists(path.to_owned()),
        _ => io_error(path, source),
    })?;
    let written = file.write_all(bytes).and_then(|()| File::sync_all(&file));
    written.map_err(|source| {
        let _ = fs::remove_file(path);
        io_error(path, source)
    })
}

#[cfg(unix)]
fn warn_if_exposed(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let exposed = fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0);
    if exposed {
        log::warn!("{} can be read by others: chmod 600 it", path.display());
    }
}

#[cfg(not(unix))]
fn warn_if_exposed(_path: &Path) {}

fn io_error(path: &Path, source: io::Error) -> KeyError {
    KeyError::Io {
        path: path.to_owned(),
        source,
    }
}

fn content(path: &Path, source: PemError) -> KeyError {
    KeyError::Content {
        path: path.to_owned(),
        source,
    }
}
