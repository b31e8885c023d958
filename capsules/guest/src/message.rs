//! CoAP requests and responses, as a capsule sees them: RFC 7252.

use alloc::vec::Vec;

const URI_PATH: u16 = 11;
const CONTENT_FORMAT: u16 = 12;
const URI_QUERY: u16 = 15;
const PAYLOAD_MARKER: u8 = 0xff;

/// Content format `text/plain; charset=utf-8`.
pub const TEXT: u16 = 0;

/// What the client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// 0.01
    Get,
    /// 0.02
    Post,
    /// 0.03
    Put,
    /// 0.04
    Delete,
    /// Anything else, as its code byte.
    Other(u8),
}

/// A request. Its path is relative to the capsule.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    code: u8,
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Request<'a> {
    /// Splits the message that a device hands over; `None` where it is not
    /// well-formed.
    #[must_use]
    pub fn parse(code: u8, message: &'a [u8]) -> Option<Self> {
        let mut rest = message;
        loop {
            match rest.first() {
                None | Some(&PAYLOAD_MARKER) => break,
                Some(_) => (_, _, rest) = option(rest)?,
            }
        }
        let options = message.get(..message.len() - rest.len())?;
        let payload = rest.get(1..).unwrap_or_default();
        Some(Self {
            code,
            options,
            payload,
        })
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        match self.code {
            1 => Method::Get,
            2 => Method::Post,
            3 => Method::Put,
            4 => Method::Delete,
            other => Method::Other(other),
        }
    }

    /// The options, as pairs of number and value.
    pub fn options(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = self.options;
        let mut number = 0_u16;
        core::iter::from_fn(move || {
            let (delta, value, behind) = option(rest)?;
            rest = behind;
            number = number.checked_add(delta)?;
            Some((number, value))
        })
    }

    /// The segments of the path.
    pub fn path(&self) -> impl Iterator<Item = &'a [u8]> {
        self.options()
            .filter_map(|(number, value)| (number == URI_PATH).then_some(value))
    }

    /// The parts of the query.
    pub fn query(&self) -> impl Iterator<Item = &'a [u8]> {
        self.options()
            .filter_map(|(number, value)| (number == URI_QUERY).then_some(value))
    }

    /// Whether the path has exactly these segments.
    #[must_use]
    pub fn path_is(&self, segments: &[&str]) -> bool {
        self.path().eq(segments.iter().map(|s| s.as_bytes()))
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// One option: delta, value, and what follows. RFC 7252, 3.1.
fn option(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (delta, rest) = extended(first >> 4, rest)?;
    let (len, rest) = extended(first & 15, rest)?;
    let (value, rest) = rest.split_at_checked(len.into())?;
    Some((delta, value, rest))
}

fn extended(nibble: u8, bytes: &[u8]) -> Option<(u16, &[u8])> {
    match (nibble, bytes) {
        (0..=12, _) => Some((nibble.into(), bytes)),
        (13, [a, rest @ ..]) => Some((u16::from(*a) + 13, rest)),
        (14, [a, b, rest @ ..]) => {
            let value = u16::from_be_bytes([*a, *b]).checked_add(269)?;
            Some((value, rest))
        }
        _ => None,
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    code: u8,
    format: Option<u16>,
    payload: Vec<u8>,
}

impl Response {
    /// A response with a code, as class and detail: `(2, 5)` is 2.05.
    #[must_use]
    pub fn new((class, detail): (u8, u8)) -> Self {
        Self {
            code: class << 5 | detail & 31,
            format: None,
            payload: Vec::new(),
        }
    }

    /// 2.05 with text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new((2, 5)).with_payload(TEXT, text.as_bytes())
    }

    /// 2.04.
    #[must_use]
    pub fn changed() -> Self {
        Self::new((2, 4))
    }

    /// 4.00.
    #[must_use]
    pub fn bad_request() -> Self {
        Self::new((4, 0))
    }

    /// 4.04.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new((4, 4))
    }

    /// 4.05.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new((4, 5))
    }

    /// 5.03.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new((5, 3))
    }

    /// This response with a payload of a content format.
    #[must_use]
    pub fn with_payload(mut self, format: u16, payload: &[u8]) -> Self {
        self.format = Some(format);
        self.payload.clear();
        self.payload.extend_from_slice(payload);
        self
    }

    /// The response code as its byte.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Writes options and payload into `message`, which it empties first.
    pub fn encode(&self, message: &mut Vec<u8>) {
        message.clear();
        // Not the double of what it has: the heap is small.
        message.reserve_exact(self.payload.len() + 4);
        if let Some(format) = self.format {
            let bytes = format.to_be_bytes();
            // An unsigned integer in as few bytes as it needs: RFC 7252, 3.2.
            let value = match bytes {
                [0, 0] => &[][..],
                [0, low] => &[low][..],
                _ => &bytes[..],
            };
            message.push((CONTENT_FORMAT as u8) << 4 | value.len() as u8);
            message.extend_from_slice(value);
        }
        if !self.payload.is_empty() {
            message.push(PAYLOAD_MARKER);
            message.extend_from_slice(&self.payload);
        }
    }
}
