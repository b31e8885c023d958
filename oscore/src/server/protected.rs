//! Requests with an OSCORE option, and their responses.

use super::{Envelope, Incoming, Reply, Request, Server};
use crate::Error;
use crate::coap::{self, BlockOption, Code, Message, Writer, number};
use crate::edhoc;
use crate::protect::OscoreOption;
use core::net::SocketAddr;
use rand_core::CryptoRngCore;

impl<const SESSIONS: usize, const PENDING: usize, const PEERS: usize, const REPLIES: usize>
    Server<SESSIONS, PENDING, PEERS, REPLIES>
{
    pub(super) fn protected<'s>(
        &mut self,
        envelope: Envelope,
        message: &Message<'_>,
        scratch: &'s mut [u8],
        rng: &mut impl CryptoRngCore,
        out: &mut [u8],
    ) -> Incoming<'s> {
        let option = match OscoreOption::of(message) {
            Ok(option) => option,
            Err(error) => return self.refuse(&envelope, Code::BAD_OPTION, error, out),
        };
        if is_part(message) {
            return self.refuse(&envelope, Code::TOO_LARGE, Error::OuterBlock, out);
        }
        if message.option(number::EDHOC).is_some() {
            return self.combined(envelope, &option, message.payload, scratch, rng, out);
        }
        let kid = option.kid.unwrap_or_default();
        let tick = self.tick;
        let found = self
            .sessions
            .find(|session| session.context.recipient_id() == kid);
        let Some(session) = found else {
            return self.refuse(&envelope, Code::UNAUTHORIZED, Error::NoContext, out);
        };
        let before = *session.context.window();
        let opened = session
            .context
            .unprotect_request(&option, message.payload, scratch);
        // Whatever it says inside: an authentic message is one of the peer, and
        // the peer is there.
        if *session.context.window() != before {
            session.used = tick;
            session.used_ms = envelope.at_ms;
        }
        match opened {
            Ok((inner, binding)) => {
                let sequence = binding.sequence();
                let proven_ms = session.proven_ms(sequence, inner.option(number::ECHO));
                Incoming::Request(Request {
                    peer: session.peer,
                    session: session.id,
                    inner,
                    proven_ms,
                    reply: Reply {
                        session: session.id,
                        binding,
                        envelope,
                    },
                })
            }
            Err(error) => self.refuse(&envelope, outer_code(error), error, out),
        }
    }

    /// message_3 and the first request in one (RFC 9668): a session is made only
    /// if both are good, and an existing one is not looked at.
    fn combined<'s>(
        &mut self,
        envelope: Envelope,
        option: &OscoreOption<'_>,
        payload: &[u8],
        scratch: &'s mut [u8],
        rng: &mut impl CryptoRngCore,
        out: &mut [u8],
    ) -> Incoming<'s> {
        let done = edhoc::split_message_3(payload).and_then(|(message_3, ciphertext)| {
            let c_r = option.kid.ok_or(Error::KeyId)?;
            let mut finished = self.finish(c_r, message_3, rng)?;
            let context = &mut finished.context;
            let (inner, binding) = context.unprotect_request(option, ciphertext, scratch)?;
            Ok((finished, inner, binding))
        });
        match done {
            Ok((finished, inner, binding)) => {
                let (peer, proven_ms) = (finished.peer, finished.since_ms);
                let session = self.establish(envelope.at_ms, finished);
                Incoming::Request(Request {
                    peer,
                    session,
                    inner,
                    proven_ms,
                    reply: Reply {
                        session,
                        binding,
                        envelope,
                    },
                })
            }
            Err(error) => self.edhoc_error(&envelope, error, out),
        }
    }

    /// Writes the protected response to a request into `out` and returns its
    /// length and where it goes; `build` writes options and payload. It is kept for
    /// retransmissions.
    /// When `build` fails, or the response does not fit, what is written is an
    /// empty 5.00, so that the peer gets an answer.
    ///
    /// # Errors
    /// [`Error::SessionGone`], or `out` is too short.
    pub fn respond(
        &mut self,
        now_ms: u64,
        reply: Reply,
        code: Code,
        build: impl FnOnce(&mut Writer<'_>) -> Result<(), coap::Error>,
        out: &mut [u8],
    ) -> Result<(SocketAddr, usize), Error> {
        self.last_error = None;
        let Reply {
            session: id,
            binding,
            envelope,
        } = reply;
        let session = self
            .sessions
            .find(|session| session.id == id)
            .ok_or(Error::SessionGone)?;
        let context = &mut session.context;
        let header = envelope.header();
        let length = match context.protect_response(binding, header, code, build, out) {
            Ok((length, _)) => length,
            Err((error, binding)) => {
                self.last_error = Some(error);
                let code = Code::INTERNAL_SERVER_ERROR;
                context
                    .protect_response(binding, header, code, |_| Ok(()), out)
                    .map_err(|(error, _)| error)?
                    .0
            }
        };
        let sent = out.get(..length).unwrap_or_default();
        self.keep(now_ms, id, &envelope, sent);
        Ok((envelope.from, length))
    }
}

/// Whether a protected message came in several outer blocks (RFC 8613 section
/// 4.1.3.4): cut by a proxy, or by a client that puts message_3 and a large block
/// into one. To join them, a server would have to keep what nobody has
/// authenticated; this one takes what fits a datagram.
fn is_part(message: &Message<'_>) -> bool {
    let block = message.option(number::BLOCK1).map(BlockOption::decode);
    block.is_some_and(|block| block.is_ok_and(|block| block.more || block.num != 0))
}

/// The unprotected code for an error (RFC 8613 section 8.2).
fn outer_code(error: Error) -> Code {
    match error {
        Error::NoContext | Error::KeyId | Error::Replay => Code::UNAUTHORIZED,
        Error::PartialIv => Code::BAD_OPTION,
        _ => Code::BAD_REQUEST,
    }
}
