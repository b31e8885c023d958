//! `POST /.well-known/edhoc`: message_1 and message_3 (RFC 9528 appendix A.2).

use super::freshness::Proofs;
use super::{Envelope, HalfOpen, Incoming, PeerIndex, Server, Session, SessionId};
use crate::Error;
use crate::coap::{Code, Message, Writer, number};
use crate::context::SecurityContext;
use crate::edhoc::{self, COMPACT_IDS, ConnId, Responder};
use rand_core::CryptoRngCore;

/// CBOR `true`, in front of message_1.
const FIRST: u8 = 0xf5;
/// Content-Format application/edhoc+cbor-seq.
const EDHOC_FORMAT: u32 = 64;

/// A key exchange whose message_3 was good.
pub(super) struct Finished {
    pub(super) peer: PeerIndex,
    pub(super) context: SecurityContext,
    /// When message_2 was made, which message_3 answers.
    pub(super) since_ms: u64,
}

impl<const SESSIONS: usize, const PENDING: usize, const PEERS: usize, const REPLIES: usize>
    Server<SESSIONS, PENDING, PEERS, REPLIES>
{
    pub(super) fn handshake<'s>(
        &mut self,
        envelope: Envelope,
        message: &Message<'_>,
        rng: &mut impl CryptoRngCore,
        out: &mut [u8],
    ) -> Incoming<'s> {
        let known = [
            number::URI_HOST,
            number::URI_PORT,
            number::URI_PATH,
            number::ACCEPT,
        ];
        let unknown = |n: u16| n & 1 == 1 && !known.contains(&n);
        if message.options.clone().any(|o| unknown(o.number)) {
            return self.refuse(&envelope, Code::BAD_OPTION, Error::EdhocMessage, out);
        }
        let done = match message.payload.split_first() {
            Some((&FIRST, message_1)) => {
                let echo = message.option(number::ECHO);
                if self.is_busy() && !self.is_reachable(&envelope, echo) {
                    return self.ask_for_echo(&envelope, out);
                }
                self.message_1(&envelope, message_1, rng, out)
            }
            _ => self.message_3(&envelope, message.payload, rng, out),
        };
        match done {
            Ok(length) => Incoming::Reply(length),
            Err(error) => self.edhoc_error(&envelope, error, out),
        }
    }

    /// Whether half of the places for key exchanges are taken.
    fn is_busy(&self) -> bool {
        let taken = self.pending.iter().count();
        taken.saturating_mul(2) >= PENDING
    }

    /// Whether the sender has shown that it gets what is sent to its address.
    fn is_reachable(&self, envelope: &Envelope, echo: Option<&[u8]>) -> bool {
        let cookies = self.cookies.as_ref();
        cookies.is_some_and(|known| {
            echo.is_some_and(|echo| known.check(envelope.at_ms, &envelope.from, echo))
        })
    }

    /// 4.01 with an Echo value to bring back; shorter than what asked for it.
    fn ask_for_echo<'s>(&mut self, envelope: &Envelope, out: &mut [u8]) -> Incoming<'s> {
        self.last_error = Some(Error::Unreachable);
        let Some(cookies) = &self.cookies else {
            return Incoming::Ignore;
        };
        let echo = cookies.value(envelope.at_ms, &envelope.from);
        let written = Writer::message(out, envelope.header(), Code::UNAUTHORIZED)
            .and_then(|mut writer| writer.option(number::ECHO, &echo).map(|()| writer.finish()));
        written.map_or(Incoming::Ignore, Incoming::Reply)
    }

    /// An EDHOC error message. It is the same for every reason but the suite.
    pub(super) fn edhoc_error<'s>(
        &mut self,
        envelope: &Envelope,
        error: Error,
        out: &mut [u8],
    ) -> Incoming<'s> {
        self.last_error = Some(error);
        let written = edhoc_response(
            envelope,
            Code::BAD_REQUEST,
            edhoc::error_message(error),
            out,
        );
        written.map_or(Incoming::Ignore, Incoming::Reply)
    }

    fn message_1(
        &mut self,
        envelope: &Envelope,
        message_1: &[u8],
        rng: &mut impl CryptoRngCore,
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let offset = rng.next_u32();
        let choose = |c_i: &ConnId| self.free_id(c_i, offset);
        let (responder, message_2) = Responder::start(&self.identity, message_1, choose, rng)?;
        let length = edhoc_response(envelope, Code::CHANGED, &message_2, out)?;
        let reply = out.get(..length).unwrap_or_default();
        let half = HalfOpen {
            responder,
            since_ms: envelope.at_ms,
            order: self.tick,
            from: envelope.from,
            fingerprint: envelope.fingerprint,
            reply: reply.to_vec(),
        };
        self.pending
            .insert_fair(half, |_| true, |half| half.from.ip(), |half| half.order);
        Ok(length)
    }

    fn message_3(
        &mut self,
        envelope: &Envelope,
        payload: &[u8],
        rng: &mut impl CryptoRngCore,
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let (c_r, message_3) = edhoc::split_c_r(payload)?;
        let finished = self.finish(c_r, message_3, rng)?;
        let written = Writer::message(out, envelope.header(), Code::CHANGED)?.finish();
        let session = self.establish(envelope.at_ms, finished);
        let sent = out.get(..written).unwrap_or_default();
        self.keep(envelope.at_ms, session, envelope, sent);
        Ok(written)
    }

    /// Checks message_3 against the half-open exchange with this identifier.
    /// Nothing is changed: a forged message_3 does not end the exchange.
    pub(super) fn finish(
        &self,
        c_r: &[u8],
        message_3: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<Finished, Error> {
        let half = self
            .pending
            .iter()
            .find(|half| half.responder.c_r().as_slice() == c_r)
            .ok_or(Error::NoHandshake)?;
        let (peer, context) = half.responder.finish(message_3, &self.peers, rng)?;
        Ok(Finished {
            peer: PeerIndex(peer),
            context,
            since_ms: half.since_ms,
        })
    }

    /// Turns a finished key exchange into a session.
    pub(super) fn establish(&mut self, now_ms: u64, finished: Finished) -> SessionId {
        let Finished {
            peer,
            context,
            since_ms,
        } = finished;
        self.pending
            .retain(|half| half.responder.c_r().as_slice() != context.recipient_id());
        let id = SessionId(self.next_session);
        self.next_session = self.next_session.saturating_add(1);
        let session = Session {
            id,
            peer,
            context,
            used: self.tick,
            used_ms: now_ms,
            proofs: Proofs::new(since_ms),
            challenge: None,
        };
        let gone = self.sessions.insert_fair(
            session,
            |_| true,
            |session| session.peer,
            |session| session.used,
        );
        if let Some(gone) = gone {
            self.replies.retain(|kept| kept.session != gone.id);
        }
        id
    }

    /// A connection identifier that no session and no half-open exchange has, nor
    /// the peer. There are more identifiers than places, so one is free.
    fn free_id(&self, c_i: &ConnId, offset: u32) -> Option<ConnId> {
        (0..COMPACT_IDS)
            .map(|n| edhoc::compact_id(n.wrapping_add(offset % COMPACT_IDS)))
            .find(|id| {
                let id = id.as_slice();
                id != c_i.as_slice()
                    && self.sessions.iter().all(|s| s.context.recipient_id() != id)
                    && self
                        .pending
                        .iter()
                        .all(|half| half.responder.c_r().as_slice() != id)
            })
    }
}

fn edhoc_response(
    envelope: &Envelope,
    code: Code,
    payload: &[u8],
    out: &mut [u8],
) -> Result<usize, Error> {
    let mut writer = Writer::message(out, envelope.header(), code)?;
    writer.uint(number::CONTENT_FORMAT, EDHOC_FORMAT)?;
    writer.payload(payload)?;
    Ok(writer.finish())
}
