//! The operator side, sans-IO: key exchange, then protected requests.
//!
//! A whole exchange with a [`crate::Server`], without a network between them:
//!
//! ```
//! use rand_core::OsRng;
//! use sealift_oscore::client::edhoc_post;
//! use sealift_oscore::coap::{Code, Header, Kind, Message};
//! use sealift_oscore::{ClientHandshake, Identity, Incoming, MAX_DATAGRAM, Server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let operator = Identity::generate("operator", &mut OsRng)?;
//! let device = Identity::generate("device", &mut OsRng)?;
//! let device_credential = device.credential().clone();
//! let from = "192.0.2.1:40000".parse()?;
//! let (mut scratch, mut out) = ([0; MAX_DATAGRAM], [0; MAX_DATAGRAM]);
//!
//! // 4 sessions, 2 half-open key exchanges.
//! let mut server: Server<4, 2> = Server::new(device, &[operator.credential().clone()])?;
//!
//! // Key exchange: two POSTs.
//! let header = |mid| Header { kind: Kind::Confirmable, mid, token: b"t" };
//! let mut datagram = [0; MAX_DATAGRAM];
//! let (handshake, first) = ClientHandshake::start(&operator, &device_credential, &mut OsRng)?;
//! let length = edhoc_post(header(1), &first, &mut datagram)?;
//! let Incoming::Reply(length) =
//!     server.receive(0, from, &datagram[..length], &mut scratch, &mut OsRng, &mut out)
//! else { panic!() };
//! let message_2 = Message::parse(&out[..length])?;
//! let (third, mut session) = handshake.receive_message_2(message_2.payload, &mut OsRng)?;
//! let length = edhoc_post(header(2), &third, &mut datagram)?;
//! let Incoming::Reply(length) =
//!     server.receive(0, from, &datagram[..length], &mut scratch, &mut OsRng, &mut out)
//! else { panic!() };
//! assert_eq!(Message::parse(&out[..length])?.code, Code::CHANGED);
//!
//! // A request in the session, and its response.
//! let (length, sent) =
//!     session.protect(header(3), Code::GET, |w| w.uri_path("/vm-control"), &mut datagram)?;
//! let Incoming::Request(request) =
//!     server.receive(0, from, &datagram[..length], &mut scratch, &mut OsRng, &mut out)
//! else { panic!() };
//! assert!(request.inner.path_is(&["vm-control"]));
//! let (_, length) =
//!     server.respond(0, request.reply, Code::CONTENT, |w| w.payload(b"status"), &mut out)?;
//! let response = Message::parse(&out[..length])?;
//! let mut plain = [0; MAX_DATAGRAM];
//! let inner = session.unprotect(&sent, &response, &mut plain)?;
//! assert_eq!((inner.code, inner.payload), (Code::CONTENT, &b"status"[..]));
//! # Ok(())
//! # }
//! ```

use crate::coap::{self, Code, Header, Inner, Message, Writer};
use crate::context::SecurityContext;
use crate::credential::{Credential, Identity};
use crate::edhoc::{Initiator, MessageBuffer};
use crate::protect::Sent;
use crate::{Error, MAX_EDHOC};
use heapless::Vec;
use rand_core::CryptoRngCore;

/// Path of the resource that key exchange messages are posted to.
pub const EDHOC_PATH: &str = "/.well-known/edhoc";

/// Payload of a POST to [`EDHOC_PATH`].
pub type EdhocPayload = Vec<u8, MAX_EDHOC>;

/// A key exchange that waits for message_2.
#[derive(Debug)]
pub struct ClientHandshake(Initiator);

impl ClientHandshake {
    /// Starts a key exchange with the device that holds the credential `peer`.
    /// Returns the payload of the first POST to [`EDHOC_PATH`].
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub fn start(
        identity: &Identity,
        peer: &Credential,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Self, EdhocPayload), Error> {
        let (initiator, message_1) = Initiator::start(identity, peer, rng)?;
        let payload = prefixed(&[0xf5], &message_1)?;
        Ok((Self(initiator), payload))
    }

    /// Takes the payload of the response to the first POST. Returns the payload of
    /// the second one, which the device answers with 2.04, and the context for
    /// requests after that.
    ///
    /// # Errors
    /// When the device does not hold the expected credential, or refuses.
    pub fn receive_message_2(
        self,
        payload: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<(EdhocPayload, ClientContext), Error> {
        let finished = self.0.finish(payload, rng)?;
        let payload = prefixed(finished.c_r.as_cbor(), &finished.message_3)?;
        Ok((payload, ClientContext(finished.context)))
    }
}

fn prefixed(prefix: &[u8], message: &MessageBuffer) -> Result<EdhocPayload, Error> {
    let mut payload = EdhocPayload::new();
    payload
        .extend_from_slice(prefix)
        .map_err(|_| Error::Internal)?;
    payload
        .extend_from_slice(message)
        .map_err(|_| Error::Internal)?;
    Ok(payload)
}

/// Writes a POST to [`EDHOC_PATH`] with this payload into `out`.
///
/// # Errors
/// When it does not fit.
pub fn edhoc_post(header: Header<'_>, payload: &[u8], out: &mut [u8]) -> Result<usize, Error> {
    edhoc_post_with_echo(header, payload, None, out)
}

/// As [`edhoc_post`], with the Echo value that a 4.01 to an earlier one of these
/// asked for (RFC 9175, 2.3): the device has many key exchanges under way and
/// wants to see that we get what it sends.
///
/// # Errors
/// When it does not fit.
pub fn edhoc_post_with_echo(
    header: Header<'_>,
    payload: &[u8],
    echo: Option<&[u8]>,
    out: &mut [u8],
) -> Result<usize, Error> {
    let mut writer = Writer::message(out, header, Code::POST)?;
    writer.uri_path(EDHOC_PATH)?;
    writer.uint(coap::number::CONTENT_FORMAT, 65)?;
    if let Some(echo) = echo {
        writer.option(coap::number::ECHO, echo)?;
    }
    writer.payload(payload)?;
    Ok(writer.finish())
}

/// An established security context, for sending requests.
#[derive(Debug)]
pub struct ClientContext(SecurityContext);

impl ClientContext {
    /// Writes a protected request into `out`: `build` writes its options and
    /// payload. Returns its length, and what is needed to check the response.
    /// For a retransmission send the same bytes again.
    ///
    /// # Errors
    /// When it does not fit, or the sequence numbers are used up.
    pub fn protect(
        &mut self,
        header: Header<'_>,
        code: Code,
        build: impl FnOnce(&mut Writer<'_>) -> Result<(), coap::Error>,
        out: &mut [u8],
    ) -> Result<(usize, Sent), Error> {
        self.0.protect_request(header, code, build, out)
    }

    /// Checks and decrypts the response to the request `sent`. The caller has
    /// matched message ID and token. After an error the genuine response can
    /// still come: a forged one changes nothing.
    ///
    /// # Errors
    /// [`Error::NotProtected`] for an unprotected one (such as 4.01 from a device
    /// that has restarted: its code is a hint, not proof), and all others.
    pub fn unprotect<'s>(
        &self,
        sent: &Sent,
        message: &Message<'_>,
        scratch: &'s mut [u8],
    ) -> Result<Inner<'s>, Error> {
        self.0.unprotect_response(sent, message, scratch)
    }
}
