//! The secured association with a device: EDHOC, then OSCORE.

use std::sync::Arc;

use rand_core::OsRng;
use sealift_oscore::client::edhoc_post;
use sealift_oscore::coap::{self, BlockOption, Inner, Message, Writer, number};
use sealift_oscore::{
    ClientContext, ClientHandshake, Credential, Error as OscoreError, Identity, MAX_DATAGRAM,
};

use crate::blocks::BlockSize;
use crate::error::{Error, printable};
use crate::exchange::Params;
use crate::link::{Address, Link};
use crate::request::{Code, Request, is_success};

const MALFORMED_OPTION: Error = Error::Protocol("a malformed option");

/// A Block1 or Block2 option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockPart {
    pub(crate) num: u32,
    pub(crate) more: bool,
    pub(crate) size: BlockSize,
}

impl BlockPart {
    fn read(block: Option<BlockOption>) -> Result<Option<Self>, Error> {
        let Some(block) = block else {
            return Ok(None);
        };
        let size = BlockSize::from_szx(block.szx).ok_or(MALFORMED_OPTION)?;
        Ok(Some(Self {
            num: block.num,
            more: block.more,
            size,
        }))
    }
}

/// One message of a request: its block and options.
pub(crate) struct Outgoing<'a> {
    /// Method, path, query and format; the body is not looked at.
    pub(crate) request: &'a Request,
    pub(crate) block1: Option<BlockPart>,
    pub(crate) block2: Option<BlockPart>,
    /// Length of the whole body.
    pub(crate) size1: Option<usize>,
    pub(crate) payload: &'a [u8],
}

/// One message of a response, authenticated.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) code: Code,
    pub(crate) content_format: Option<u16>,
    pub(crate) block1: Option<BlockPart>,
    pub(crate) block2: Option<BlockPart>,
    pub(crate) etag: Option<Vec<u8>>,
    pub(crate) payload: Vec<u8>,
}

/// What came back for a protected request.
enum Answer {
    Authentic(Incoming),
    /// An error that anybody may have sent; from a device that has lost the
    /// security context it can be nothing else.
    Unprotected {
        code: Code,
        text: String,
    },
}

pub(crate) struct Session {
    link: Link,
    identity: Arc<Identity>,
    peer: Credential,
    context: ClientContext,
    renewals: u32,
}

impl Session {
    /// Opens a socket and runs EDHOC.
    pub(crate) fn open(
        address: &Address,
        identity: &Arc<Identity>,
        peer: &Credential,
        params: Params,
    ) -> Result<Self, Error> {
        let mut link = Link::open(address, params)?;
        let context = handshake(&mut link, identity, peer)?;
        Ok(Self {
            link,
            identity: Arc::clone(identity),
            peer: peer.clone(),
            context,
            renewals: 0,
        })
    }

    /// How often the security context had to be renewed.
    pub(crate) fn renewals(&self) -> u32 {
        self.renewals
    }

    /// Sends one message and waits for its response. A device that has lost the
    /// security context is met with one new key exchange.
    pub(crate) fn send(&mut self, outgoing: &Outgoing<'_>) -> Result<Incoming, Error> {
        let (code, text) = match self.attempt(outgoing)? {
            Answer::Authentic(incoming) => return Ok(incoming),
            Answer::Unprotected { code, text } => (code, text),
        };
        if code.class() != 4 {
            return Err(Error::Refused { code, text });
        }
        // Of several transmissions an earlier one may have been acted upon, and
        // this be the answer to a replay, or of a device that restarted since.
        let final_block = !outgoing.block1.is_some_and(|part| part.more);
        if final_block && !outgoing.request.method.is_idempotent() && self.link.transmissions() > 1
        {
            return Err(Error::Uncertain);
        }
        log::info!("the device has lost the security context ({code} {text}): new key exchange");
        self.context = handshake(&mut self.link, &self.identity, &self.peer)?;
        self.renewals = self.renewals.saturating_add(1);
        match self.attempt(outgoing)? {
            Answer::Authentic(incoming) => Ok(incoming),
            Answer::Unprotected { .. } => Err(Error::ContextLost),
        }
    }

