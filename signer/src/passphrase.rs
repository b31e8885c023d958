//! Where passphrases come from: a file, the environment, the terminal.

use std::env::{self, VarError};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use signer::{Error, Result};
use zeroize::Zeroizing;

/// Where a passphrase comes from.
#[derive(Args)]
pub(crate) struct PassphraseSource {
    /// Read the passphrase from the first line of this file; else it comes
    /// from SIGNER_PASSPHRASE or the terminal
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseSource {
    /// The file with the passphrase, if it is in one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.passphrase_file.as_deref()
    }

    /// The passphrase from file or environment, if there is one.
    pub(crate) fn given(&self) -> Result<Option<Zeroizing<String>>> {
        if let Some(path) = &self.passphrase_file {
            let bytes = Zeroizing::new(signer::read(path)?);
            let line = bytes
                .split(|byte| matches!(byte, b'\n' | b'\r'))
                .next()
                .unwrap_or_default();
            let text = std::str::from_utf8(line).map_err(|_| Error::PassphraseNotText)?;
            if text.is_empty() {
                return Err(Error::EmptyPassphrase);
            }
            return Ok(Some(Zeroizing::new(text.to_owned())));
        }
        match env::var("SIGNER_PASSPHRASE") {
            // As if there were none, a new key would not be encrypted: a secret that did
            // not get here is not one that nobody wanted.
            Ok(text) if text.is_empty() => Err(Error::EmptyPassphrase),
            Err(VarError::NotUnicode(_)) => Err(Error::PassphraseNotText),
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(VarError::NotPresent) => Ok(None),
        }
    }
}

/// Asks at the terminal; a script is told what to do instead.
pub(crate) fn ask(prompt: &str) -> Result<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        return Err(Error::PassphraseNeeded);
    }
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|_| Error::PassphraseNeeded)
}

/// Asks for a new passphrase, twice.
pub(crate) fn ask_twice() -> Result<Zeroizing<String>> {
    let first = ask("New passphrase: ")?;
    if first.is_empty() {
        return Err(Error::EmptyPassphrase);
    }
    if *ask("The same again: ")? != *first {
        return Err(Error::PassphrasesDiffer);
    }
    Ok(first)
}
