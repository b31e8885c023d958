//! The manifest: what is to be installed where, and how to run it.

use crate::authentication::read_digest;
use crate::cbor::Reader;
use crate::invoke::{InvokeArgs, number};
use crate::key::KeyId;
use crate::labels::{
    COMMON, COMPONENTS, CONDITION_CLASS, CONDITION_IMAGE_MATCH, CONDITION_VENDOR, DIRECTIVE_INVOKE,
    FETCH, INSTALL, INVOKE, OVERRIDE_PARAMETERS, PARAMETER_CLASS, PARAMETER_DIGEST,
    PARAMETER_INVOKE_ARGS, PARAMETER_SIZE, PARAMETER_URI, PARAMETER_VENDOR, PAYLOAD_FETCH,
    PAYLOAD_SUFFIX, REPORT_CONDITION, REPORT_DIRECTIVE, SEQUENCE_NUMBER, SHARED_SEQUENCE,
    SUPPORTED_VERSION, TEXT, VALIDATE, VERSION,
};
use crate::{Error, MAX_HEAD, PAYLOAD_KEY};

/// The longest component name, in bytes.
pub const MAX_COMPONENT: usize = 16;

/// Where the payload comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// It follows the head of the envelope.
    Integrated,
    /// It comes on its own.
    Detached,
}

/// A manifest: one payload for one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest<'a> {
    /// The version of the capsule; later ones have larger numbers.
    pub sequence_number: u64,
    /// The component: 1 to [`MAX_COMPONENT`] of `a-z`, `0-9` and `-`.
    pub component: &'a str,
    /// The UUID of the device's vendor.
    pub vendor_id: [u8; 16],
    /// The UUID of the class of devices.
    pub class_id: [u8; 16],
    /// SHA-256 of the payload.
    pub payload_digest: [u8; 32],
    /// Length of the payload, in bytes; not 0.
    pub payload_size: u32,
    /// Where the payload comes from.
    pub delivery: Delivery,
    /// The SUIT digest of the manifest: SHA-256 of its byte string, header
    /// included. It names the envelope.
    pub digest: [u8; 32],
    /// The key of the first signature.
    pub signer: KeyId,
    /// The arguments for the runtime.
    pub invoke: InvokeArgs<'a>,
    /// SHA-256 of the text's byte string, if there is text for humans. The
    /// text itself may have been severed from the envelope.
    pub text_digest: Option<[u8; 32]>,
}

/// Whether a component can have this name.
#[must_use]
pub fn is_component(name: &[u8]) -> bool {
    (1..=MAX_COMPONENT).contains(&name.len())
        && name
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

impl<'a> Manifest<'a> {
    /// Reads the manifest of an envelope. `digest` and `signer` are what is
    /// already known about it.
    pub(crate) fn read(bytes: &'a [u8], digest: [u8; 32], signer: KeyId) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let mut keys = reader.map()?;
        keys.required(&mut reader, VERSION)?;
        if reader.unsigned(u64::MAX, Error::Version)? != SUPPORTED_VERSION {
            return Err(Error::Version);
        }
        keys.required(&mut reader, SEQUENCE_NUMBER)?;
        let sequence_number = reader.unsigned(u64::MAX, Error::OutOfRange)?;
        keys.required(&mut reader, COMMON)?;
        let common = Common::read(reader.embedded()?)?;
        keys.required(&mut reader, VALIDATE)?;
        read_image_match(reader.embedded()?)?;
        keys.required(&mut reader, INVOKE)?;
        let invoke = read_invoke(reader.embedded()?)?;
        if invoke.floor > sequence_number {
            return Err(Error::FloorAboveSequence);
        }
        let delivery = if keys.optional(&mut reader, PAYLOAD_FETCH)? {
            read_fetch(reader.embedded()?, |uri| {
                uri.strip_suffix(PAYLOAD_SUFFIX) == Some(common.component)
            })?;
            keys.required(&mut reader, INSTALL)?;
            read_image_match(reader.embedded()?)?;
            Delivery::Detached
        } else {
            keys.required(&mut reader, INSTALL)?;
            read_fetch(reader.embedded()?, |uri| uri == PAYLOAD_KEY)?;
            Delivery::Integrated
        };
        let text_digest = if keys.optional(&mut reader, TEXT)? {
            Some(read_digest(&mut reader)?)
        } else {
            None
        };
        keys.end(&mut reader)?;
        reader.finish()?;
        Ok(Self {
            sequence_number,
            component: common.component,
            vendor_id: common.vendor_id,
            class_id: common.class_id,
            payload_digest: common.payload_digest,
            payload_size: common.payload_size,
            delivery,
            digest,
            signer,
            invoke,
            text_digest,
        })
    }
}

/// What stands in `suit-common`.
struct Common<'a> {
    component: &'a str,
    vendor_id: [u8; 16],
    class_id: [u8; 16],
    payload_digest: [u8; 32],
    payload_size: u32,
}

