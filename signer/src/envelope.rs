//! Reading envelopes back: what they say, and whether it is true.

use sealift_engine::Target;
use sealift_manifest::{
    Delivery, Error as Problem, Kind, Manifest, PublicKey, Scan, scan_head, verify as verify_head,
};
use serde::Serialize;
use uuid::Uuid;

use crate::cosign::reproduce;
use crate::error::{Error, Result};
use crate::trust::{Trusted, is_record};

/// What an envelope says. From [`inspect`] it is hearsay, from [`verify`] it
/// was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Whether a signature was checked.
    pub signature_checked: bool,
    /// The component, such as `vm1`.
    pub component: String,
    /// The sequence number.
    pub sequence: u64,
    /// `persistent` or `ephemeral`.
    pub kind: &'static str,
    /// The engine profile.
    pub profile: String,
    /// The target of that profile, where this version has it.
    pub target: Option<&'static str>,
    /// The host interfaces granted.
    pub grants: Vec<&'static str>,
    /// Fuel for each call.
    pub fuel: u64,
    /// The most linear memory in bytes.
    pub memory: u32,
    /// The interpreter's stack in bytes.
    pub stack: u32,
    /// The rollback floor.
    pub floor: u64,
    /// The SUIT vendor identifier, as a UUID.
    pub vendor_id: String,
    /// The SUIT class identifier, as a UUID.
    pub class_id: String,
    /// Whether the payload stands in the envelope.
    pub integrated: bool,
    /// Length of the payload in bytes.
    pub payload_size: u32,
    /// SHA-256 of the payload, in hexadecimal.
    pub payload_digest: String,
    /// SHA-256 of the Wasm it was translated from, in hexadecimal.
    pub source_digest: String,
    /// The SUIT digest of the manifest, in hexadecimal: the envelope's name.
    pub digest: String,
    /// How many keys have to sign, whatever a device says.
    pub signatures: u8,
    /// What it says, if it is a trust record and the record is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trusted>,
    /// The identifiers of the keys that sign it, or claim to.
    pub signers: Vec<String>,
    /// What a device would object to.
    pub problems: Vec<String>,
}

impl Inspection {
    fn new(manifest: &Manifest<'_>) -> Self {
        let invoke = &manifest.invoke;
        Self {
            signature_checked: false,
            component: manifest.component.to_owned(),
            sequence: manifest.sequence_number,
            kind: match invoke.kind {
                Kind::Persistent => "persistent",
                Kind::Ephemeral => "ephemeral",
            },
            profile: invoke.profile.to_owned(),
            target: Target::from_profile(invoke.profile).map(Target::name),
            grants: invoke.grants.names().collect(),
            fuel: invoke.fuel,
            memory: invoke.memory,
            stack: invoke.stack,
            floor: invoke.floor,
            vendor_id: Uuid::from_bytes(manifest.vendor_id).to_string(),
            class_id: Uuid::from_bytes(manifest.class_id).to_string(),
            integrated: manifest.delivery == Delivery::Integrated,
            payload_size: manifest.payload_size,
            payload_digest: hex::encode(manifest.payload_digest),
            source_digest: hex::encode(invoke.source_digest),
            digest: hex::encode(manifest.digest),
            signatures: invoke.signatures,
            trust: None,
            signers: Vec::new(),
            problems: Vec::new(),
        }
    }
}

/// Reads what an envelope says, and checks no signature.
///
/// # Errors
///
/// [`Error::Manifest`] where it cannot be read. Digests that do not fit are
/// listed as problems.
pub fn inspect(envelope: &[u8]) -> Result<Inspection> {
    let read = sealift_manifest::inspect(envelope)?;
    let read = read.untrusted();
    let mut inspection = Inspection::new(&read.manifest);
    inspection.signers = read.key_ids.iter().map(ToString::to_string).collect();
    let mut problems = read.problems.clone();
    // The head alone would be good, were it not an envelope that was asked for.
    let is_missing = inspection.integrated && read.payload.is_none();
    if is_missing && !problems.contains(&Problem::PayloadSize) {
        problems.push(Problem::PayloadSize);
    }
    inspection.problems = problems.iter().map(ToString::to_string).collect();
    if let (true, Some(record)) = (is_record(&read.manifest), read.payload) {
        match Trusted::read(record) {
            Ok(trusted) => inspection.trust = Some(trusted),
            Err(error) => inspection.problems.push(error.to_string()),
        }
    }
    Ok(inspection)
}

/// Where the payload to check is.
#[derive(Clone, Copy, Debug)]
pub enum PayloadAt<'a> {
    /// In the envelope.
    Envelope,
    /// In a file of its own.
    Beside(&'a [u8]),
}

/// What was found true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// What the envelope says: signed by a trusted key.
    pub manifest: Inspection,
    /// Whether the source was translated again and gave the same bytes.
    pub reproduced: bool,
}

/// Checks an envelope as a device does that trusts `anchors`: signature,
/// manifest and payload. With `source`, also that this is the Wasm it was
/// made from, by translating it again and comparing byte for byte.
///
/// # Errors
///
/// The first check that fails; see [`Error`], 1 to 31, 35 and 36.
pub fn verify(
    envelope: &[u8],
    anchors: &[PublicKey],
    payload: PayloadAt<'_>,
    source: Option<&[u8]>,
) -> Result<Checked> {
    let Scan::Complete { head_len, .. } = scan_head(envelope)? else {
        return Err(Problem::Truncated.into());
    };
    let (head, rest) = envelope
        .split_at_checked(head_len)
        .ok_or(Problem::Truncated)?;
    let manifest = verify_head(head, anchors)?;

    let payload = match (manifest.delivery, payload) {
        (Delivery::Integrated, PayloadAt::Envelope) => rest,
        (Delivery::Integrated, PayloadAt::Beside(_)) => return Err(Error::TwoPayloads),
        (Delivery::Detached, PayloadAt::Envelope) => return Err(Error::NoPayload),
        (Delivery::Detached, PayloadAt::Beside(payload)) => payload,
    };
    manifest.admit(payload)?;
    let mut inspection = Inspection::new(&manifest);
    match (is_record(&manifest), source) {
        (true, Some(_)) => return Err(Error::SourceOfNothing),
        (true, None) => inspection.trust = Some(Trusted::read(payload)?),
        (false, Some(source)) => reproduce(&manifest, source)?,
        (false, None) => {}
    }
    inspection.signature_checked = true;
    // All of them were checked.
    let read = sealift_manifest::inspect(envelope)?;
    inspection.signers = read
        .untrusted()
        .key_ids
        .iter()
        .map(ToString::to_string)
        .collect();
    Ok(Checked {
        manifest: inspection,
        reproduced: source.is_some(),
    })
}
