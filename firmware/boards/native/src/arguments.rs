//! The command line, and the files that it names.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use sealift_core::{Policy, Roles};
use sealift_manifest::PublicKey;
use sealift_oscore::{Credential, pem};
use sealift_provision::files::{FileError, allowance, credential, trusted_key};

/// A Sealift device as a Linux process
#[derive(Debug, Parser)]
#[command(name = "sealift-native", version)]
pub(crate) struct Arguments {
    /// The flash: a file that is made if it does not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) flash: PathBuf,
    /// Address and UDP port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5683")]
    pub(crate) listen: SocketAddr,
    /// Public key of a translator whose signature is trusted; can be repeated
    #[arg(long, value_name = "FILE", required = true)]
    trust: Vec<PathBuf>,
    /// A role - deploy, observe or use - and the credential that gets it; can
    /// be repeated
    #[arg(long, value_name = "ROLE=FILE", value_parser = allowance)]
    allow: Vec<(Roles, PathBuf)>,
    /// Where to write the device's public credential, for `updater --peer`
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_out: Option<PathBuf>,
    /// A light for capsules: a file in which they leave `on` or `off`
    #[arg(long, value_name = "FILE")]
    pub(crate) led: Option<PathBuf>,
    /// A button for capsules: it is pressed while this file says `low`
    #[arg(long, value_name = "FILE")]
    pub(crate) button: Option<PathBuf>,
}

impl Arguments {
    /// The translator keys, from PEM files as `signer keygen` writes them.
    pub(crate) fn trusted_keys(&self) -> Result<Vec<PublicKey>, FileError> {
        self.trust.iter().map(|path| trusted_key(path)).collect()
    }

    /// Who may do what.
    pub(crate) fn policy(&self) -> Result<Policy, FileError> {
        let mut policy = Policy::default();
        for (role, path) in &self.allow {
            policy.allow(credential(path)?, *role);
        }
        Ok(policy)
    }
}

/// Writes a public credential, replacing what was there: the file only says
/// what the device says of itself.
pub(crate) fn write_credential(path: &Path, credential: &Credential) -> Result<()> {
    std::fs::write(path, pem::encode_credential(credential))
        .with_context(|| format!("cannot write {}", path.display()))
}
