//! The device side, sans-IO and bounded: one call for each datagram.
//!
//! What unauthenticated traffic can reach and what it cannot:
//! - Half-open key exchanges and established sessions live in separate pools. A
//!   flood of message_1 replaces half-open exchanges, oldest first, and nothing
//!   else. Only a verified message_3 takes the place of a session: when the table
//!   is full, first one of the same peer, else one of the peer that has the most.
//! - A session changes only after a message in it has been authenticated: neither
//!   a forged request nor a garbled EDHOC message with its identifier touches it.
//! - Responses to authenticated requests are kept, so that a retransmission gets
//!   the same bytes again and is not executed twice. A retransmission is the same
//!   datagram from the same address; a forged one with the same message ID is not.
//! - Before a session there are two resources: `POST /.well-known/edhoc` and the
//!   CoAP ping. Everything else is 4.01.
//! - From the moment that half of the places for key exchanges are taken, a
//!   message_1 has to bring back an Echo value (RFC 9175, 2.6): until then it
//!   costs no place and no elliptic curve. A flood with false sender addresses
//!   keeps nobody out, and one with true ones takes its own places first.
//! - A session that is not used for [`Server::set_idle`]'s time ends. Contexts
//!   are in RAM only: after a restart each peer makes a new one, with new keys, so
//!   no nonce is used twice and no replay window needs to be kept.

mod freshness;
mod handshake;
mod ids;
mod pool;
#[cfg(feature = "preset")]
mod preset;
mod protected;
mod replies;

pub use freshness::ECHO;

use crate::Error;
use crate::coap::{self, Code, Header, Inner, Kind, Message, Writer, number};
use crate::context::SecurityContext;
use crate::credential::{Credential, CredentialError, Identity};
use crate::edhoc;
use crate::protect::Binding;
use core::net::SocketAddr;
use freshness::{Challenge, Cookies, Proofs};
use heapless::Vec;
use ids::MessageIds;
use pool::Pool;
use rand_core::CryptoRngCore;
use replies::Kept;

/// How long a half-open key exchange waits for message_3, in milliseconds.
pub const HALF_OPEN_MS: u64 = 120_000;

/// How long a session may be idle unless [`Server::set_idle`] says otherwise, in
/// milliseconds: a day.
pub const SESSION_IDLE_MS: u64 = 24 * 60 * 60 * 1000;

/// Which of the configured credentials a peer holds: its index in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerIndex(pub usize);

/// Names one established session; every key exchange makes a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What to do after a datagram.
#[derive(Debug)]
pub enum Incoming<'s> {
    /// Send these many bytes of `out` to where the datagram came from.
    Reply(usize),
    /// Nothing to do.
    Ignore,
    /// An authenticated request: act on it, then [`Server::respond`].
    Request(Request<'s>),
}

/// An authenticated request.
#[derive(Debug)]
pub struct Request<'s> {
    /// Who sent it.
    pub peer: PeerIndex,
    /// Over which session.
    pub session: SessionId,
    /// The decrypted request; borrows from the scratch buffer only.
    pub inner: Inner<'s>,
    /// A time after which this request was made: that of the key exchange, or of a
    /// [`Server::challenge`] that it has brought back, or that a request of the same
    /// session with a lower sequence number has. It may have been held back since,
    /// and not for longer.
    pub proven_ms: u64,
    /// What [`Server::respond`] needs; can be used once.
    pub reply: Reply,
}

/// The right to answer one request, once.
#[derive(Debug)]
#[must_use = "a request that is not answered leaves its sender waiting"]
pub struct Reply {
    session: SessionId,
    binding: Binding,
    envelope: Envelope,
}

/// When and from where a datagram came, and how its reply is addressed.
#[derive(Debug)]
struct Envelope {
    at_ms: u64,
    from: SocketAddr,
    fingerprint: u64,
    kind: Kind,
    mid: u16,
    token: Vec<u8, 8>,
}

impl Envelope {
    fn header(&self) -> Header<'_> {
        Header {
            kind: self.kind,
            mid: self.mid,
            token: &self.token,
        }
    }
}

#[derive(Debug)]
struct Session {
    id: SessionId,
    peer: PeerIndex,
    context: SecurityContext,
    /// When it was used last, in ticks of [`Server::tick`] and in milliseconds.
    used: u64,
    used_ms: u64,
    proofs: Proofs,
    challenge: Option<Challenge>,
}