impl<'a> Common<'a> {
    fn read(mut reader: Reader<'a>) -> Result<Self, Error> {
        let mut keys = reader.map()?;
        keys.required(&mut reader, COMPONENTS)?;
        // One component, with one segment.
        for _ in 0..2 {
            reader.array(1).map_err(|error| match error {
                Error::ArrayLength => Error::Component,
                error => error,
            })?;
        }
        let name = reader.bytes(MAX_COMPONENT, Error::ComponentName)?;
        if !is_component(name) {
            return Err(Error::ComponentName);
        }
        let component = core::str::from_utf8(name).map_err(|_| Error::ComponentName)?;
        keys.required(&mut reader, SHARED_SEQUENCE)?;
        let mut sequence = reader.embedded()?;
        keys.end(&mut reader)?;
        reader.finish()?;

        sequence.array(6)?;
        command(&mut sequence, OVERRIDE_PARAMETERS)?;
        let mut keys = sequence.map()?;
        keys.required(&mut sequence, PARAMETER_VENDOR)?;
        let vendor_id = sequence.array_of(Error::IdentifierLength)?;
        keys.required(&mut sequence, PARAMETER_CLASS)?;
        let class_id = sequence.array_of(Error::IdentifierLength)?;
        keys.required(&mut sequence, PARAMETER_DIGEST)?;
        let mut digest = sequence.embedded()?;
        let payload_digest = read_digest(&mut digest)?;
        digest.finish()?;
        keys.required(&mut sequence, PARAMETER_SIZE)?;
        let payload_size = number(&mut sequence)?;
        if payload_size == 0 {
            return Err(Error::EmptyPayload);
        }
        keys.end(&mut sequence)?;
        reported(&mut sequence, CONDITION_VENDOR, REPORT_CONDITION)?;
        reported(&mut sequence, CONDITION_CLASS, REPORT_CONDITION)?;
        sequence.finish()?;
        Ok(Self {
            component,
            vendor_id,
            class_id,
            payload_digest,
            payload_size,
        })
    }
}

/// Reads a command, which has to be this one.
fn command(reader: &mut Reader<'_>, expected: u64) -> Result<(), Error> {
    if u64::try_from(reader.integer()?) == Ok(expected) {
        Ok(())
    } else {
        Err(Error::Command)
    }
}

/// Reads a command that has a reporting policy as its argument.
fn reported(reader: &mut Reader<'_>, expected: u64, policy: u64) -> Result<(), Error> {
    command(reader, expected)?;
    if reader.unsigned(u64::MAX, Error::ReportPolicy)? == policy {
        Ok(())
    } else {
        Err(Error::ReportPolicy)
    }
}

/// Reads `[3, 15]`.
fn read_image_match(mut reader: Reader<'_>) -> Result<(), Error> {
    reader.array(2)?;
    reported(&mut reader, CONDITION_IMAGE_MATCH, REPORT_CONDITION)?;
    reader.finish()
}

/// Reads `[20, {21: uri}, 21, 2, 3, 15]`.
fn read_fetch(mut reader: Reader<'_>, accept: impl Fn(&str) -> bool) -> Result<(), Error> {
    reader.array(6)?;
    command(&mut reader, OVERRIDE_PARAMETERS)?;
    let mut keys = reader.map()?;
    keys.required(&mut reader, PARAMETER_URI)?;
    let uri = reader.text(MAX_HEAD, Error::Uri)?;
    if !accept(uri) {
        return Err(Error::Uri);
    }
    keys.end(&mut reader)?;
    reported(&mut reader, FETCH, REPORT_DIRECTIVE)?;
    reported(&mut reader, CONDITION_IMAGE_MATCH, REPORT_CONDITION)?;
    reader.finish()
}

/// Reads `[20, {23: << invoke-args >>}, 23, 2]`.
fn read_invoke<'a>(mut reader: Reader<'a>) -> Result<InvokeArgs<'a>, Error> {
    reader.array(4)?;
    command(&mut reader, OVERRIDE_PARAMETERS)?;
    let mut keys = reader.map()?;
    keys.required(&mut reader, PARAMETER_INVOKE_ARGS)?;
    let invoke = InvokeArgs::read(reader.embedded()?)?;
    keys.end(&mut reader)?;
    reported(&mut reader, DIRECTIVE_INVOKE, REPORT_DIRECTIVE)?;
    reader.finish()?;
    Ok(invoke)
}
