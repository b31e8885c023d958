//! The other direction: a deterministic encoder, and signing.

mod writer;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub(crate) use writer::Writer;

use crate::authentication::{Authentication, sha256, signed_parts};
use crate::cbor::Major;
use crate::envelope::Parts;
use crate::invoke::{Grants, Kind};
use crate::key::{KeyId, PublicKey};
use crate::labels::{
    ALG_ED25519, ALG_SHA_256, AUTHENTICATION, COMMON, COMPONENTS, CONDITION_CLASS,
    CONDITION_IMAGE_MATCH, CONDITION_VENDOR, DIRECTIVE_INVOKE, FETCH, HEADER_ALG, HEADER_KID,
    INSTALL, INVOKE, MANIFEST, OVERRIDE_PARAMETERS, PARAMETER_CLASS, PARAMETER_DIGEST,
    PARAMETER_INVOKE_ARGS, PARAMETER_SIZE, PARAMETER_URI, PARAMETER_VENDOR, PAYLOAD_FETCH,
    PAYLOAD_SUFFIX, REPORT_CONDITION, REPORT_DIRECTIVE, SEQUENCE_NUMBER, SHARED_SEQUENCE,
    SUPPORTED_VERSION, TAG_ENVELOPE, TAG_SIGN1, TEXT, VALIDATE, VERSION, args,
};
use crate::manifest::{Delivery, Manifest};
use crate::text::Text;
use crate::verified::verify_unfinished;
use crate::{Error, KeyError, MAX_HEAD, PAYLOAD_KEY};

/// What a manifest is made from: an owned [`Manifest`], without what follows
/// from the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestSpec {
    /// See [`Manifest::sequence_number`].
    pub sequence_number: u64,
    /// See [`Manifest::component`].
    pub component: String,
    /// See [`Manifest::vendor_id`].
    pub vendor_id: [u8; 16],
    /// See [`Manifest::class_id`].
    pub class_id: [u8; 16],
    /// See [`Manifest::payload_digest`].
    pub payload_digest: [u8; 32],
    /// See [`Manifest::payload_size`].
    pub payload_size: u32,
    /// See [`Manifest::invoke`].
    pub invoke: InvokeSpec,
}

/// An owned [`InvokeArgs`](crate::InvokeArgs).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvokeSpec {
    /// The engine profile that the payload is translated for.
    pub profile: String,
    /// Fuel for each call.
    pub fuel: u64,
    /// The most linear memory, in bytes.
    pub memory: u32,
    /// The most stack, in bytes.
    pub stack: u32,
    /// What the capsule may import.
    pub grants: Grants,
    /// How long the capsule lives.
    pub kind: Kind,
    /// The rollback floor.
    pub floor: u64,
    /// SHA-256 of the Wasm that the payload was translated from.
    pub source_digest: [u8; 32],
    /// How many translators have to sign.
    pub signatures: u8,
}

impl ManifestSpec {
    /// Sets digest and size to those of `payload`.
    ///
    /// # Errors
    ///
    /// [`Error::PayloadTooLong`] if it has more than 2^32 - 1 bytes.
    pub fn set_payload(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.payload_size = u32::try_from(payload.len()).map_err(|_| Error::PayloadTooLong)?;
        self.payload_digest = sha256(payload);
        Ok(())
    }
}

impl From<&Manifest<'_>> for ManifestSpec {
    fn from(manifest: &Manifest<'_>) -> Self {
        Self {
            sequence_number: manifest.sequence_number,
            component: manifest.component.to_owned(),
            vendor_id: manifest.vendor_id,
            class_id: manifest.class_id,
            payload_digest: manifest.payload_digest,
            payload_size: manifest.payload_size,
            invoke: InvokeSpec {
                profile: manifest.invoke.profile.to_owned(),
                fuel: manifest.invoke.fuel,
                memory: manifest.invoke.memory,
                stack: manifest.invoke.stack,
                grants: manifest.invoke.grants,
                kind: manifest.invoke.kind,
                floor: manifest.invoke.floor,
                source_digest: manifest.invoke.source_digest,
                signatures: manifest.invoke.signatures,
            },
        }
    }
}

/// Something that makes Ed25519 signatures.
pub trait Sign {
    /// The public key that belongs to the signatures.
    fn public_key(&self) -> [u8; 32];

