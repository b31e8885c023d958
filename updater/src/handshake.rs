//! The key exchange with a device: EDHOC, message 1 to 3.

use sealift_oscore::client::edhoc_post_with_echo;
use sealift_oscore::coap::{Code, Message, number};
use sealift_oscore::{
    ClientContext, ClientHandshake, Credential, Error as OscoreError, Identity, MAX_DATAGRAM,
};

use crate::error::Error;
use crate::link::Link;
use crate::request::is_success;
use crate::session::unwritten;
use crate::transport::Transport;

/// How often an Echo value is brought back for one message. The second time is
/// for a value that is of no use any more: it is for an address and a minute.
const ECHO_TRIES: u32 = 2;

/// EDHOC, twice where message_3 is refused: a device tells no reasons, and one
/// that has just restarted, or has too many exchanges open, refuses it too.
pub(crate) fn handshake<T: Transport>(
    link: &mut Link<T>,
    identity: &Identity,
    peer: &Credential,
) -> Result<ClientContext, Error> {
    match exchange_keys(link, identity, peer) {
        Err(Error::CredentialRefused) => exchange_keys(link, identity, peer),
        result => result,
    }
}

/// EDHOC, message 1 to 3. It needs no further message: the response to the first
/// protected request confirms the key.
fn exchange_keys<T: Transport>(
    link: &mut Link<T>,
    identity: &Identity,
    peer: &Credential,
) -> Result<ClientContext, Error> {
    let failed = |error: OscoreError| Error::Handshake(error.to_string());
    let mut rng = link.rng();
    let (handshake, payload) = ClientHandshake::start(identity, peer, &mut rng).map_err(failed)?;
    let (code, message_2) = post(link, &payload)?;
    if !is_success(code) {
        log::debug!("answer to message_1: {code} {message_2:02x?}");
        return Err(match code.class() {
            5 => Error::Handshake(format!("it is busy or broken ({code})")),
            _ => Error::Handshake(format!("it does not take part in it ({code})")),
        });
    }
    let (payload, context) =
        handshake
            .receive_message_2(&message_2, &mut rng)
            .map_err(|error| match error {
                OscoreError::UnknownPeer | OscoreError::EdhocAuthentication => Error::WrongDevice,
                error => failed(error),
            })?;
    let (code, answer) = post(link, &payload)?;
    if is_success(code) {
        // It computes longer for these than for anything that follows.
        link.restart_measuring();
        log::info!("key exchange with {} done", link.device());
        return Ok(context);
    }
    log::debug!("answer to message_3: {code} {answer:02x?}");
    Err(match code.class() {
        5 => Error::Handshake(format!("it is busy or broken ({code})")),
        _ => Error::CredentialRefused,
    })
}

/// Posts an EDHOC message, again with an Echo value where the device asks for
/// one; returns code and payload of the response.
fn post<T: Transport>(link: &mut Link<T>, payload: &[u8]) -> Result<(Code, Vec<u8>), Error> {
    let mut echo: Option<Vec<u8>> = None;
    let mut left = ECHO_TRIES;
    loop {
        link.send(|header| {
            let mut buffer = [0; MAX_DATAGRAM];
            let len = edhoc_post_with_echo(header, payload, echo.as_deref(), &mut buffer)
                .map_err(unwritten)?;
            Ok(buffer.get(..len).unwrap_or(&[]).to_vec())
        })?;
        let datagram = link.receive(|_| true)?;
        let message =
            Message::parse(&datagram).map_err(|_| Error::Protocol("it is not a CoAP message"))?;
        let asked = message.option(number::ECHO);
        match (message.code, asked, left.checked_sub(1)) {
            (Code::UNAUTHORIZED, Some(value), Some(fewer)) => {
                log::debug!("the device asks for an Echo: it has many key exchanges under way");
                echo = Some(value.to_vec());
                left = fewer;
            }
            _ => return Ok((message.code, message.payload.to_vec())),
        }
    }
}
