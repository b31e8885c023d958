//! The secured association with a device: EDHOC, then OSCORE.

use std::sync::Arc;
use std::time::Duration;

use sealift_oscore::coap::{self, BlockOption, Inner, Message, Writer, number};
use sealift_oscore::{ClientContext, Credential, Error as OscoreError, Identity, MAX_DATAGRAM};

use crate::blocks::BlockSize;
use crate::error::{Advice, Error, printable};
use crate::exchange::Params;
use crate::handshake::handshake;
use crate::link::{Link, Traffic};
use crate::request::{Code, Request, is_success};
use crate::transport::Transport;

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
    /// Whether to send it anew where the device has lost the security context, or
    /// acknowledged it and never answered. In a push it is not: with its last block it
    /// is over, and it is the status that tells how.
    pub(crate) renew: bool,
}

/// One message of a response, authenticated.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) code: Code,
    pub(crate) content_format: Option<u16>,
    pub(crate) block1: Option<BlockPart>,
    pub(crate) block2: Option<BlockPart>,
    pub(crate) etag: Option<Vec<u8>>,
    /// What to bring back, to show that a request is new (RFC 9175).
    pub(crate) echo: Option<Vec<u8>>,
    /// What an error code comes with.
    pub(crate) advice: Option<Advice>,
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

pub(crate) struct Session<T: Transport> {
    link: Link<T>,
    identity: Arc<Identity>,
    peer: Credential,
    context: ClientContext,
    renewals: u32,
    attempts: u32,
}

impl<T: Transport> Session<T> {
    /// Runs EDHOC.
    pub(crate) fn open(
        transport: T,
        identity: Arc<Identity>,
        peer: Credential,
        params: Params,
    ) -> Result<Self, Error> {
        let mut link = Link::new(transport, params);
        let context = handshake(&mut link, &identity, &peer)?;
        Ok(Self {
            link,
            identity,
            peer,
            context,
            renewals: 0,
            attempts: 0,
        })
    }

    /// Runs EDHOC again, from a new address.
    pub(crate) fn reopen(&mut self) -> Result<(), Error> {
        self.link.renew()?;
        self.context = handshake(&mut self.link, &self.identity, &self.peer)?;
        Ok(())
    }

    /// What went over the link up to now.
    pub(crate) fn traffic(&self) -> Traffic {
        self.link.traffic()
    }

    /// How often the latest message was sent, as a message of its own each time;
    /// retransmissions are not counted.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How often the security context had to be renewed.
    pub(crate) fn renewals(&self) -> u32 {
        self.renewals
    }

    /// Sends one message and waits for its response. It is sent anew, each for
    /// its reason and once: with the Echo value that the device asks for; and, if
    /// it may be done twice, over a new key exchange where the device has lost the
    /// security context, and where it acknowledged the message and never answered.
    pub(crate) fn send(&mut self, outgoing: &Outgoing<'_>) -> Result<Incoming, Error> {
        self.attempts = 0;
        let (mut renewed, mut waited) = (false, false);
        let mut echo: Option<Vec<u8>> = None;
        loop {
            let (code, text) = match self.attempt(outgoing, echo.as_deref()) {
                // It says that it has not acted, so this is no repetition.
                Ok(Answer::Authentic(Incoming {
                    code: Code::UNAUTHORIZED,
                    echo: Some(value),
                    ..
                })) if echo.is_none() => {
                    echo = Some(value);
                    continue;
                }
                Ok(Answer::Authentic(incoming)) => return Ok(incoming),
                Ok(Answer::Unprotected { code, text }) => (code, text),
                Err(Error::NoResponse { .. })
                    if !waited && outgoing.renew && outgoing.may_repeat() =>
                {
                    waited = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if code.class() != 4 {
                log::info!("an answer that nothing protects: {code} {text}");
                // Anybody can say so while the device does what it was asked.
                return Err(match outgoing.may_repeat() {
                    false => Error::Uncertain,
                    true => Error::Refused {
                        code,
                        text,
                        advice: None,
                    },
                });
            }
            if renewed || !outgoing.renew {
                return Err(Error::ContextLost);
            }
            log::info!(
                "the device has lost the security context ({code} {text}): new key exchange"
            );
            let context = handshake(&mut self.link, &self.identity, &self.peer);
            // It may have been acted upon, and this be the answer to a replay: of an
            // earlier transmission, or of a copy that somebody sent ahead of it.
            if !outgoing.may_repeat() {
                match context {
                    Ok(context) => self.renewed(context),
                    Err(error) => log::info!("{error}"),
                }
                return Err(Error::Uncertain);
            }
            self.renewed(context?);
            renewed = true;
        }
    }

    fn renewed(&mut self, context: ClientContext) {
        self.context = context;
        self.renewals = self.renewals.saturating_add(1);
    }

    fn attempt(&mut self, outgoing: &Outgoing<'_>, echo: Option<&[u8]>) -> Result<Answer, Error> {
        self.attempts = self.attempts.saturating_add(1);
        let mut sent = None;
        let context = &mut self.context;
        self.link.send(|header| {
            let mut buffer = [0; MAX_DATAGRAM];
            let (len, binding) = context
                .protect(
                    header,
                    outgoing.request.method.code(),
                    |writer| outgoing.write(writer, echo),
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

pub(crate) fn unwritten(error: OscoreError) -> Error {
    Error::Request(error.to_string())
}

impl Outgoing<'_> {
    /// Whether the device may get it twice: it is not the end of a body, so that
    /// nothing is done yet, or doing it twice is the same as once.
    fn may_repeat(&self) -> bool {
        self.block1.is_some_and(|part| part.more) || self.request.method.is_idempotent()
    }

    /// Options, in the order of their numbers, and payload.
    fn write(&self, writer: &mut Writer<'_>, echo: Option<&[u8]>) -> Result<(), coap::Error> {
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
        if let Some(echo) = echo {
            writer.option(number::ECHO, echo)?;
        }
        writer.payload(self.payload)
    }
}

impl Incoming {
    /// It as an error, for a code that is one.
    pub(crate) fn refusal(&self) -> Error {
        Error::refused(self.code, &self.payload, self.advice)
    }

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
            echo: inner.option(number::ECHO).map(<[u8]>::to_vec),
            advice: advice(inner).map_err(wrong)?,
            payload: inner.payload.to_vec(),
        })
    }
}

/// What the options say that belong to an error code (RFC 7252, 5.9; RFC 7959, 4).
fn advice(inner: &Inner<'_>) -> Result<Option<Advice>, coap::Error> {
    Ok(match inner.code {
        Code::SERVICE_UNAVAILABLE => inner
            .uint(number::MAX_AGE)?
            .map(|seconds| Advice::TryAgainIn(Duration::from_secs(seconds.into()))),
        Code::TOO_LARGE => inner.uint(number::SIZE1)?.map(Advice::AtMost),
        _ => None,
    })
}
