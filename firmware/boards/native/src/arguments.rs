//! The command line, and the files that it names.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use sealift_core::Roles;
use sealift_oscore::{Credential, pem};
use sealift_provision::files::{allowance, keys, trust};
use sealift_provision::{Keys, Provision};

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
    /// Translators that have to sign each capsule, with a key of their own each:
    /// 1 to 4
    #[arg(long, value_name = "N", default_value = "1")]
    threshold: u8,
    /// Public key of whoever may change by a signed record whom the device
    /// trusts, and signs nothing else; can be repeated. Without one, nobody may
    #[arg(long, value_name = "FILE")]
    root: Vec<PathBuf>,
    /// Root keys that have to sign such a record: 1 to 4
    #[arg(long, value_name = "N", default_value = "1")]
    root_threshold: u8,
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
    /// Whom the device trusts, from files as `signer keygen` and `updater keygen`
    /// write them.
    pub(crate) fn provision(&self) -> Result<Provision> {
        let translators = Keys {
            threshold: self.threshold,
            ..keys(&self.trust)?.into()
        };
        let provision = Provision {
            trust: trust(translators, &self.allow)?,
            root: Keys::roots(keys(&self.root)?, self.root_threshold),
        };
        provision.check()?;
        Ok(provision)
    }
}

/// Writes a public credential, replacing what was there: the file only says
/// what the device says of itself.
pub(crate) fn write_credential(path: &Path, credential: &Credential) -> Result<()> {
    std::fs::write(path, pem::encode_credential(credential))
        .with_context(|| format!("cannot write {}", path.display()))
}
