//! Arguments, and what is printed.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use sealift_engine::{DEFAULT_CLASS, DEFAULT_FUEL, DEFAULT_MEMORY, DEFAULT_STACK, DEFAULT_VENDOR};
use sealift_provision::files::allowance;
use sealift_wire::Roles;
use signer::{
    Checked, Error, Grants, Inspection, Key, Keys, Kind, PayloadAt, Result, SignRequest, Signed,
    Target, TrustRequest, Trusted, TrustedKey,
};

use crate::passphrase::{PassphraseSource, ask, ask_twice};

/// Translates Wasm capsules to Pulley bytecode and signs them, offline.
///
/// It signs only what it has itself just translated.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a signing key, and the public key that devices trust
    Keygen(Keygen),
    /// Translate a capsule and sign it
    Sign(Sign),
    /// Add a signature to an envelope, after translating the capsule again
    Cosign(Cosign),
    /// Sign, with a root key, whom devices trust from now on
    Trust(TrustArgs),
    /// Show what an envelope says; checks no signature and needs no key
    Inspect(Inspect),
    /// Check an envelope's signature and payload, and its source if given
    Verify(Verify),
}

#[derive(Args)]
struct Keygen {
    /// The key file to make; the public key goes beside it, as FILE.pub
    #[arg(long, value_name = "FILE", default_value = "translator.key")]
    out: PathBuf,
    /// Ask for a passphrase to encrypt the key with
    #[arg(long)]
    passphrase: bool,
    #[command(flatten)]
    source: PassphraseSource,
}

#[derive(Args)]
struct Sign {
    /// The capsule: a Wasm component, or a core module that carries its WIT
    wasm: PathBuf,
    /// The signing key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseSource,
    /// The component that it is for, such as vm1
    #[arg(long, value_name = "NAME")]
    component: String,
    /// The sequence number: devices install only what is newer
    #[arg(long, value_name = "N")]
    seq: u64,
    /// The envelope to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Write the payload beside the envelope, as OUT.payload
    #[arg(long)]
    detached: bool,
    /// The kind of machine: pulley32 (microcontrollers) or pulley64
    #[arg(long, default_value = "pulley32")]
    target: Target,
    /// A host interface the capsule may import: log, rng, time, sensors, gpio
    /// or udp; can be repeated
    #[arg(long, value_name = "NAME", value_parser = grant, value_delimiter = ',')]
    grant: Vec<Grants>,
    /// Fuel for each call; one unit is about one Wasm instruction
    #[arg(long, value_name = "N", default_value_t = DEFAULT_FUEL)]
    fuel: u64,
    /// The most linear memory
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_MEMORY)]
    memory: u32,
    /// The interpreter's stack
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_STACK)]
    stack: u32,
    /// The lowest sequence number that may still run once this is confirmed
    #[arg(long, value_name = "N", default_value_t = 0)]
    floor: u64,
    /// Translators that have to sign this capsule, whatever the devices say: 1
    /// to 4; the others do so with cosign
    #[arg(long, value_name = "N", default_value_t = 1)]
    signatures: u8,
    /// The vendor's domain name, from which the vendor identifier is derived
    #[arg(long, value_name = "NAME", default_value = DEFAULT_VENDOR)]
    vendor: String,
    /// The class of devices, from which the class identifier is derived
    #[arg(long, value_name = "NAME", default_value = DEFAULT_CLASS)]
    class: String,
    /// A capsule that runs once, rather than one that stays on the device
    #[arg(long)]
    ephemeral: bool,
}

#[derive(Args)]
struct Cosign {
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
struct TrustArgs {
    /// A root key that devices were provisioned with; can be repeated
    #[arg(long, value_name = "FILE", required = true)]
    root_key: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseSource,
    /// The sequence number: devices take only what is newer
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

#[derive(Args)]
struct Inspect {
    /// The envelope
    envelope: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Verify {
    /// The envelope
    envelope: PathBuf,
    /// The translator's public key; can be repeated
    #[arg(long = "pub", value_name = "FILE", required = true)]
    public: Vec<PathBuf>,
    /// The payload of a detached envelope; the default is ENVELOPE.payload
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,
    /// The Wasm it was made from: translate again, compare byte for byte
    #[arg(long, value_name = "FILE")]
    source: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn grant(name: &str) -> std::result::Result<Grants, String> {
    Grants::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Grants::ALL.names().collect();
        format!(
            "there is no such grant; the grants are {}",
            names.join(", ")
        )
    })
}

/// Reads `FILE` or `FILE=NAME,NAME`.
fn translator(text: &str) -> std::result::Result<(PathBuf, Vec<String>), String> {
    let Some((path, names)) = text.split_once('=') else {
        return Ok((text.into(), Vec::new()));
    };
    let names: Vec<String> = names.split(',').map(str::to_owned).collect();
    match names.iter().all(|name| signer::is_component(name)) {
        true => Ok((path.into(), names)),
        false => Err("a component is 1 to 16 lower-case letters, digits and hyphens".into()),
    }
}

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Keygen(args) => keygen(&args),
        Command::Sign(args) => sign(&args),
        Command::Cosign(args) => cosign(&args),
        Command::Trust(args) => trust(&args),
        Command::Inspect(args) => inspect(&args),
        Command::Verify(args) => verify(&args),
    }
}