    /// The signature over `message` (RFC 8032, pure Ed25519).
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

impl Sign for ed25519_compact::KeyPair {
    fn public_key(&self) -> [u8; 32] {
        *self.pk
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        *self.sk.sign(message, None)
    }
}

/// Why no envelope was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A signing key has a public key that nobody would accept.
    Key(KeyError),
    /// A device would refuse the envelope, for this reason.
    Refused(Error),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => write!(f, "the signing key cannot be used: {error}"),
            Self::Refused(error) => write!(f, "a device would refuse the envelope: {error}"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// Builds and signs an envelope.
///
/// `payload` is put into the envelope if there is one; otherwise it is
/// delivered detached. The signatures are put into the order of their keys.
///
/// # Errors
///
/// The finished envelope is checked in the way a device does that trusts
/// exactly these keys, so that every rule for the fields of `spec` shows up as
/// [`EncodeError::Refused`]. What a device compares with what it is and has is
/// not known here: sequence number 0, say, is no error, but nothing that a store
/// takes. There may be fewer signatures than `spec` asks for; see
/// [`add_signature`].
pub fn build_envelope(
    spec: &ManifestSpec,
    keys: &[&dyn Sign],
    payload: Option<&[u8]>,
    text: Option<&Text>,
) -> Result<Vec<u8>, EncodeError> {
    let delivery = if payload.is_some() {
        Delivery::Integrated
    } else {
        Delivery::Detached
    };
    let text = text.map(|text| bstr(&text.encode(&spec.component)));
    let text_digest = text.as_deref().map(sha256);
    let manifest = bstr(&encode_manifest(spec, delivery, text_digest.as_ref()));
    let digest = encode_digest(&sha256(&manifest));

    let mut anchors = Vec::new();
    let mut blocks = Vec::new();
    for key in keys {
        let public = PublicKey::from_bytes(&key.public_key()).map_err(EncodeError::Key)?;
        blocks.push((public.key_id(), sign1(&public, *key, &digest)));
        anchors.push(public);
    }

    let mut envelope = Writer::new();
    envelope.head(Major::Tag, u64::from(TAG_ENVELOPE));
    let entries = 2_u64
        .saturating_add(u64::from(text.is_some()))
        .saturating_add(u64::from(payload.is_some()));
    envelope.head(Major::Map, entries);
    envelope.unsigned(AUTHENTICATION);
    envelope.bytes(&encode_wrapper(&digest, blocks));
    envelope.unsigned(MANIFEST);
    envelope.raw(&manifest);
    if let Some(text) = &text {
        envelope.unsigned(TEXT);
        envelope.raw(text);
    }
    if let Some(payload) = payload {
        envelope.text(PAYLOAD_KEY);
        envelope.head(Major::Bytes, payload.len() as u64);
    }
    let mut envelope = envelope.finish();

    let (verified, _) = verify_unfinished(&envelope, &anchors, 1).map_err(EncodeError::Refused)?;
    if let Some(payload) = payload {
        verified.admit(payload).map_err(EncodeError::Refused)?;
        envelope.extend_from_slice(payload);
    }
    Ok(envelope)
}

/// Encodes a manifest, without a byte string header around it.
///
/// `text_digest` is the SHA-256 of the text's byte string, header included.
/// The fields are not checked.
pub fn encode_manifest(
    spec: &ManifestSpec,
    delivery: Delivery,
    text_digest: Option<&[u8; 32]>,
) -> Vec<u8> {
    let entries = 6_u64
        .saturating_add(u64::from(delivery == Delivery::Detached))
        .saturating_add(u64::from(text_digest.is_some()));
    let mut manifest = Writer::new();
    manifest.head(Major::Map, entries);
    manifest.unsigned(VERSION);
    manifest.unsigned(SUPPORTED_VERSION);
    manifest.unsigned(SEQUENCE_NUMBER);
    manifest.unsigned(spec.sequence_number);
    manifest.unsigned(COMMON);
    manifest.bytes(&encode_common(spec));
    manifest.unsigned(VALIDATE);
    manifest.bytes(&encode_image_match());
    manifest.unsigned(INVOKE);
    manifest.bytes(&encode_invoke(&spec.invoke));
    match delivery {
        Delivery::Detached => {
            let mut uri = spec.component.clone();
            uri.push_str(PAYLOAD_SUFFIX);
            manifest.unsigned(PAYLOAD_FETCH);
            manifest.bytes(&encode_fetch(&uri));
            manifest.unsigned(INSTALL);
            manifest.bytes(&encode_image_match());
        }
        Delivery::Integrated => {
            manifest.unsigned(INSTALL);
            manifest.bytes(&encode_fetch(PAYLOAD_KEY));
        }
    }
    if let Some(digest) = text_digest {
        manifest.unsigned(TEXT);
        manifest.raw(&encode_digest(digest));
    }
    manifest.finish()
}

/// Takes the text out of an envelope. Nothing that is signed changes.
///
/// # Errors
///
/// If these bytes do not have the outer shape of an envelope.
pub fn sever_text(envelope: &[u8]) -> Result<Vec<u8>, Error> {
    let parts = Parts::split(envelope)?;
    Ok(join(&parts, parts.authentication, None, envelope))
}

/// Adds a signature to an envelope, over the same digest as those that it has.
///
/// This says nothing about the other signatures, which need the other keys to
/// be checked. Whoever calls it has to have looked at what is signed.
///
/// # Errors
///
/// [`EncodeError::Key`], and [`EncodeError::Refused`] if these bytes are no
/// envelope, if the digest in it is not that of its manifest, if this key has
/// signed it already ([`Error::SignatureOrder`]), or if there is no room for
/// one more signature.
pub fn add_signature(envelope: &[u8], key: &dyn Sign) -> Result<Vec<u8>, EncodeError> {
    let refused = EncodeError::Refused;
    let public = PublicKey::from_bytes(&key.public_key()).map_err(EncodeError::Key)?;
    let parts = Parts::split(envelope).map_err(refused)?;
    let present = Authentication::read(parts.authentication).map_err(refused)?;
    if sha256(parts.manifest_bstr) != present.digest {
        return Err(refused(Error::ManifestDigest));
    }
    let digest = encode_digest(&present.digest);
    let mut blocks: Vec<(KeyId, Vec<u8>)> = present
        .blocks()
        .map(|block| (block.key_id, block.encoded.to_vec()))
        .collect();
    blocks.push((public.key_id(), sign1(&public, key, &digest)));
    let wrapper = encode_wrapper(&digest, blocks);
    Authentication::read(&wrapper).map_err(refused)?;
    let signed = join(&parts, &wrapper, parts.text_bstr, envelope);
    let head_len = Parts::split(&signed).map_err(refused)?.head_len;
    if head_len > MAX_HEAD {
        return Err(refused(Error::HeadTooLong));
    }
    Ok(signed)
}

/// The parts of `envelope` with another wrapper and text.
fn join(parts: &Parts<'_>, wrapper: &[u8], text: Option<&[u8]>, envelope: &[u8]) -> Vec<u8> {
    let mut joined = Writer::new();
    joined.head(Major::Tag, u64::from(TAG_ENVELOPE));
    let entries = 2_u64
        .saturating_add(u64::from(text.is_some()))
        .saturating_add(u64::from(parts.payload_len.is_some()));
    joined.head(Major::Map, entries);
    joined.unsigned(AUTHENTICATION);
    joined.bytes(wrapper);
    joined.unsigned(MANIFEST);
    joined.raw(parts.manifest_bstr);
    if let Some(text) = text {
        joined.unsigned(TEXT);
        joined.raw(text);
    }
    if let Some(length) = parts.payload_len {
        joined.text(PAYLOAD_KEY);
        joined.head(Major::Bytes, u64::from(length));
        joined.raw(envelope.get(parts.head_len..).unwrap_or_default());
    }
    joined.finish()
}

/// The authentication wrapper: the signatures in the order of their keys.
fn encode_wrapper(digest: &[u8], mut blocks: Vec<(KeyId, Vec<u8>)>) -> Vec<u8> {
    blocks.sort_by_key(|(id, _)| *id);
    let mut wrapper = Writer::new();
    wrapper.head(Major::Array, blocks.len().saturating_add(1) as u64);
    wrapper.bytes(digest);
    for (_, block) in &blocks {
        wrapper.bytes(block);
    }
    wrapper.finish()
}

/// Wraps encoded CBOR into a byte string.
fn bstr(content: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.bytes(content);
    writer.finish()
}

fn encode_digest(digest: &[u8; 32]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.head(Major::Array, 2);
    writer.integer(ALG_SHA_256);
    writer.bytes(digest);
    writer.finish()
}

/// A COSE_Sign1 over an encoded SUIT_Digest.
fn sign1(public: &PublicKey, key: &dyn Sign, digest: &[u8]) -> Vec<u8> {
    let mut header = Writer::new();
    header.head(Major::Map, 2);
    header.unsigned(HEADER_ALG);
    header.integer(ALG_ED25519);
    header.unsigned(HEADER_KID);
    header.bytes(&public.key_id().to_bytes());
    let protected = bstr(&header.finish());
    let signature = key.sign(&signed_parts(&protected, digest).concat());

    let mut block = Writer::new();
    block.head(Major::Tag, u64::from(TAG_SIGN1));
    block.head(Major::Array, 4);
    block.raw(&protected);
    block.head(Major::Map, 0);
    block.null();
    block.bytes(&signature);
    block.finish()
}

fn encode_common(spec: &ManifestSpec) -> Vec<u8> {
    let mut sequence = Writer::new();
    sequence.head(Major::Array, 6);
    sequence.unsigned(OVERRIDE_PARAMETERS);
    sequence.head(Major::Map, 4);
    sequence.unsigned(PARAMETER_VENDOR);
    sequence.bytes(&spec.vendor_id);
    sequence.unsigned(PARAMETER_CLASS);
    sequence.bytes(&spec.class_id);
    sequence.unsigned(PARAMETER_DIGEST);
    sequence.bytes(&encode_digest(&spec.payload_digest));
    sequence.unsigned(PARAMETER_SIZE);
    sequence.unsigned(u64::from(spec.payload_size));
    sequence.unsigned(CONDITION_VENDOR);
    sequence.unsigned(REPORT_CONDITION);
    sequence.unsigned(CONDITION_CLASS);
    sequence.unsigned(REPORT_CONDITION);

    let mut common = Writer::new();
    common.head(Major::Map, 2);
    common.unsigned(COMPONENTS);
    common.head(Major::Array, 1);
    common.head(Major::Array, 1);
    common.bytes(spec.component.as_bytes());
    common.unsigned(SHARED_SEQUENCE);
    common.bytes(&sequence.finish());
    common.finish()
}

/// `[3, 15]`.
fn encode_image_match() -> Vec<u8> {
    let mut sequence = Writer::new();
    sequence.head(Major::Array, 2);
    sequence.unsigned(CONDITION_IMAGE_MATCH);
    sequence.unsigned(REPORT_CONDITION);
    sequence.finish()
}

/// `[20, {21: uri}, 21, 2, 3, 15]`.
fn encode_fetch(uri: &str) -> Vec<u8> {
    let mut sequence = Writer::new();
    sequence.head(Major::Array, 6);
    sequence.unsigned(OVERRIDE_PARAMETERS);
    sequence.head(Major::Map, 1);
    sequence.unsigned(PARAMETER_URI);
    sequence.text(uri);
    sequence.unsigned(FETCH);
    sequence.unsigned(REPORT_DIRECTIVE);
    sequence.unsigned(CONDITION_IMAGE_MATCH);
    sequence.unsigned(REPORT_CONDITION);
    sequence.finish()
}

/// `[20, {23: << invoke-args >>}, 23, 2]`.
fn encode_invoke(invoke: &InvokeSpec) -> Vec<u8> {
    let mut map = Writer::new();
    let signatures = (invoke.signatures != 1).then_some(invoke.signatures);
    map.head(Major::Map, if signatures.is_some() { 9 } else { 8 });
    map.unsigned(args::PROFILE);
    map.text(&invoke.profile);
    map.unsigned(args::FUEL);
    map.unsigned(invoke.fuel);
    map.unsigned(args::MEMORY);
    map.unsigned(u64::from(invoke.memory));
    map.unsigned(args::STACK);
    map.unsigned(u64::from(invoke.stack));
    map.unsigned(args::GRANTS);
    map.unsigned(u64::from(invoke.grants.bits()));
    map.unsigned(args::KIND);
    map.unsigned(u64::from(invoke.kind as u8));
    map.unsigned(args::FLOOR);
    map.unsigned(invoke.floor);
    map.unsigned(args::SOURCE_DIGEST);
    map.bytes(&invoke.source_digest);
    if let Some(signatures) = signatures {
        map.unsigned(args::SIGNATURES);
        map.unsigned(u64::from(signatures));
    }

    let mut sequence = Writer::new();
    sequence.head(Major::Array, 4);
    sequence.unsigned(OVERRIDE_PARAMETERS);
    sequence.head(Major::Map, 1);
    sequence.unsigned(PARAMETER_INVOKE_ARGS);
    sequence.bytes(&map.finish());
    sequence.unsigned(DIRECTIVE_INVOKE);
    sequence.unsigned(REPORT_DIRECTIVE);
    sequence.finish()
}
