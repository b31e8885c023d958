//! Why something was refused.

use std::path::PathBuf;

use sealift_manifest::{EncodeError, Grants, Kind};
use sealift_provision::TrustError;
use sealift_provision::files::FileError;
use thiserror::Error;

use crate::printable;

/// The result of most functions of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// One variant for each check that can fail. The text is one sentence for the
/// person at the terminal.
#[derive(Debug, Error)]
#[non_exhaustive]
#[repr(u8)]
pub enum Error {
    /// The input is an ELF file, such as a `.cwasm`.
    #[error(
        "this is already translated code, which is never signed; give the Wasm it was made from"
    )]
    AlreadyTranslated = 1,
    /// The input is neither a Wasm component nor a core module.
    #[error("this is not Wasm")]
    NotWasm = 2,
    /// A core module without a `component-type` section.
    #[error(
        "this core module carries no WIT interface; build it with wit-bindgen, \
         or make a component of it first"
    )]
    NoInterface = 3,
    /// `wit-component` could not make a component of the core module.
    #[error("this core module cannot be made a component: {0}")]
    NotComponentizable(String) = 4,
    /// Not valid Wasm under the features of the engine profile.
    #[error("this Wasm is not valid for a device: {0}")]
    InvalidWasm(String) = 5,
    /// A component that cannot be read as a WIT world.
    #[error("this component is not a capsule: {0}")]
    NotACapsule(String) = 6,
    /// An import that no device offers.
    #[error("this capsule imports {0}, which devices do not offer")]
    UnknownImport(String) = 7,
    /// The export that makes a component a capsule of this kind is missing.
    #[error("{}", missing_export(*.kind, .export))]
    MissingExport {
        /// The kind that was asked for.
        kind: Kind,
        /// The interface that this kind of capsule exports.
        export: String,
    } = 8,
    /// Imports or exports have the right names and the wrong types.
    #[error("this capsule does not fit the capsule interfaces: {0}")]
    WrongTypes(String) = 9,
    /// Wasmtime could not translate it.
    #[error("this capsule cannot be translated: {0}")]
    Untranslatable(String) = 10,
    /// What was translated would not load on a device: a defect of this tool.
    #[error("the translation failed its own check and was not signed: {0}")]
    SelfCheck(String) = 11,
    /// The payload does not fit the 32-bit size in the manifest.
    #[error("the translated capsule is too large")]
    TooLarge = 12,
    /// Imported interfaces that are not granted.
    #[error("{}", missing_grants(*.0))]
    MissingGrants(Grants) = 13,
    /// The capsule starts with more memory than the limit.
    #[error(
        "this capsule starts with {needed} bytes of memory or of tables, and the limit is {limit}; \
         raise it with --memory"
    )]
    Memory {
        /// Bytes that it starts with, of linear memory or of tables.
        needed: u64,
        /// The limit in bytes.
        limit: u32,
    } = 14,
    /// A limit of zero, with which nothing runs.
    #[error("a capsule with no {0} cannot run")]
    ZeroLimit(&'static str) = 15,
    /// The floor lies above the sequence number.
    #[error("the floor {floor} is above the sequence number {sequence}: it would ban this capsule")]
    Floor {
        /// The rollback floor asked for.
        floor: u64,
        /// The sequence number asked for.
        sequence: u64,
    } = 16,
    /// A component name that no device can have.
    #[error(
        "{0:?} cannot be the name of a component: use 1 to 16 lower-case letters, digits and hyphens"
    )]
    ComponentName(String) = 17,
    /// An ephemeral capsule that exports something beside what is run.
    #[error(
        "this capsule exports {0}; one that runs once exports the job interface alone, \
         or functions alone"
    )]
    OtherExport(String) = 18,
    /// A function that cannot be called with a line of text.
    #[error(
        "this capsule exports {0} with types that no device can pass: a function of a capsule \
         that runs once takes nothing or one integer, and returns nothing, an integer, \
         a string or list<u8>"
    )]
    FunctionType(String) = 19,

    /// The manifest crate refused.
    #[error("{0}")]
    Manifest(#[from] sealift_manifest::Error) = 20,
    /// No envelope could be made of what was asked for.
    #[error("{0}")]
    Encode(#[from] EncodeError) = 21,
    /// The payload is not in the envelope and was not given.
    #[error("the payload is not in this envelope; give it with --payload")]
    NoPayload = 22,
    /// A payload was given for an envelope that contains one.
    #[error("the payload is in this envelope; --payload is for detached ones")]
    TwoPayloads = 23,
    /// The source is not the one the manifest names.
    #[error("this is not the source: its digest differs from the one in the manifest")]
    OtherSource = 24,
    /// The source translates to other bytes.
    #[error("the source does not translate to this payload")]
    OtherTranslation = 25,
    /// The manifest names an engine profile that this version does not have.
    #[error("this capsule was translated for {0}, which this version cannot reproduce")]
    OtherProfile(String) = 26,
    /// The manifest withholds an interface that the source imports.
    #[error("the manifest does not grant what the source imports")]
    GrantsDiffer = 27,

    /// More of something than a device gives a capsule.
    #[error("this capsule has {needed} {what}, and a device gives {limit} at the most")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many it has.
        needed: u64,
        /// How many a device gives.
        limit: usize,
    } = 28,

    /// A trust record that devices would refuse.
    #[error("devices would refuse this trust record: {0}")]
    Trust(#[from] TrustError) = 29,
    /// A capsule is signed only after it was translated.
    #[error("give the Wasm that this capsule was made from, with --source")]
    SourceNeeded = 30,
    /// A source was given for what is not translated.
    #[error("this is a trust record, which is made from no Wasm; --source is for capsules")]
    SourceOfNothing = 31,
    /// The key that is to sign has done so.
    #[error("key {0} has signed this already")]
    SignedAlready(String) = 32,
    /// The component that is none for capsules.
    #[error("the component \"trust\" is for trust records, which `signer trust` makes")]
    TrustComponent = 33,
    /// A credential, or another file for a trust record.
    #[error("{0}")]
    TrustFile(#[from] FileError) = 34,

    /// Components or types in each other, with too many levels to read.
    #[error("this Wasm has more than {limit} components or types in each other")]
    TooDeep {
        /// The most levels.
        limit: usize,
    } = 35,

    /// More instances of components than are translated.
    #[error("this capsule has {needed} instances of components, and {limit} is the most")]
    TooManyComponents {
        /// How many it has.
        needed: u64,
        /// The most there may be.
        limit: usize,
    } = 36,

    /// The sequence number that devices start from.
    #[error("devices take only what is newer than sequence number 0; begin with 1")]
    ZeroSequence = 37,
    /// A stack with which no device starts a capsule.
    #[error("a stack of {stack} bytes is too small for any capsule; {least} is the least")]
    SmallStack {
        /// The stack asked for.
        stack: u32,
        /// The least that there may be.
        least: u32,
    } = 38,
    /// An ephemeral capsule for a component that is no job.
    #[error("devices run an ephemeral capsule as the component \"vm-run\" alone, not as {0:?}")]
    NotAJob(String) = 39,
    /// A persistent capsule for the component of jobs.
    #[error(
        "the component \"vm-run\" is for capsules that run once, which are signed with --ephemeral"
    )]
    JobComponent = 60,
    /// One of the keys that are to sign, given once more.
    #[error("key {0} is given twice")]
    KeyTwice(String) = 61,

    /// Not a private key in PKCS#8.
    #[error("{0} is not an Ed25519 private key in PKCS#8 PEM")]
    NotAKey(String) = 40,
    /// Not a public key in SPKI.
    #[error("{0} is not an Ed25519 public key in PEM")]
    NotAPublicKey(String) = 41,
    /// The key is encrypted and no passphrase was given.
    #[error("the key needs a passphrase: give --passphrase-file or set SIGNER_PASSPHRASE")]
    PassphraseNeeded = 42,
    /// The passphrase does not open the key.
    #[error("the passphrase for {0} is wrong")]
    WrongPassphrase(String) = 43,
    /// An empty passphrase.
    #[error("the passphrase is empty")]
    EmptyPassphrase = 44,
    /// A passphrase that is not text.
    #[error("the passphrase is not text in UTF-8")]
    PassphraseNotText = 48,
    /// A key that is encrypted in a way that is not known here.
    #[error(
        "{0} is not encrypted in a way that is known here: PBES2 with AES, and with scrypt or \
         with PBKDF2 and SHA-2"
    )]
    UnknownEncryption(String) = 49,
    /// The passphrase was not repeated.
    #[error("the two passphrases differ")]
    PassphrasesDiffer = 47,
    /// Others can read the key file.
    #[error("others can read {}: make it private with chmod 600", .0.display())]
    KeyExposed(PathBuf) = 45,
    /// The system gave no random numbers, or encrypting failed.
    #[error("no key could be made: {0}")]
    KeyGeneration(String) = 46,

    /// A file that is never overwritten is there already.
    #[error("{} is there already, and keys are never overwritten", .0.display())]
    Exists(PathBuf) = 50,
    /// Reading or writing failed.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    } = 51,
    /// The output would replace one of the inputs.
    #[error("{} is also an input and was not overwritten", .0.display())]
    OverInput(PathBuf) = 52,
    /// An output would replace a folder, a link, a device.
    #[error("{} is there already and is no regular file; it was not replaced", .0.display())]
    NotAFile(PathBuf) = 53,
    /// An output would replace a key or a credential.
    #[error("{} holds a key or a credential and was not overwritten", .0.display())]
    OverKey(PathBuf) = 54,
    /// A name for a key that its public half has.
    #[error("{} would be the name of the public key; give the key another one", .0.display())]
    PublicName(PathBuf) = 55,
}

