//! Why something was refused.

use crate::coap;

/// Why a message was refused, or could not be made: one variant for each check.
///
/// This is for the log and for tests; a peer is told no more than a coarse code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// CoAP: malformed, or no room.
    Coap(coap::Error),
    /// No OSCORE option in the message.
    NotProtected,
    /// Reserved flag bits in the OSCORE option, or it is longer than 255 bytes.
    OptionFlags,
    /// The OSCORE option ends too early, or has bytes left over.
    OptionLength,
    /// A Partial IV of 6 or 7 bytes, with leading zeros, or missing in a request.
    PartialIv,
    /// A request without a key identifier, or a response with another one.
    KeyId,
    /// There is no security context for this key identifier and key context.
    NoContext,
    /// The ciphertext is too short to hold a code and a tag.
    CiphertextLength,
    /// The tag does not fit: forged, damaged, or another key.
    Authentication,
    /// This Partial IV was seen before, or is older than the window.
    Replay,
    /// The decrypted message is not a request, or not a response, where one is due.
    InnerCode,
    /// The 2^40 sequence numbers of the context are used up.
    SequenceExhausted,
    /// Sender and recipient identifier are equal or too long.
    Identifiers,
    /// The response does not answer this request.
    NotTheResponse,
    /// A part of a protected message, cut outside of the protection.
    OuterBlock,
    /// EDHOC: the message is not well-formed, or uses what is not supported.
    EdhocMessage,
    /// EDHOC: another method than 3, static-static.
    EdhocMethod,
    /// EDHOC: another cipher suite than 2.
    EdhocSuite,
    /// EDHOC: the ephemeral key is not a point of the curve.
    EdhocKey,
    /// EDHOC: a critical external authorization item that is not known.
    EdhocExternal,
    /// EDHOC: the peer's credential is not one that is configured.
    UnknownPeer,
    /// EDHOC: the peer has not proven that it holds its key.
    EdhocAuthentication,
    /// EDHOC: no handshake waits for this message.
    NoHandshake,
    /// EDHOC: the peer sent an error message with this code.
    PeerRefused(i16),
    /// The session that a response belongs to is gone.
    SessionGone,
    /// Something unprotected that is not part of a key exchange.
    Unprotected,
    /// Many key exchanges are under way, and the sender has yet to show that it
    /// gets what is sent to its address.
    Unreachable,
    /// Cryptography failed on lengths that are fixed; not reached.
    Internal,
}

impl Error {
    /// A stable number for this error; the ones of [`coap::Error`] are below 30.
    pub const fn code(self) -> u8 {
        match self {
            Self::Coap(error) => error.code(),
            Self::NotProtected => 30,
            Self::OptionFlags => 31,
            Self::OptionLength => 32,
            Self::PartialIv => 33,
            Self::KeyId => 34,
            Self::NoContext => 35,
            Self::CiphertextLength => 36,
            Self::Authentication => 37,
            Self::Replay => 38,
            Self::InnerCode => 39,
            Self::SequenceExhausted => 40,
            Self::Identifiers => 41,
            Self::NotTheResponse => 42,
            Self::OuterBlock => 43,
            Self::EdhocMessage => 60,
            Self::EdhocMethod => 61,
            Self::EdhocSuite => 62,
            Self::EdhocKey => 63,
            Self::EdhocExternal => 64,
            Self::UnknownPeer => 65,
            Self::EdhocAuthentication => 66,
            Self::NoHandshake => 67,
            Self::PeerRefused(_) => 68,
            Self::SessionGone => 90,
            Self::Unprotected => 91,
            Self::Unreachable => 92,
            Self::Internal => 99,
        }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Coap(error) => return error.fmt(f),
            Self::PeerRefused(code) => {
                return write!(f, "the peer refused the key exchange with code {code}");
            }
            Self::NotProtected => "the message is not protected",
            Self::OptionFlags => "the OSCORE option has reserved flags",
            Self::OptionLength => "the OSCORE option is too short or too long",
            Self::PartialIv => "the sequence number in the OSCORE option is not valid",
            Self::KeyId => "the key identifier is missing or another one",
            Self::NoContext => "there is no security context for this key identifier",
            Self::CiphertextLength => "the ciphertext is too short",
            Self::Authentication => "the message is not authentic",
            Self::Replay => "the message has been received before",
            Self::InnerCode => "the protected message has a code that does not belong there",
            Self::SequenceExhausted => "the sequence numbers of the session are used up",
            Self::Identifiers => "the two connection identifiers are equal or too long",
            Self::NotTheResponse => "the message is not the response to this request",
            Self::OuterBlock => "a part of a protected message",
            Self::EdhocMessage => "the key exchange message is malformed",
            Self::EdhocMethod => "the key exchange method is not supported",
            Self::EdhocSuite => "the key exchange cipher suite is not supported",
            Self::EdhocKey => "the ephemeral key is not valid",
            Self::EdhocExternal => "the key exchange demands an unknown extension",
            Self::UnknownPeer => "the peer's credential is not known",
            Self::EdhocAuthentication => "the peer did not prove that it holds its key",
            Self::NoHandshake => "no key exchange waits for this message",
            Self::SessionGone => "the session is gone",
            Self::Unprotected => "an unprotected request",
            Self::Unreachable => "the sender has to show first that its address is its own",
            Self::Internal => "an internal error of the cryptography",
        })
    }
}

impl core::error::Error for Error {}

impl From<coap::Error> for Error {
    fn from(error: coap::Error) -> Self {
        Self::Coap(error)
    }
}
