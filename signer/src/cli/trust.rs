//! Second signatures, and records of whom devices trust.

use std::path::{Path, PathBuf};

use clap::Args;
use sealift_engine::{DEFAULT_CLASS, DEFAULT_VENDOR};
use sealift_provision::files::allowance;
use sealift_wire::Roles;
use signer::{Keys, Result, TrustRequest, Trusted, TrustedKey};

use super::{print, read_key};
use crate::passphrase::PassphraseSource;

#[derive(Args)]
pub(super) struct Cosign {
    /// The envelope
    envelope: PathBuf,
    /// The key that signs, too
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseSource,
    /// The Wasm that the capsule was made from; a trust record has none
    #[arg(long, value_name = "FILE")]
    source: Option<PathBuf>,
    /// The envelope to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
pub(super) struct TrustArgs {
    /// A root key that devices were provisioned with; can be repeated
    #[arg(long, value_name = "FILE", required = true)]
    root_key: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseSource,
    /// The sequence number, from 1: devices take only what is newer, by up to 2^48
    #[arg(long, value_name = "N")]
    seq: u64,
    /// Public key of a translator, and the components that it may sign for, if
    /// not all; can be repeated
    #[arg(long, value_name = "FILE[=NAME,NAME]", required = true, value_parser = translator)]
    translator: Vec<(PathBuf, Vec<String>)>,
    /// Translators that have to sign each capsule: 1 to 4
    #[arg(long, value_name = "N", default_value_t = 1)]
    threshold: u8,
    /// A role - deploy, observe or use - and the credential that gets it; can be
    /// repeated
    #[arg(long, value_name = "ROLE=FILE", required = true, value_parser = allowance)]
    allow: Vec<(Roles, PathBuf)>,
    /// Root keys that have to sign this record, whatever the devices say: 1 to 4
    #[arg(long, value_name = "N", default_value_t = 1)]
    signatures: u8,
    /// The vendor's domain name, from which the vendor identifier is derived
    #[arg(long, value_name = "NAME", default_value = DEFAULT_VENDOR)]
    vendor: String,
    /// The class of devices, from which the class identifier is derived
    #[arg(long, value_name = "NAME", default_value = DEFAULT_CLASS)]
    class: String,
    /// The envelope to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Adds a signature.
pub(super) fn cosign(args: &Cosign) -> Result<()> {
    let mut inputs = vec![args.key.as_path()];
    inputs.extend(args.source.as_deref());
    inputs.extend(args.passphrase.file());
    signer::refuse_overwriting(&args.out, &inputs)?;
    let envelope = signer::read(&args.envelope)?;
    let source = args.source.as_deref().map(signer::read).transpose()?;
    let key = read_key(&args.key, &args.passphrase)?;
    let signed = signer::cosign(&envelope, &key, source.as_deref())?;
    signer::write_together(&[(&args.out, &signed)])?;
    print(&format!(
        "{}{}: signed by {}, too\n",
        super::describe(&signer::inspect(&signed)?),
        args.out.display(),
        key.public().key_id(),
    ))
}

/// Makes a trust record.
pub(super) fn trust(args: &TrustArgs) -> Result<()> {
    let translators = args.translator.iter().map(|(path, _)| path);
    let peers = args.allow.iter().map(|(_, path)| path);
    let inputs = args.root_key.iter().chain(translators).chain(peers);
    let inputs = inputs.map(PathBuf::as_path).chain(args.passphrase.file());
    signer::refuse_overwriting(&args.out, &inputs.collect::<Vec<_>>())?;
    let translators = args.translator.iter().map(|(path, names)| {
        let key = signer::read_public_key(path)?;
        Ok(TrustedKey::new(key, names.clone()))
    });
    let translators = Keys {
        keys: translators.collect::<Result<_>>()?,
        threshold: args.threshold,
    };
    let trust = signer::trust_files::trust(translators, &args.allow)?;
    let keys = args
        .root_key
        .iter()
        .map(|path| read_key(path, &args.passphrase));
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let vendor_id = signer::vendor_id(&args.vendor);
    let envelope = signer::sign_trust(&TrustRequest {
        keys: &keys,
        sequence: args.seq,
        trust: &trust,
        signatures: args.signatures,
        vendor_id,
        class_id: signer::class_id(&vendor_id, &args.class),
    })?;
    signer::write_together(&[(&args.out, &envelope)])?;
    print(&format!(
        "{}{}: trust record {}, {} bytes\n",
        super::describe(&signer::inspect(&envelope)?),
        args.out.display(),
        args.seq,
        envelope.len(),
    ))
}

/// Reads `FILE` or `FILE=NAME,NAME`, where the file's name may have an equals sign.
fn translator(text: &str) -> std::result::Result<(PathBuf, Vec<String>), String> {
    let Some((path, names)) = text.rsplit_once('=') else {
        return Ok((text.into(), Vec::new()));
    };
    let names: Vec<String> = names.split(',').map(str::to_owned).collect();
    let is_component = |name: &String| sealift_manifest::is_component(name.as_bytes());
    if names.iter().all(is_component) {
        Ok((path.into(), names))
    } else if Path::new(text).exists() {
        Ok((text.into(), Vec::new()))
    } else {
        Err("a component is 1 to 16 lower-case letters, digits and hyphens".into())
    }
}

/// A line for each key and each peer.
pub(super) fn describe(trusted: &Trusted) -> Vec<(&'static str, String)> {
    let mut lines = vec![("threshold", format!("{} of them sign", trusted.threshold))];
    for translator in &trusted.translators {
        let components = match translator.components.as_slice() {
            [] => "all components".to_owned(),
            names => names.join(", "),
        };
        lines.push(("translator", format!("{} for {components}", translator.key)));
    }
    for peer in &trusted.peers {
        let (start, _) = peer.fingerprint.split_at(16);
        let roles = peer.roles.join(", ");
        lines.push(("peer", format!("{} ({start}): {roles}", peer.subject)));
    }
    lines
}
