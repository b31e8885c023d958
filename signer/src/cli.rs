//! Arguments, and what is printed.

mod trust;

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use sealift_engine::{DEFAULT_CLASS, DEFAULT_FUEL, DEFAULT_MEMORY, DEFAULT_STACK, DEFAULT_VENDOR};
use signer::{
    Checked, Error, Grants, Inspection, Key, Kind, PayloadAt, Result, SignRequest, Signed, Target,
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
    Cosign(trust::Cosign),
    /// Sign, with a root key, whom devices trust from now on
    Trust(trust::TrustArgs),
    /// Show what an envelope says; checks no signature and needs no key
    Inspect(Inspect),
    /// Check an envelope's signature and payload, and its source if given
    Verify(Verify),
}

#[derive(Args)]
struct Keygen {
    /// The key file to make; the public key goes beside it, with .pub in place of
    /// its extension
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
    /// The component that it is for, such as vm1; vm-run for one that runs once
    #[arg(long, value_name = "NAME")]
    component: String,
    /// The sequence number, from 1: devices install only what is newer
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
    /// The interpreter's stack: 512 or more
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
    /// A capsule that runs once, as the component vm-run, rather than one that
    /// stays on the device
    #[arg(long)]
    ephemeral: bool,
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

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Keygen(args) => keygen(&args),
        Command::Sign(args) => sign(&args),
        Command::Cosign(args) => trust::cosign(&args),
        Command::Trust(args) => trust::trust(&args),
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
    let mut inputs = vec![args.wasm.as_path(), &args.key];
    inputs.extend(args.passphrase.file());
    for output in [&args.out, &payload_path] {
        signer::refuse_overwriting(output, &inputs)?;
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
            crate::note(&format!(
                "note: {name} is granted, and this capsule does not import it"
            ));
        }
    }
    print(&summary(args, &signed))
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
        let _ = writeln!(text, "problem        {}", signer::printable(problem));
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
    let trusted = said.trust.iter().flat_map(trust::describe);
    let lines: Vec<_> = lines.into_iter().chain(trusted).collect();
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        // Whoever wrote the envelope wrote some of it.
        let _ = writeln!(text, "{name:<14} {}", signer::printable(value));
        text
    })
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
