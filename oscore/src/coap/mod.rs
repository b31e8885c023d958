//! CoAP messages (RFC 7252) and block options (RFC 7959), as views and writers
//! over byte slices.
//!
//! The crate has its own codec because the published ones that a device would
//! use (`coap-message` with its handler crates, and the option iterator inside
//! `liboscore`) panic or never return on hostile input, and some of that is
//! reachable without any key. Here parsing checks the whole message once, up
//! front; the iterators only ever walk options that have passed that check.

mod error;
mod message;
mod option;
mod write;

pub use error::Error;
pub use message::{Inner, Message, Opt, Options};
pub(crate) use message::{PAYLOAD_MARKER, single};
pub use option::{BlockOption, decode_uint, number};
pub use write::Writer;

/// Message type (RFC 7252 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Confirmable: the receiver acknowledges it.
    Confirmable,
    /// Non-confirmable: sent once, not acknowledged.
    NonConfirmable,
    /// Acknowledges a confirmable message, often with the response in it.
    Acknowledgement,
    /// Says that a message was received but cannot be processed.
    Reset,
}

impl Kind {
    /// The two bits on the wire.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Confirmable => 0,
            Self::NonConfirmable => 1,
            Self::Acknowledgement => 2,
            Self::Reset => 3,
        }
    }

    /// The type that the lowest two bits of `bits` stand for.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Confirmable,
            1 => Self::NonConfirmable,
            2 => Self::Acknowledgement,
            _ => Self::Reset,
        }
    }
}

/// Request method or response code, `c.dd` (RFC 7252 section 12.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub u8);

#[expect(missing_docs, reason = "the names are the ones of the IANA registry")]
impl Code {
    pub const EMPTY: Self = Self(coap_numbers::code::EMPTY);
    pub const GET: Self = Self(coap_numbers::code::GET);
    pub const POST: Self = Self(coap_numbers::code::POST);
    pub const PUT: Self = Self(coap_numbers::code::PUT);
    pub const DELETE: Self = Self(coap_numbers::code::DELETE);
    pub const FETCH: Self = Self(coap_numbers::code::FETCH);
    pub const CREATED: Self = Self(coap_numbers::code::CREATED);
    pub const DELETED: Self = Self(coap_numbers::code::DELETED);
    pub const VALID: Self = Self(coap_numbers::code::VALID);
    pub const CHANGED: Self = Self(coap_numbers::code::CHANGED);
    pub const CONTENT: Self = Self(coap_numbers::code::CONTENT);
    pub const CONTINUE: Self = Self(coap_numbers::code::CONTINUE);
    pub const BAD_REQUEST: Self = Self(coap_numbers::code::BAD_REQUEST);
    pub const UNAUTHORIZED: Self = Self(coap_numbers::code::UNAUTHORIZED);
    pub const BAD_OPTION: Self = Self(coap_numbers::code::BAD_OPTION);
    pub const FORBIDDEN: Self = Self(coap_numbers::code::FORBIDDEN);
    pub const NOT_FOUND: Self = Self(coap_numbers::code::NOT_FOUND);
    pub const METHOD_NOT_ALLOWED: Self = Self(coap_numbers::code::METHOD_NOT_ALLOWED);
    pub const INCOMPLETE: Self = Self(coap_numbers::code::REQUEST_ENTITY_INCOMPLETE);
    pub const CONFLICT: Self = Self(coap_numbers::code::CONFLICT);
    pub const TOO_LARGE: Self = Self(coap_numbers::code::REQUEST_ENTITY_TOO_LARGE);
    pub const INTERNAL_SERVER_ERROR: Self = Self(coap_numbers::code::INTERNAL_SERVER_ERROR);
    pub const SERVICE_UNAVAILABLE: Self = Self(coap_numbers::code::SERVICE_UNAVAILABLE);
}

impl Code {
    /// A code from its class and detail, as in `4.01`; both are cut to their field.
    pub const fn new(class: u8, detail: u8) -> Self {
        Self(((class & 7) << 5) | (detail & 0x1f))
    }

    /// The digit before the dot.
    pub const fn class(self) -> u8 {
        self.0 >> 5
    }

    /// The number after the dot.
    pub const fn detail(self) -> u8 {
        self.0 & 0x1f
    }

    /// Whether this is a method (0.01 to 0.31).
    pub const fn is_request(self) -> bool {
        self.class() == 0 && self.0 != 0
    }

    /// Whether this is a response code (class 2, 4 or 5).
    pub const fn is_response(self) -> bool {
        matches!(self.class(), 2 | 4 | 5)
    }
}

impl core::fmt::Display for Code {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{:02}", self.class(), self.detail())
    }
}

/// What the sender of a message chooses besides its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Message type.
    pub kind: Kind,
    /// Message ID, new for each message (and kept in its retransmissions).
    pub mid: u16,
    /// Token, at most 8 bytes.
    pub token: &'a [u8],
}