impl Error {
    /// A stable number for scripts and logs.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::AlreadyTranslated => 1,
            Self::NotWasm => 2,
            Self::NoInterface => 3,
            Self::NotComponentizable(_) => 4,
            Self::InvalidWasm(_) => 5,
            Self::NotACapsule(_) => 6,
            Self::UnknownImport(_) => 7,
            Self::MissingExport { .. } => 8,
            Self::WrongTypes(_) => 9,
            Self::Untranslatable(_) => 10,
            Self::SelfCheck(_) => 11,
            Self::TooLarge => 12,
            Self::MissingGrants(_) => 13,
            Self::Memory { .. } => 14,
            Self::ZeroLimit(_) => 15,
            Self::Floor { .. } => 16,
            Self::ComponentName(_) => 17,
            Self::OtherExport(_) => 18,
            Self::FunctionType(_) => 19,
            Self::Manifest(_) => 20,
            Self::Encode(_) => 21,
            Self::NoPayload => 22,
            Self::TwoPayloads => 23,
            Self::OtherSource => 24,
            Self::OtherTranslation => 25,
            Self::OtherProfile(_) => 26,
            Self::GrantsDiffer => 27,
            Self::TooMany { .. } => 28,
            Self::Trust(_) => 29,
            Self::SourceNeeded => 30,
            Self::SourceOfNothing => 31,
            Self::SignedAlready(_) => 32,
            Self::TrustComponent => 33,
            Self::TrustFile(_) => 34,
            Self::TooDeep { .. } => 35,
            Self::TooManyComponents { .. } => 36,
            Self::ZeroSequence => 37,
            Self::SmallStack { .. } => 38,
            Self::NotAJob(_) => 39,
            Self::JobComponent => 60,
            Self::KeyTwice(_) => 61,
            Self::NotAKey(_) => 40,
            Self::NotAPublicKey(_) => 41,
            Self::PassphraseNeeded => 42,
            Self::WrongPassphrase(_) => 43,
            Self::EmptyPassphrase => 44,
            Self::KeyExposed(_) => 45,
            Self::KeyGeneration(_) => 46,
            Self::PassphrasesDiffer => 47,
            Self::PassphraseNotText => 48,
            Self::UnknownEncryption(_) => 49,
            Self::Exists(_) => 50,
            Self::Io { .. } => 51,
            Self::OverInput(_) => 52,
            Self::NotAFile(_) => 53,
            Self::OverKey(_) => 54,
            Self::PublicName(_) => 55,
        }
    }
}

