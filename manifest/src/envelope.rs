//! The outermost layer: where the parts of an envelope begin and end.

use crate::cbor::{Major, Reader};
use crate::labels::{AUTHENTICATION, MANIFEST, TAG_ENVELOPE, TEXT};
use crate::{Error, MAX_HEAD, PAYLOAD_KEY};

/// What the first bytes of an envelope say about its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// The head goes on. There is a continuation of at most
    /// [`MAX_HEAD`] bytes in all with which the answer is [`Scan::Complete`].
    NeedMore,
    /// The head is there.
    Complete {
        /// Length of the head, in bytes.
        head_len: usize,
        /// Length of the integrated payload that follows the head, in bytes,
        /// or `None` for an envelope with a detached payload.
        integrated: Option<u32>,
    },
}

/// Finds the end of an envelope's head in the first bytes of the envelope, as
/// they arrive.
///
/// This trusts nothing and verifies nothing: it tells a receiver how many bytes
/// to keep for [`verify`](crate::verify), and where the payload begins.
///
/// # Errors
///
/// If these bytes are not the beginning of an envelope of this profile whose
/// head fits [`MAX_HEAD`], or if there are more of them than the envelope has.
pub fn scan_head(prefix: &[u8]) -> Result<Scan, Error> {
    match Parts::split(prefix) {
        Ok(parts) => Ok(Scan::Complete {
            head_len: parts.head_len,
            integrated: parts.payload_len,
        }),
        Err(Error::Truncated) if prefix.len() < MAX_HEAD => Ok(Scan::NeedMore),
        Err(Error::Truncated) => Err(Error::HeadTooLong),
        Err(error) => Err(error),
    }
}

/// The parts of an envelope, unread.
pub(crate) struct Parts<'a> {
    /// The authentication wrapper, without its byte string header.
    pub(crate) authentication: &'a [u8],
    /// The manifest, without its byte string header.
    pub(crate) manifest: &'a [u8],
    /// The manifest with its byte string header: what the digest is over.
    pub(crate) manifest_bstr: &'a [u8],
    /// The text with its byte string header: what the digest is over.
    pub(crate) text_bstr: Option<&'a [u8]>,
    /// Length of the integrated payload.
    pub(crate) payload_len: Option<u32>,
    /// Where the payload begins, or the envelope ends.
    pub(crate) head_len: usize,
}

/// The fewest bytes that a map entry with a one byte key can have.
const SHORTEST_ENTRY: usize = 2;
/// The fewest bytes of head that an integrated payload takes: key and length.
const SHORTEST_PAYLOAD: usize = PAYLOAD_KEY.len() + 2;

impl<'a> Parts<'a> {
    /// Splits an envelope, or the beginning of one that has the whole head.
    pub(crate) fn split(input: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(input);
        reader.literal(&[0xd8, TAG_ENVELOPE], Error::NotAnEnvelope)?;
        let entries = reader.head(Major::Map, 4, Error::UnknownKey)?;
        // What has to fit behind the manifest, at least.
        let (behind, both) = match entries {
            0 | 1 => return Err(Error::MissingKey),
            2 => (0, false),
            3 => (SHORTEST_ENTRY, false),
            _ => (SHORTEST_ENTRY.saturating_add(SHORTEST_PAYLOAD), true),
        };
        let end = MAX_HEAD.saturating_sub(behind);

        key(&mut reader, AUTHENTICATION)?;
        let authentication =
            reader.bytes_until(end.saturating_sub(SHORTEST_ENTRY), Error::HeadTooLong)?;
        key(&mut reader, MANIFEST)?;
        let start = reader.position();
        let manifest = reader.bytes_until(end, Error::HeadTooLong)?;
        let manifest_bstr = reader.since(start);

        let mut text_bstr = None;
        let mut payload_len = None;
        if entries > 2 {
            let is_text = reader.peek()? >> 5 == Major::Unsigned as u8;
            if is_text || both {
                key(&mut reader, TEXT)?;
                let start = reader.position();
                let end = if both {
                    MAX_HEAD.saturating_sub(SHORTEST_PAYLOAD)
                } else {
                    MAX_HEAD
                };
                reader.bytes_until(end, Error::HeadTooLong)?;
                text_bstr = Some(reader.since(start));
            }
            if both || !is_text {
                payload_len = Some(payload(&mut reader)?);
            }
        }

        let head_len = reader.position();
        let follow = input.len().saturating_sub(head_len);
        if follow as u64 > u64::from(payload_len.unwrap_or(0)) {
            return Err(Error::TrailingBytes);
        }
        Ok(Self {
            authentication,
            manifest,
            manifest_bstr,
            text_bstr,
            payload_len,
            head_len,
        })
    }
}

/// Reads this key of the envelope. All integer keys are below 24.
fn key(reader: &mut Reader<'_>, expected: u64) -> Result<(), Error> {
    let found = reader.unsigned(23, Error::UnknownKey)?;
    if found == expected {
        Ok(())
    } else if matches!(found, AUTHENTICATION | MANIFEST | TEXT) {
        // One of ours, so it is the order that is wrong, or one is missing.
        Err(if found < expected {
            Error::KeyOrder
        } else {
            Error::MissingKey
        })
    } else {
        Err(Error::UnknownKey)
    }
}

/// Reads key and length of an integrated payload.
fn payload(reader: &mut Reader<'_>) -> Result<u32, Error> {
    let first = reader.peek()?;
    if first >> 5 == Major::Unsigned as u8 {
        return Err(Error::KeyOrder);
    }
    if first >> 5 != Major::Text as u8 {
        return Err(Error::UnexpectedType);
    }
    let room = MAX_HEAD.saturating_sub(reader.position());
    if room < SHORTEST_PAYLOAD {
        return Err(Error::HeadTooLong);
    }
    // A short text string has its length in the head: 0x60 and the length.
    reader.literal(&[0x60 | KEY_LEN], Error::UnknownKey)?;
    reader.literal(PAYLOAD_KEY.as_bytes(), Error::UnknownKey)?;
    let start = reader.position();
    let width = match reader.peek()? & 0x1f {
        24 => 2,
        25 => 3,
        26 => 5,
        _ => 1,
    };
    if start.saturating_add(width) > MAX_HEAD {
        return Err(Error::HeadTooLong);
    }
    let length = reader.head(Major::Bytes, u64::from(u32::MAX), Error::PayloadTooLong)?;
    match u32::try_from(length) {
        Ok(0) => Err(Error::EmptyPayload),
        Ok(length) => Ok(length),
        Err(_) => Err(Error::PayloadTooLong),
    }
}

const KEY_LEN: u8 = 8;
const _: () = assert!(PAYLOAD_KEY.len() == KEY_LEN as usize);
