//! Responses that were sent: the same bytes again for a retransmitted request
//! (RFC 7252, 4.5), and separate responses until they are acknowledged (4.2).
//!
//! A retransmission is known by its sender's address and by a fingerprint of its
//! bytes, the message ID among them. That is stricter than address and message ID
//! alone: a forged datagram with a message ID in use neither gets a response nor
//! blocks one.

use super::{Envelope, Reply, Server, SessionId};
use crate::coap::{Code, Header, Kind, Writer};
use crate::{Error, MAX_DATAGRAM};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// ACK_TIMEOUT (RFC 7252, 4.8), in milliseconds; a random half comes on top.
const ACK_TIMEOUT_MS: u64 = 2000;
/// MAX_RETRANSMIT.
const MAX_RETRANSMIT: u8 = 4;

/// A response that was sent.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) session: SessionId,
    from: SocketAddr,
    fingerprint: u64,
    order: u64,
    /// As long as it is, and not as the longest: most are a few dozen bytes.
    bytes: Vec<u8>,
    /// For a separate response that nobody has acknowledged.
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    mid: u16,
    due_ms: u64,
    interval_ms: u64,
    left: u8,
}

impl<const SESSIONS: usize, const PENDING: usize, const PEERS: usize, const REPLIES: usize>
    Server<SESSIONS, PENDING, PEERS, REPLIES>
{
    /// Puts the answer to a request off (RFC 7252, 5.2.2). Writes the empty ACK
    /// into `out` and returns its length; 0 where the request was not confirmable
    /// and nothing is sent yet. [`Server::respond`] then makes a message of its
    /// own, and [`Server::poll`] repeats that until it is acknowledged.
    pub fn acknowledge(&mut self, reply: &mut Reply, out: &mut [u8]) -> usize {
        let envelope = &mut reply.envelope;
        let mut length = 0;
        if envelope.kind == Kind::Acknowledgement {
            let header = Header {
                kind: Kind::Acknowledgement,
                mid: envelope.mid,
                token: &[],
            };
            length = Writer::message(out, header, Code::EMPTY).map_or(0, |empty| empty.finish());
            envelope.kind = Kind::Confirmable;
            envelope.mid = self.mids.confirmable(self.cookies.as_ref(), &envelope.from);
        }
        let sent = out.get(..length).unwrap_or_default();
        self.store(reply.session, &reply.envelope, sent, None);
        length
    }

    /// What is to be sent now: a separate response that was not acknowledged in
    /// time. Writes it into `out`; to be called until it returns `None`.
    pub fn poll(&mut self, now_ms: u64, out: &mut [u8]) -> Option<(SocketAddr, usize)> {
        self.expire(now_ms);
        loop {
            let kept = self.replies.find(|kept| kept.is_due(now_ms))?;
            let waiting = kept.waiting.as_mut()?;
            let Some(left) = waiting.left.checked_sub(1) else {
                kept.waiting = None;
                continue;
            };
            waiting.left = left;
            waiting.interval_ms = waiting.interval_ms.saturating_mul(2);
            waiting.due_ms = now_ms.saturating_add(waiting.interval_ms);
            let length = kept.bytes.len();
            out.get_mut(..length)?.copy_from_slice(&kept.bytes);
            return Some((kept.from, length));
        }
    }

    /// When [`Server::poll`] has something to do next.
    pub fn due_ms(&self) -> Option<u64> {
        let waiting = self.replies.iter().filter_map(|kept| kept.waiting.as_ref());
        waiting.map(|waiting| waiting.due_ms).min()
    }

    /// An ACK or RST came: whether it was for a separate response, which is then
    /// not repeated any more.
    pub(super) fn settle(&mut self, from: &SocketAddr, mid: u16) -> bool {
        let meant = |kept: &&mut Kept| {
            kept.from == *from && kept.waiting.as_ref().is_some_and(|w| w.mid == mid)
        };
        match self.replies.find(meant) {
            Some(kept) => {
                kept.waiting = None;
                true
            }
            None => false,
        }
    }

    /// The response that this very datagram has already had.
    pub(super) fn kept(
        &self,
        from: &SocketAddr,
        fingerprint: u64,
        out: &mut [u8],
    ) -> Option<usize> {
        let reply = self
            .replies
            .iter()
            .find(|kept| kept.answers(from, fingerprint))
            .map(|kept| kept.bytes.as_slice())
            .or_else(|| {
                self.pending
                    .iter()
                    .find(|half| half.fingerprint == fingerprint && half.from == *from)
                    .map(|half| half.reply.as_slice())
            })?;
        out.get_mut(..reply.len())?.copy_from_slice(reply);
        Some(reply.len())
    }

    /// Keeps a response for retransmissions of its request; a separate one also
    /// to repeat it by itself.
    pub(super) fn keep(
        &mut self,
        now_ms: u64,
        session: SessionId,
        envelope: &Envelope,
        response: &[u8],
    ) {
        let waiting = (envelope.kind == Kind::Confirmable).then(|| {
            let [random, ..] = envelope.fingerprint.to_be_bytes();
            let interval_ms = ACK_TIMEOUT_MS.saturating_add(u64::from(random).saturating_mul(4));
            Waiting {
                mid: envelope.mid,
                due_ms: now_ms.saturating_add(interval_ms),
                interval_ms,
                left: MAX_RETRANSMIT,
            }
        });
        self.store(session, envelope, response, waiting);
    }

    /// When there is no room, the oldest of this session goes if it has any, or
    /// else of the session that has the most; those that still have to be
    /// repeated only if there are no others.
    fn store(
        &mut self,
        session: SessionId,
        envelope: &Envelope,
        response: &[u8],
        waiting: Option<Waiting>,
    ) {
        let Envelope {
            from, fingerprint, ..
        } = envelope;
        self.replies
            .retain(|kept| !kept.answers(from, *fingerprint));
        let mut bytes = Vec::new();
        if response.len() > MAX_DATAGRAM || bytes.try_reserve_exact(response.len()).is_err() {
            self.last_error = Some(Error::Internal);
            return;
        }
        bytes.extend_from_slice(response);
        let kept = Kept {
            session,
            from: *from,
            fingerprint: *fingerprint,
            order: self.tick,
            bytes,
            waiting,
        };
        self.replies.insert_fair(
            kept,
            |kept| kept.waiting.is_none(),
            |kept| kept.session,
            |kept| kept.order,
        );
    }
}

impl Kept {
    fn answers(&self, from: &SocketAddr, fingerprint: u64) -> bool {
        self.fingerprint == fingerprint && self.from == *from
    }

    fn is_due(&self, now_ms: u64) -> bool {
        let waiting = self.waiting.as_ref();
        waiting.is_some_and(|waiting| waiting.due_ms <= now_ms)
    }
}