#[derive(Debug)]
struct HalfOpen {
    responder: edhoc::Responder,
    since_ms: u64,
    order: u64,
    from: SocketAddr,
    fingerprint: u64,
    /// Message_2 as it was sent, in case message_1 comes again.
    reply: alloc::vec::Vec<u8>,
}

/// Sessions, half-open key exchanges and the latest responses of a device.
///
/// - `SESSIONS`: established sessions. With at least as many as peers, no peer
///   can push all sessions of another one out.
/// - `PENDING`: key exchanges that wait for message_3.
/// - `PEERS`: configured credentials.
/// - `REPLIES`: responses kept for retransmissions, on the heap, of
///   [`crate::MAX_DATAGRAM`] bytes at the most.
///   With at least as many as sessions, the latest response of each is kept.
///
/// The tables are on the heap, each from its first entry on; on a 64-bit host a
/// session takes 216 bytes.
///
/// `SESSIONS + PENDING` can be at most 46: connection identifiers have one byte.
#[derive(Debug)]
pub struct Server<
    const SESSIONS: usize,
    const PENDING: usize,
    const PEERS: usize = 8,
    const REPLIES: usize = SESSIONS,
> {
    identity: Identity,
    peers: alloc::vec::Vec<Credential>,
    sessions: Pool<Session, SESSIONS>,
    pending: Pool<HalfOpen, PENDING>,
    replies: Pool<Kept, REPLIES>,
    /// Counts events, to tell older from newer.
    tick: u64,
    next_session: u64,
    idle_ms: u64,
    /// Of the first datagram's randomness.
    cookies: Option<Cookies>,
    mids: MessageIds,
    last_error: Option<Error>,
}