fn missing_export(kind: Kind, export: &str) -> String {
    match kind {
        Kind::Persistent => format!(
            "this is no persistent capsule, for it does not export {export}; \
             one that runs once is signed with --ephemeral"
        ),
        Kind::Ephemeral => {
            format!("this is no ephemeral capsule, for it exports neither {export} nor a function")
        }
    }
}

fn missing_grants(missing: Grants) -> String {
    let names: Vec<_> = missing.names().collect();
    let interfaces: Vec<_> = names.iter().map(|name| format!("{name}-api")).collect();
    let flags: Vec<_> = names.iter().map(|name| format!("--grant {name}")).collect();
    format!(
        "this capsule imports {}, not granted; to grant: {}",
        interfaces.join(" and "),
        flags.join(" ")
    )
}

/// The longest reason that is passed on, in characters.
const MAX_REASON: usize = 400;

/// The first line of a chain of errors and its innermost cause, which is where
/// wasmparser and Wasmtime say what is wrong. They quote names as these are.
pub(crate) fn brief(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    let line = text.lines().next().unwrap_or("no reason given").trim();
    match line.char_indices().nth(MAX_REASON) {
        Some((end, _)) => printable(line.get(..end).unwrap_or_default()) + " ...",
        None => printable(line),
    }
}