fn keygen(args: &Keygen) -> Result<()> {
    let passphrase = match args.source.given()? {
        None if args.passphrase => Some(ask_twice()?),
        given => given,
    };
    let key = Key::generate()?;
    let passphrase = passphrase.as_ref().map(|text| text.as_str());
    let public = signer::write_key_pair(&args.out, &key, passphrase)?;
    print(&format!(
        "{}: signing key {}{}\n{}: its public key, for devices to trust\n",
        args.out.display(),
        key.public().key_id(),
        if passphrase.is_some() {
            ", encrypted"
        } else {
            ""
        },
        public.display(),
    ))
}

fn sign(args: &Sign) -> Result<()> {
    let payload_path = payload_path(&args.out);
    for output in [&args.out, &payload_path] {
        signer::refuse_overwriting(output, &[&args.wasm, &args.key])?;
    }
    let wasm = signer::read(&args.wasm)?;
    let key = read_key(&args.key, &args.passphrase)?;
    let grants = args
        .grant
        .iter()
        .fold(Grants::NONE, |all, one| all.union(*one));
    let vendor_id = signer::vendor_id(&args.vendor);
    let request = SignRequest {
        target: args.target,
        kind: if args.ephemeral {
            Kind::Ephemeral
        } else {
            Kind::Persistent
        },
        grants,
        fuel: args.fuel,
        memory: args.memory,
        stack: args.stack,
        floor: args.floor,
        signatures: args.signatures,
        vendor_id,
        class_id: signer::class_id(&vendor_id, &args.class),
        detached: args.detached,
        ..SignRequest::new(&wasm, &key, &args.component, args.seq)
    };
    let signed = signer::sign(&request)?;

    let mut files: Vec<(&Path, &[u8])> = Vec::new();
    if let Some(payload) = &signed.payload {
        files.push((&payload_path, payload));
    }
    files.push((&args.out, &signed.envelope));
    signer::write_together(&files)?;

    for name in grants.names() {
        let unused = Grants::from_name(name).is_some_and(|grant| !signed.imports.contains(grant));
        if unused {
            eprintln!("signer: note: {name} is granted, and this capsule does not import it");
        }
    }
    print(&summary(args, &signed))
}

fn cosign(args: &Cosign) -> Result<()> {
    signer::refuse_overwriting(&args.out, &[&args.key])?;
    if let Some(source) = &args.source {
        signer::refuse_overwriting(&args.out, &[source])?;
    }
    let envelope = signer::read(&args.envelope)?;
    let source = args.source.as_deref().map(signer::read).transpose()?;
    let key = read_key(&args.key, &args.passphrase)?;
    let signed = signer::cosign(&envelope, &key, source.as_deref())?;
    signer::write_together(&[(&args.out, &signed)])?;
    print(&format!(
        "{}{}: signed by {}, too\n",
        describe(&signer::inspect(&signed)?),
        args.out.display(),
        key.public().key_id(),
    ))
}

fn trust(args: &TrustArgs) -> Result<()> {
    let files = args
        .root_key
        .iter()
        .chain(args.translator.iter().map(|(path, _)| path));
    for path in files.chain(args.allow.iter().map(|(_, path)| path)) {
        signer::refuse_overwriting(&args.out, &[path])?;
    }
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
        describe(&signer::inspect(&envelope)?),
        args.out.display(),
        args.seq,
        envelope.len(),
    ))
}

fn summary(args: &Sign, signed: &Signed) -> String {
    let sizes = &signed.sizes;
    let mut text = format!(
        "{}: {} {} for {}, {} bytes\n",
        args.out.display(),
        args.component,
        args.seq,
        args.target,
        signed.envelope.len(),
    );
    if signed.payload.is_some() {
        let path = payload_path(&args.out);
        let _ = writeln!(text, "{}: {} bytes", path.display(), sizes.payload);
    }
    let _ = writeln!(
        text,
        "  {} bytes of Wasm, {} without custom sections; {} bytes of Pulley, {} without symbols",
        sizes.source, sizes.component, sizes.translated, sizes.payload,
    );
    let _ = writeln!(
        text,
        "  {} bytes of memory at the start, of at most {}",
        signed.initial_memory, args.memory,
    );
    text
}