impl<const SESSIONS: usize, const PENDING: usize, const PEERS: usize, const REPLIES: usize>
    Server<SESSIONS, PENDING, PEERS, REPLIES>
{
    /// A server with this identity that talks to these peers only.
    ///
    /// # Errors
    /// [`CredentialError::TooMany`] for more than `PEERS` peers.
    pub fn new(identity: Identity, peers: &[Credential]) -> Result<Self, CredentialError> {
        const {
            assert!(SESSIONS > 0 && PENDING > 0 && REPLIES > 0);
            // One identifier is always free, and is not the peer's.
            assert!(SESSIONS < 46 && PENDING < 46 && SESSIONS + PENDING <= 46);
        }
        if peers.len() > PEERS {
            return Err(CredentialError::TooMany);
        }
        Ok(Self {
            identity,
            peers: peers.to_vec(),
            sessions: Pool::new(),
            pending: Pool::new(),
            replies: Pool::new(),
            tick: 0,
            next_session: 0,
            idle_ms: SESSION_IDLE_MS,
            cookies: None,
            mids: MessageIds::default(),
            last_error: None,
        })
    }

    /// Sets how long a session may be idle before it ends, in milliseconds.
    pub fn set_idle(&mut self, milliseconds: u64) {
        self.idle_ms = milliseconds;
    }

    /// Talks to these peers from now on. Sessions of others end, and what was kept
    /// for their retransmissions goes; those of who stays go on. A key exchange
    /// that is half open ends with one of the new peers, or fails.
    ///
    /// # Errors
    /// [`CredentialError::TooMany`] for more than `PEERS` peers: nothing changed.
    pub fn set_peers(&mut self, peers: &[Credential]) -> Result<(), CredentialError> {
        if peers.len() > PEERS {
            return Err(CredentialError::TooMany);
        }
        let before = core::mem::replace(&mut self.peers, peers.to_vec());
        self.sessions.retain_mut(|session| {
            let credential = before.get(session.peer.0);
            let now = peers.iter().position(|peer| Some(peer) == credential);
            match now {
                Some(now) => session.peer = PeerIndex(now),
                None => return false,
            }
            true
        });
        let sessions = &self.sessions;
        self.replies
            .retain(|kept| sessions.iter().any(|session| session.id == kept.session));
        Ok(())
    }

    /// The configured peers, in the order of [`PeerIndex`].
    pub fn peers(&self) -> &[Credential] {
        &self.peers
    }

    /// The public credential of this device.
    pub fn credential(&self) -> &Credential {
        self.identity.credential()
    }

    /// The established sessions and whose they are.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, PeerIndex)> {
        self.sessions.iter().map(|s| (s.id, s.peer))
    }

    /// Why the latest datagram was refused or ignored, for the log.
    pub fn last_error(&self) -> Option<Error> {
        self.last_error
    }

    /// Takes a datagram that came from `from`. `scratch` and `out` should have
    /// [`crate::MAX_DATAGRAM`] bytes; a decrypted request lies in `scratch`, a reply in
    /// `out`. `now_ms` is a clock that does not go back.
    pub fn receive<'s>(
        &mut self,
        now_ms: u64,
        from: SocketAddr,
        datagram: &[u8],
        scratch: &'s mut [u8],
        rng: &mut impl CryptoRngCore,
        out: &mut [u8],
    ) -> Incoming<'s> {
        self.last_error = None;
        self.tick = self.tick.saturating_add(1);
        self.expire(now_ms);
        if self.cookies.is_none() {
            self.mids = MessageIds::starting_at(rng.next_u32());
        }
        let cookies = self.cookies.get_or_insert_with(|| Cookies::new(rng));
        let message = match Message::parse(datagram) {
            Ok(message) => message,
            Err(error) => return self.ignore(error.into()),
        };
        match (message.kind, message.code) {
            (Kind::Acknowledgement | Kind::Reset, _) => {
                return match self.settle(&from, message.mid) {
                    true => Incoming::Ignore,
                    false => self.ignore(Error::Unprotected),
                };
            }
            (_, code) if code.is_request() => {}
            (Kind::Confirmable, _) => return reset(&message, out),
            (Kind::NonConfirmable, _) => return self.ignore(Error::Unprotected),
        }
        let fingerprint = cookies.fingerprint(datagram);
        match self.kept(&from, fingerprint, out) {
            // A response is on its way, and nothing can be said before it.
            Some(0) => return Incoming::Ignore,
            Some(length) => return Incoming::Reply(length),
            None => {}
        }
        let Ok(token) = Vec::from_slice(message.token) else {
            return self.ignore(coap::Error::TokenLength.into());
        };
        let (kind, mid) = match message.kind {
            Kind::Confirmable => (Kind::Acknowledgement, message.mid),
            _ => {
                let mid = self.mids.other(self.cookies.as_ref(), &from);
                (Kind::NonConfirmable, mid)
            }
        };
        let envelope = Envelope {
            at_ms: now_ms,
            from,
            fingerprint,
            kind,
            mid,
            token,
        };
        if message.option(number::OSCORE).is_some() {
            self.protected(envelope, &message, scratch, rng, out)
        } else if message.code == Code::POST
            && message.uri_path().eq([&b".well-known"[..], b"edhoc"])
        {
            self.handshake(envelope, &message, rng, out)
        } else {
            self.refuse(&envelope, Code::UNAUTHORIZED, Error::Unprotected, out)
        }
    }

    /// Ends what has waited too long, and half-open key exchanges with it.
    fn expire(&mut self, now_ms: u64) {
        let age = |since: u64| now_ms.saturating_sub(since);
        self.pending
            .retain(|half| age(half.since_ms) < HALF_OPEN_MS);
        let idle_ms = self.idle_ms;
        self.sessions
            .retain(|session| age(session.used_ms) < idle_ms);
        let sessions = &self.sessions;
        self.replies
            .retain(|kept| sessions.iter().any(|session| session.id == kept.session));
    }

    /// An unprotected response without content, and why.
    fn refuse<'s>(
        &mut self,
        envelope: &Envelope,
        code: Code,
        error: Error,
        out: &mut [u8],
    ) -> Incoming<'s> {
        self.last_error = Some(error);
        match Writer::message(out, envelope.header(), code) {
            Ok(writer) => Incoming::Reply(writer.finish()),
            Err(_) => Incoming::Ignore,
        }
    }

    fn ignore<'s>(&mut self, error: Error) -> Incoming<'s> {
        self.last_error = Some(error);
        Incoming::Ignore
    }
}

/// Answers a ping, or a confirmable message that makes no sense here.
fn reset<'s>(message: &Message<'_>, out: &mut [u8]) -> Incoming<'s> {
    let header = Header {
        kind: Kind::Reset,
        mid: message.mid,
        token: &[],
    };
    match Writer::message(out, header, Code::EMPTY) {
        Ok(writer) => Incoming::Reply(writer.finish()),
        Err(_) => Incoming::Ignore,
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    #[test]
    fn a_session_is_as_small_as_is_said() {
        assert_eq!(size_of::<super::Session>(), 216);
    }
}
