//! The device side, sans-IO and bounded.

use crate::coap::{self, Code, Inner, Kind, Writer};
use crate::credential::{Credential, CredentialError, Identity};
use crate::protect::Binding;
use crate::Error;
use core::net::SocketAddr;
use heapless::Vec;
use rand_core::CryptoRngCore;

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
    /// What [`Server::respond`] needs; can be used once.
    pub reply: Reply,
}

/// The right to answer one request, once.
#[derive(Debug)]
pub struct Reply {
    session: SessionId,
    binding: Binding,
    kind: Kind,
    mid: u16,
    token: Vec<u8, 8>,
    from: SocketAddr,
    digest: [u8; 32],
}

/// Sessions, half-open key exchanges and the latest responses of a device.
///
/// - `SESSIONS`: established sessions.
/// - `PENDING`: key exchanges that wait for message_3.
/// - `PEERS`: configured credentials.
/// - `REPLIES`: responses kept for retransmissions.
#[derive(Debug)]
pub struct Server<
    const SESSIONS: usize,
    const PENDING: usize,
    const PEERS: usize = 8,
    const REPLIES: usize = SESSIONS,
> {
    identity: Identity,
    peers: Vec<Credential, PEERS>,
}

impl<const SESSIONS: usize, const PENDING: usize, const PEERS: usize, const REPLIES: usize>
    Server<SESSIONS, PENDING, PEERS, REPLIES>
{
    /// A server with this identity that talks to these peers only.
    ///
    /// # Errors
    /// [`CredentialError::TooMany`] for more than `PEERS` peers.
    pub fn new(identity: Identity, peers: &[Credential]) -> Result<Self, CredentialError> {
        let peers = Vec::from_slice(peers).map_err(|_| CredentialError::TooMany)?;
        Ok(Self { identity, peers })
    }

    /// Takes a datagram. `scratch` and `out` should have [`crate::MAX_DATAGRAM`] bytes;
    /// a decrypted request lies in `scratch`, a reply in `out`.
    pub fn receive<'s>(
        &mut self,
        now_ms: u64,
        from: SocketAddr,
        datagram: &[u8],
        scratch: &'s mut [u8],
        rng: &mut impl CryptoRngCore,
        out: &mut [u8],
    ) -> Incoming<'s> {
        let _ = (now_ms, from, datagram, scratch, rng, out);
        Incoming::Ignore
    }

    /// Writes the protected response to a request into `out` and returns its
    /// length; `build` writes options and payload. It is kept for retransmissions.
    /// When `build` fails, or the response does not fit, what is written is an
    /// empty 5.00, so that the peer gets an answer.
    ///
    /// # Errors
    /// [`Error::SessionGone`], or `out` is too short.
    pub fn respond(
        &mut self,
        reply: Reply,
        code: Code,
        build: impl FnOnce(&mut Writer<'_>) -> Result<(), coap::Error>,
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let _ = (reply, code, build, out);
        Err(Error::SessionGone)
    }

    /// Why the latest datagram was refused or ignored, for the log.
    pub fn last_error(&self) -> Option<Error> {
        None
    }
}