fn inspect(args: &Inspect) -> Result<()> {
    let inspection = signer::inspect(&signer::read(&args.envelope)?)?;
    if args.json {
        return print_json(&inspection);
    }
    let mut text = describe(&inspection);
    for problem in &inspection.problems {
        let _ = writeln!(text, "problem        {problem}");
    }
    text.push_str("signature not checked: anyone may have written this\n");
    print(&text)
}

fn verify(args: &Verify) -> Result<()> {
    let anchors = args.public.iter().map(|path| signer::read_public_key(path));
    let anchors = anchors.collect::<Result<Vec<_>>>()?;
    let envelope = signer::read(&args.envelope)?;
    let beside = payload_path(&args.envelope);
    let is_detached = signer::inspect(&envelope).is_ok_and(|said| !said.integrated);
    let payload = match &args.payload {
        Some(path) => Some(signer::read(path)?),
        None if is_detached && beside.exists() => Some(signer::read(&beside)?),
        None => None,
    };
    let source = args.source.as_deref().map(signer::read).transpose()?;
    let payload = payload
        .as_deref()
        .map_or(PayloadAt::Envelope, PayloadAt::Beside);
    let checked = signer::verify(&envelope, &anchors, payload, source.as_deref())?;
    if args.json {
        return print_json(&checked);
    }
    print(&format!(
        "{}{}",
        describe(&checked.manifest),
        verdict(&checked)
    ))
}

fn verdict(checked: &Checked) -> &'static str {
    if checked.reproduced {
        "good: signature, payload, and the source translates to exactly these bytes\n"
    } else {
        "good: signature and payload\n"
    }
}

fn describe(said: &Inspection) -> String {
    let grants = match said.grants.as_slice() {
        [] => "none".to_owned(),
        grants => grants.join(", "),
    };
    let delivery = if said.integrated {
        "in the envelope"
    } else {
        "detached"
    };
    let lines = [
        ("component", said.component.clone()),
        ("sequence", said.sequence.to_string()),
        ("kind", said.kind.to_owned()),
        ("profile", said.profile.clone()),
        ("grants", grants),
        ("fuel", format!("{} per call", said.fuel)),
        ("memory", format!("{} bytes", said.memory)),
        ("stack", format!("{} bytes", said.stack)),
        ("floor", said.floor.to_string()),
        ("vendor", said.vendor_id.clone()),
        ("class", said.class_id.clone()),
        (
            "payload",
            format!("{} bytes, {delivery}", said.payload_size),
        ),
        ("payload digest", said.payload_digest.clone()),
        ("source digest", said.source_digest.clone()),
        ("digest", said.digest.clone()),
        (
            "signed by",
            match said.signatures {
                1 => said.signers.join(", "),
                needed => format!("{}; it needs {needed}", said.signers.join(", ")),
            },
        ),
    ];
    let trusted = said.trust.iter().flat_map(describe_trust);
    let lines: Vec<_> = lines.into_iter().chain(trusted).collect();
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<14} {value}");
        text
    })
}

/// A line for each key and each peer.
fn describe_trust(trusted: &Trusted) -> Vec<(&'static str, String)> {
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
        lines.push((
            "peer",
            format!("{} ({start}): {roles}", peer.subject.escape_debug()),
        ));
    }
    lines
}

/// `hello.suit.payload` for `hello.suit`.
fn payload_path(envelope: &Path) -> PathBuf {
    let mut name = envelope.as_os_str().to_owned();
    name.push(".payload");
    PathBuf::from(name)
}

fn read_key(path: &Path, source: &PassphraseSource) -> Result<Key> {
    let pem = signer::read_key(path)?;
    let passphrase = match Key::is_encrypted(&pem) {
        false => None,
        true => match source.given()? {
            None => Some(ask(&format!("Passphrase for {}: ", path.display()))?),
            given => given,
        },
    };
    let name = path.display().to_string();
    Key::from_pem(&pem, &name, passphrase.as_ref().map(|text| text.as_str()))
}

fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::Io {
        path: "standard output".into(),
        error: error.into(),
    })?;
    print(&format!("{text}\n"))
}

/// Prints; a reader that has gone away is no error.
fn print(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Io {
            path: "standard output".into(),
            error,
        }),
        _ => Ok(()),
    }
}