    fn attempt(&mut self, outgoing: &Outgoing<'_>) -> Result<Answer, Error> {
        let mut sent = None;
        let context = &mut self.context;
        self.link.send(|header| {
            let mut buffer = [0; MAX_DATAGRAM];
            let (len, binding) = context
                .protect(
                    header,
                    outgoing.request.method.code(),
                    |writer| outgoing.write(writer),
                    &mut buffer,
                )
                .map_err(unwritten)?;
            sent = Some(binding);
            Ok(buffer.get(..len).unwrap_or(&[]).to_vec())
        })?;
        let sent = sent.ok_or(Error::Protocol("nothing was sent"))?;
        let mut scratch = [0; MAX_DATAGRAM];
        // Anybody who saw the token can forge a response. One that is not
        // authentic is as good as none: the genuine one can still come.
        let datagram = self.link.receive(|message| {
            match self.context.unprotect(&sent, message, &mut scratch) {
                Ok(_) => true,
                Err(OscoreError::NotProtected) => !is_success(message.code),
                Err(error) => {
                    log::debug!("ignored a response: {error}");
                    false
                }
            }
        })?;
        let unreadable = Error::Protocol("it is not a CoAP message");
        let Ok(message) = Message::parse(&datagram) else {
            return Err(unreadable);
        };
        match self.context.unprotect(&sent, &message, &mut scratch) {
            Ok(inner) => Ok(Answer::Authentic(Incoming::read(&inner)?)),
            Err(_) => Ok(Answer::Unprotected {
                code: message.code,
                text: printable(message.payload),
            }),
        }
    }
}

/// EDHOC, twice where message_3 is refused: a device tells no reasons, and one
/// that has just restarted, or has too many exchanges open, refuses it too.
fn handshake(
    link: &mut Link,
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
fn exchange_keys(
    link: &mut Link,
    identity: &Identity,
    peer: &Credential,
) -> Result<ClientContext, Error> {
    let failed = |error: OscoreError| Error::Handshake(error.to_string());
    let (handshake, payload) =
        ClientHandshake::start(identity, peer, &mut OsRng).map_err(failed)?;
    let (code, message_2) = post(link, &payload)?;
    if !is_success(code) {
        log::debug!("answer to message_1: {code} {message_2:02x?}");
        return Err(match code.class() {
            5 => Error::Handshake(format!("it is busy or broken ({code})")),
            _ => Error::Handshake(format!("it does not take part in it ({code})")),
        });
    }
    let (payload, context) = handshake
        .receive_message_2(&message_2, &mut OsRng)
        .map_err(|error| match error {
            OscoreError::UnknownPeer | OscoreError::EdhocAuthentication => Error::WrongDevice,
            error => failed(error),
        })?;
    let (code, answer) = post(link, &payload)?;
    if is_success(code) {
        log::info!("key exchange with {} done", link.device());
        return Ok(context);
    }
    log::debug!("answer to message_3: {code} {answer:02x?}");
    Err(match code.class() {
        5 => Error::Handshake(format!("it is busy or broken ({code})")),
        _ => Error::CredentialRefused,
    })
}

/// Posts an EDHOC message; returns code and payload of the response.
fn post(link: &mut Link, payload: &[u8]) -> Result<(Code, Vec<u8>), Error> {
    link.send(|header| {
        let mut buffer = [0; MAX_DATAGRAM];
        let len = edhoc_post(header, payload, &mut buffer).map_err(unwritten)?;
        Ok(buffer.get(..len).unwrap_or(&[]).to_vec())
    })?;
    let datagram = link.receive(|_| true)?;
    let message =
        Message::parse(&datagram).map_err(|_| Error::Protocol("it is not a CoAP message"))?;
    Ok((message.code, message.payload.to_vec()))
}

fn unwritten(error: OscoreError) -> Error {
    Error::Request(error.to_string())
}

impl Outgoing<'_> {
    /// Options, in the order of their numbers, and payload.
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), coap::Error> {
        for segment in &self.request.path {
            writer.option(number::URI_PATH, segment.as_bytes())?;
        }
        if let Some(format) = self.request.content_format {
            writer.uint(number::CONTENT_FORMAT, u32::from(format))?;
        }
        for argument in &self.request.query {
            writer.option(number::URI_QUERY, argument.as_bytes())?;
        }
        for (number, part) in [(number::BLOCK2, self.block2), (number::BLOCK1, self.block1)] {
            if let Some(part) = part {
                let block = BlockOption {
                    num: part.num,
                    more: part.more,
                    szx: part.size.szx(),
                };
                writer.block(number, block)?;
            }
        }
        if let Some(size) = self.size1.and_then(|size| u32::try_from(size).ok()) {
            writer.uint(number::SIZE1, size)?;
        }
        writer.payload(self.payload)
    }
}

impl Incoming {
    fn read(inner: &Inner<'_>) -> Result<Self, Error> {
        let wrong = |_| MALFORMED_OPTION;
        let content_format = inner
            .uint(number::CONTENT_FORMAT)
            .map_err(wrong)?
            .map(u16::try_from)
            .transpose()
            .map_err(|_| MALFORMED_OPTION)?;
        Ok(Self {
            code: inner.code,
            content_format,
            block1: BlockPart::read(inner.block1().map_err(wrong)?)?,
            block2: BlockPart::read(inner.block2().map_err(wrong)?)?,
            etag: inner.option(number::ETAG).map(<[u8]>::to_vec),
            payload: inner.payload.to_vec(),
        })
    }
}
