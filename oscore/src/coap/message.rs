//! Parsed views of messages: the whole of one is checked before anything is handed out.

use super::{BlockOption, Code, Error, Header, Kind, decode_uint, number};

/// One option: its number and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opt<'a> {
    /// Option number.
    pub number: u16,
    /// Option value.
    pub value: &'a [u8],
}

/// Options in ascending order of their numbers. An iterator; cheap to clone.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
    last: u16,
}

impl<'a> Options<'a> {
    /// The options at the start of `bytes` and the payload after them.
    ///
    /// This is the format of a message after its token, and of an OSCORE
    /// plaintext after its code.
    ///
    /// # Errors
    /// Whatever makes the options or the payload marker malformed.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Error> {
        let mut rest = bytes;
        let mut last = 0;
        while let Some((_, after)) = split_option(rest, &mut last)? {
            // Each option takes at least its first byte, so this ends.
            rest = after;
        }
        let used = bytes.len().saturating_sub(rest.len());
        let options = Self {
            rest: bytes.get(..used).unwrap_or_default(),
            last: 0,
        };
        match rest.split_first() {
            None => Ok((options, &[])),
            Some((_marker, [])) => Err(Error::EmptyPayload),
            Some((_marker, payload)) => Ok((options, payload)),
        }
    }

    /// The options as they are on the wire.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Opt<'a>;

    fn next(&mut self) -> Option<Opt<'a>> {
        // `parse` has checked these bytes, so an error cannot occur; were it to,
        // the iteration ends.
        let (option, rest) = split_option(self.rest, &mut self.last).ok()??;
        self.rest = rest;
        Some(option)
    }
}

/// The first option of `bytes`, or `None` at the end or at a payload marker.
fn split_option<'a>(bytes: &'a [u8], last: &mut u16) -> Result<Option<(Opt<'a>, &'a [u8])>, Error> {
    let Some((&head, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    if head == PAYLOAD_MARKER {
        return Ok(None);
    }
    let (delta, rest) = extended(head >> 4, rest, Error::OptionDelta)?;
    let (length, rest) = extended(head & 0x0f, rest, Error::OptionLength)?;
    let number = u32::from(*last)
        .checked_add(delta)
        .and_then(|n| u16::try_from(n).ok())
        .ok_or(Error::OptionNumber)?;
    let length = usize::try_from(length).map_err(|_| Error::OptionTruncated)?;
    let (value, rest) = rest
        .split_at_checked(length)
        .ok_or(Error::OptionTruncated)?;
    *last = number;
    Ok(Some((Opt { number, value }, rest)))
}

/// A 4-bit field with its extension bytes (RFC 7252 section 3.1).
fn extended(nibble: u8, bytes: &[u8], reserved: Error) -> Result<(u32, &[u8]), Error> {
    match (nibble, bytes) {
        (0..=12, _) => Ok((u32::from(nibble), bytes)),
        (13, [byte, rest @ ..]) => Ok((u32::from(*byte).saturating_add(13), rest)),
        (14, [high, low, rest @ ..]) => Ok((
            u32::from(u16::from_be_bytes([*high, *low])).saturating_add(269),
            rest,
        )),
        (15.., _) => Err(reserved),
        _ => Err(Error::OptionTruncated),
    }
}

/// Separates the options from the payload.
pub(crate) const PAYLOAD_MARKER: u8 = 0xff;

/// A whole CoAP message that has been checked.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// Message type.
    pub kind: Kind,
    /// Method or response code.
    pub code: Code,
    /// Message ID.
    pub mid: u16,
    /// Token, at most 8 bytes.
    pub token: &'a [u8],
    /// The options, in order.
    pub options: Options<'a>,
    /// The payload; empty when there is none.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// Parses a datagram.
    ///
    /// # Errors
    /// Whatever RFC 7252 section 3 calls a message format error.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Error> {
        let [first, code, mid_high, mid_low, rest @ ..] = datagram else {
            return Err(Error::Truncated);
        };
        if first >> 6 != 1 {
            return Err(Error::Version);
        }
        let token_length = usize::from(first & 0x0f);
        if token_length > 8 {
            return Err(Error::TokenLength);
        }
        let code = Code(*code);
        if matches!(code.class(), 1 | 3 | 6 | 7) {
            return Err(Error::Code);
        }
        if code == Code::EMPTY && (token_length != 0 || !rest.is_empty()) {
            return Err(Error::EmptyMessage);
        }
        let (token, rest) = rest
            .split_at_checked(token_length)
            .ok_or(Error::Truncated)?;
        let (options, payload) = Options::parse(rest)?;
        Ok(Self {
            kind: Kind::from_bits(first >> 4),
            code,
            mid: u16::from_be_bytes([*mid_high, *mid_low]),
            token,
            options,
            payload,
        })
    }

    /// Type, message ID and token.
    pub fn header(&self) -> Header<'a> {
        Header {
            kind: self.kind,
            mid: self.mid,
            token: self.token,
        }
    }

    /// The value of the first option of this number.
    pub fn option(&self, number: u16) -> Option<&'a [u8]> {
        first(&self.options, number)
    }

    /// The segments of the path.
    pub fn uri_path(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        values(&self.options, number::URI_PATH)
    }
}

