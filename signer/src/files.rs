//! Key files and output files: private where they are secret, whole or not
//! there at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sealift_manifest::PublicKey;
use tempfile::{Builder, NamedTempFile};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::key::{Key, from_public_pem, to_public_pem};

/// The longest key file that is read, in bytes.
const MAX_KEY_FILE: u64 = 16 * 1024;

/// What private keys are called in PEM, encrypted or not.
const PRIVATE_KEY: &str = "PRIVATE KEY-----";

/// How files with keys and credentials begin.
const KEY_START: &[u8] = b"-----BEGIN";

fn io_error(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    move |error| Error::Io {
        path: path.to_owned(),
        error,
    }
}

/// Reads the text of a private key file.
///
/// # Errors
///
/// [`Error::KeyExposed`] where group or others may read it, [`Error::Io`],
/// [`Error::NotAKey`] where it is none.
pub fn read_key(path: &Path) -> Result<Zeroizing<String>> {
    let not_a_key = || Error::NotAKey(path.display().to_string());
    let file = File::open(path).map_err(io_error(path))?;
    let is_exposed = is_exposed(&file).map_err(io_error(path))?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_KEY_FILE)
        .read_to_string(&mut text)
        .map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => not_a_key(),
            _ => io_error(path)(error),
        })?;
    // Of another file it says nothing that it can be read, and the advice to make
    // it private would be no help.
    if !text.contains(PRIVATE_KEY) {
        return Err(not_a_key());
    }
    if is_exposed {
        return Err(Error::KeyExposed(path.to_owned()));
    }
    Ok(text)
}

#[cfg(unix)]
fn is_exposed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// Reads a public key file.
///
/// # Errors
///
/// [`Error::Io`], [`Error::NotAPublicKey`].
pub fn read_public_key(path: &Path) -> Result<PublicKey> {
    let file = File::open(path).map_err(io_error(path))?;
    let mut text = Vec::new();
    file.take(MAX_KEY_FILE)
        .read_to_end(&mut text)
        .map_err(io_error(path))?;
    let name = path.display().to_string();
    let text = String::from_utf8(text).map_err(|_| Error::NotAPublicKey(name.clone()))?;
    from_public_pem(&text, &name)
}

/// Writes a key to `path`, readable by its owner alone, and its public half
/// beside it with the extension `pub`. Neither replaces a file.
///
/// Returns the path of the public key.
///
/// # Errors
///
/// [`Error::PublicName`], [`Error::Exists`], [`Error::Io`]; then neither file is
/// left behind.
pub fn write_key_pair(path: &Path, key: &Key, passphrase: Option<&str>) -> Result<PathBuf> {
    let public_path = path.with_extension("pub");
    if public_path == path {
        return Err(Error::PublicName(public_path));
    }
    let secret = key.to_pem(passphrase)?;
    let public = to_public_pem(key.public())?;
    write_new(path, 0o600, secret.as_bytes())?;
    if let Err(error) = write_new(&public_path, 0o644, public.as_bytes()) {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(path);
        return Err(error);
    }
    Ok(public_path)
}

/// Creates a file that is not there yet.
fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists(path.to_owned()),
        _ => io_error(path)(error),
    })?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| {
        let _ = fs::remove_file(path);
        io_error(path)(error)
    })
}

/// Writes all of these files or, where one of them fails, none: each under
/// another name first, and renamed when all are on disk. They replace files, if
/// these are regular ones without a key, and nothing else: a link stays a link,
/// and what it leads to stays as it was.
///
/// # Errors
///
/// [`Error::NotAFile`], [`Error::OverKey`], [`Error::Io`]; then what was there
/// before is there again.
pub fn write_together(files: &[(&Path, &[u8])]) -> Result<()> {
    for (path, _) in files {
        refuse_replacing(path)?;
    }
    let mut written = Vec::new();
    for (path, bytes) in files {
        written.push((*path, write_beside(path, bytes).map_err(io_error(path))?));
    }
    let mut placed = Vec::new();
    for (path, file) in written {
        let earlier = Earlier::keep(path);
        if let Err(failed) = file.persist(path) {
            for (path, earlier) in placed {
                Earlier::put_back(earlier, path);
            }
            return Err(io_error(path)(failed.error));
        }
        placed.push((path, earlier));
    }
    Ok(())
}

/// Refuses to replace what is no regular file, and what may be the only copy of a
/// key or a credential.
fn refuse_replacing(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error(path)(error)),
        Ok(metadata) if !metadata.is_file() => Err(Error::NotAFile(path.to_owned())),
        Ok(_) => {
            let mut start = Vec::new();
            let file = File::open(path).map_err(io_error(path))?;
            file.take(KEY_START.len() as u64)
                .read_to_end(&mut start)
                .map_err(io_error(path))?;
            match start == KEY_START {
                true => Err(Error::OverKey(path.to_owned())),
                false => Ok(()),
            }
        }
    }
}

/// What stood where a file is put.
enum Earlier {
    Nothing,
    /// A file that has a second name until this is dropped.
    File(NamedTempFile<()>),
    /// A file that cannot be put back, for want of a second name.
    Lost,
}

impl Earlier {
    fn keep(path: &Path) -> Self {
        let link = builder().make_in(folder(path), |second| fs::hard_link(path, second));
        match link {
            Ok(file) => Self::File(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Nothing,
            Err(_) => Self::Lost,
        }
    }

    /// Best effort: the first error is the one to report.
    fn put_back(self, path: &Path) {
        match self {
            Self::Nothing => drop(fs::remove_file(path)),
            Self::File(file) => drop(file.persist(path)),
            Self::Lost => {}
        }
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn builder() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(".signer-");
    builder
}

fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut builder = builder();
    // As any new file: what the umask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Reads a whole input file.
///
/// # Errors
///
/// [`Error::Io`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(io_error(path))
}

/// Refuses an output that is one of the inputs.
///
/// # Errors
///
/// [`Error::OverInput`].
pub fn refuse_overwriting(output: &Path, inputs: &[&Path]) -> Result<()> {
    let Ok(output_file) = output.canonicalize() else {
        return Ok(());
    };
    let is_input = |input: &&Path| input.canonicalize().is_ok_and(|i| i == output_file);
    if inputs.iter().any(is_input) {
        return Err(Error::OverInput(output.to_owned()));
    }
    Ok(())
}