/// A decrypted message: code, options and payload, as they are inside OSCORE
/// (RFC 8613 section 5.3).
#[derive(Clone, Debug)]
pub struct Inner<'a> {
    /// Method or response code.
    pub code: Code,
    /// The options, in order.
    pub options: Options<'a>,
    /// The payload; empty when there is none.
    pub payload: &'a [u8],
}

impl<'a> Inner<'a> {
    /// Parses an OSCORE plaintext.
    ///
    /// # Errors
    /// Malformed options, or a code that is neither a request nor a response.
    pub fn parse(plaintext: &'a [u8]) -> Result<Self, Error> {
        let (&code, rest) = plaintext.split_first().ok_or(Error::Truncated)?;
        let code = Code(code);
        if !code.is_request() && !code.is_response() {
            return Err(Error::Code);
        }
        let (options, payload) = Options::parse(rest)?;
        Ok(Self {
            code,
            options,
            payload,
        })
    }

    /// The value of the first option of this number.
    pub fn option(&self, number: u16) -> Option<&'a [u8]> {
        first(&self.options, number)
    }

    /// The value of an unsigned integer option, such as Content-Format or Size1.
    ///
    /// # Errors
    /// [`Error::UintLength`] when it is longer than 4 bytes, [`Error::Repeated`].
    pub fn uint(&self, number: u16) -> Result<Option<u32>, Error> {
        single(&self.options, number)?.map(decode_uint).transpose()
    }

    /// The Block1 option: which part of the request body this is.
    ///
    /// # Errors
    /// When it is malformed or repeated.
    pub fn block1(&self) -> Result<Option<BlockOption>, Error> {
        single(&self.options, number::BLOCK1)?
            .map(BlockOption::decode)
            .transpose()
    }

    /// The Block2 option: which part of the response body this is, or is asked for.
    ///
    /// # Errors
    /// When it is malformed or repeated.
    pub fn block2(&self) -> Result<Option<BlockOption>, Error> {
        single(&self.options, number::BLOCK2)?
            .map(BlockOption::decode)
            .transpose()
    }

    /// The segments of the path, as bytes.
    pub fn uri_path(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        values(&self.options, number::URI_PATH)
    }

    /// Whether the path consists of exactly these segments.
    pub fn path_is(&self, segments: &[&str]) -> bool {
        self.uri_path().eq(segments.iter().map(|s| s.as_bytes()))
    }

    /// The first critical option that is not in `known`: the request has to be
    /// answered with 4.02 (RFC 7252 section 5.4.1).
    pub fn unknown_critical(&self, known: &[u16]) -> Option<u16> {
        self.options
            .clone()
            .map(|o| o.number)
            .find(|n| n & 1 == 1 && !known.contains(n))
    }
}

fn values<'a>(
    options: &Options<'a>,
    number: u16,
) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
    options
        .clone()
        .filter(move |o| o.number == number)
        .map(|o| o.value)
}

fn first<'a>(options: &Options<'a>, number: u16) -> Option<&'a [u8]> {
    values(options, number).next()
}

/// The value of an option that may be there once.
pub(crate) fn single<'a>(options: &Options<'a>, number: u16) -> Result<Option<&'a [u8]>, Error> {
    let mut found = values(options, number);
    let value = found.next();
    match found.next() {
        None => Ok(value),
        Some(_) => Err(Error::Repeated),
    }
}
