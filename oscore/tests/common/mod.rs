//! A device and its clients in memory.
#![allow(dead_code, reason = "each test file uses a part of it")]

use rand_core::{CryptoRng, RngCore};
use sealift_oscore::client::edhoc_post;
use sealift_oscore::coap::{Code, Header, Kind, Message, Writer, number};
use sealift_oscore::protect::Sent;
use sealift_oscore::server::{Incoming, Reply};
use sealift_oscore::{
    ClientContext, ClientHandshake, Credential, Identity, MAX_DATAGRAM, PeerIndex, Server,
    SessionId,
};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;

/// Repeatable randomness: SHA-256 of a counter.
pub(crate) struct Rng {
    seed: u64,
    counter: u64,
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }
}

impl RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, to: &mut [u8]) {
        for chunk in to.chunks_mut(32) {
            self.counter += 1;
            let mut hash = Sha256::new();
            hash.update(self.seed.to_be_bytes());
            hash.update(self.counter.to_be_bytes());
            chunk.copy_from_slice(&hash.finalize()[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(to);
        Ok(())
    }
}

impl CryptoRng for Rng {}

pub(crate) fn identity(seed: u64, name: &str) -> Identity {
    Identity::generate(name, &mut Rng::new(seed)).unwrap()
}

pub(crate) fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

/// What came of a datagram, owned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Reply(Vec<u8>),
    Ignore,
    /// Who asked, over which session, and the response that was sent.
    Request(PeerIndex, SessionId, Vec<u8>),
}

impl Outcome {
    pub(crate) fn reply(&self) -> &[u8] {
        match self {
            Self::Reply(bytes) | Self::Request(_, _, bytes) => bytes,
            Self::Ignore => panic!("no reply"),
        }
    }

    pub(crate) fn code(&self) -> Code {
        Message::parse(self.reply()).unwrap().code
    }

    pub(crate) fn is_request(&self) -> bool {
        matches!(self, Self::Request(..))
    }
}

/// A server whose one resource echoes the payload; counts what it has executed.
/// What it is asked while `slow` it answers later.
pub(crate) struct Device<const SESSIONS: usize = 4, const PENDING: usize = 4> {
    pub(crate) server: Server<SESSIONS, PENDING>,
    pub(crate) credential: Credential,
    pub(crate) rng: Rng,
    pub(crate) executed: usize,
    pub(crate) now_ms: u64,
    pub(crate) slow: bool,
    pub(crate) late: Vec<(Reply, Vec<u8>)>,
}

impl<const S: usize, const P: usize> Device<S, P> {
    pub(crate) fn new(peers: &[Credential]) -> Self {
        let identity = identity(1000, "device");
        Self {
            credential: identity.credential().clone(),
            server: Server::new(identity, peers).unwrap(),
            rng: Rng::new(7),
            executed: 0,
            now_ms: 0,
            slow: false,
            late: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self, from: SocketAddr, datagram: &[u8]) -> Outcome {
        let mut scratch = [0; MAX_DATAGRAM];
        let mut out = [0; MAX_DATAGRAM];
        let incoming = self.server.receive(
            self.now_ms,
            from,
            datagram,
            &mut scratch,
            &mut self.rng,
            &mut out,
        );
        match incoming {
            Incoming::Reply(length) => Outcome::Reply(out[..length].to_vec()),
            Incoming::Ignore => Outcome::Ignore,
            Incoming::Request(mut request) => {
                self.executed += 1;
                // The response differs each time, so a second execution shows.
                let mut body = vec![u8::try_from(self.executed % 256).unwrap()];
                body.extend_from_slice(request.inner.payload);
                if self.slow {
                    let length = self.server.acknowledge(&mut request.reply, &mut out);
                    self.late.push((request.reply, body));
                    return match length {
                        0 => Outcome::Ignore,
                        _ => Outcome::Reply(out[..length].to_vec()),
                    };
                }
                let (to, length) = self
                    .server
                    .respond(
                        self.now_ms,
                        request.reply,
                        Code::CONTENT,
                        |w| w.payload(&body),
                        &mut out,
                    )
                    .unwrap();
                assert_eq!(to, from);
                Outcome::Request(request.peer, request.session, out[..length].to_vec())
            }
        }
    }

    /// The time after which the sender of this request was there.
    pub(crate) fn proven(&mut self, from: SocketAddr, datagram: &[u8]) -> u64 {
        let mut scratch = [0; MAX_DATAGRAM];
        let mut out = [0; MAX_DATAGRAM];
        let Self { server, rng, .. } = self;
        match server.receive(self.now_ms, from, datagram, &mut scratch, rng, &mut out) {
            Incoming::Request(request) => request.proven_ms,
            other => panic!("{other:?}"),
        }
    }

    /// Answers the oldest of the requests that it has put off.
    pub(crate) fn answer(&mut self) -> (SocketAddr, Vec<u8>) {
        let mut out = [0; MAX_DATAGRAM];
        let (reply, body) = self.late.remove(0);
        let content = |w: &mut Writer<'_>| w.payload(&body);
        let (to, length) = self
            .server
            .respond(self.now_ms, reply, Code::CONTENT, content, &mut out)
            .unwrap();
        (to, out[..length].to_vec())
    }

    /// Everything that the server sends by itself now.
    pub(crate) fn poll(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut out = [0; MAX_DATAGRAM];
        let mut sent = Vec::new();
        while let Some((to, length)) = self.server.poll(self.now_ms, &mut out) {
            sent.push((to, out[..length].to_vec()));
        }
        sent
    }

    pub(crate) fn session_ids(&self) -> Vec<SessionId> {
        let mut ids: Vec<_> = self.server.sessions().map(|(id, _)| id).collect();
        ids.sort();
        ids
    }
}

pub(crate) fn header(mid: u16) -> Header<'static> {
    Header {
        kind: Kind::Confirmable,
        mid,
        token: &[0xab, 0xcd],
    }
}

pub(crate) fn post(mid: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = [0; 400];
    let length = edhoc_post(header(mid), payload, &mut out).unwrap();
    out[..length].to_vec()
}

/// The same with the Echo value that this reply asks for.
pub(crate) fn post_again(mid: u16, payload: &[u8], asked: &[u8]) -> Vec<u8> {
    let asked = Message::parse(asked).unwrap();
    assert_eq!(asked.code, Code::UNAUTHORIZED);
    let mut out = [0; 400];
    let mut writer = Writer::message(&mut out, header(mid), Code::POST).unwrap();
    writer.uri_path("/.well-known/edhoc").unwrap();
    let echo = asked.option(number::ECHO).expect("an Echo option");
    writer.option(number::ECHO, echo).unwrap();
    writer.payload(payload).unwrap();
    writer.as_bytes().to_vec()
}

/// The payload of a reply.
pub(crate) fn payload(reply: &[u8]) -> Vec<u8> {
    Message::parse(reply).unwrap().payload.to_vec()
}

pub(crate) struct Client {
    pub(crate) context: ClientContext,
    pub(crate) from: SocketAddr,
    pub(crate) mid: u16,
}

impl Client {
    /// A whole key exchange.
    pub(crate) fn connect<const S: usize, const P: usize>(
        identity: &Identity,
        device: &mut Device<S, P>,
        from: SocketAddr,
        seed: u64,
    ) -> Self {
        let mut rng = Rng::new(seed);
        let (handshake, first) =
            ClientHandshake::start(identity, &device.credential, &mut rng).unwrap();
        let message_2 = device.take(from, &post(1, &first));
        assert_eq!(message_2.code(), Code::CHANGED);
        let (third, context) = handshake
            .receive_message_2(&payload(message_2.reply()), &mut rng)
            .unwrap();
        let done = device.take(from, &post(2, &third));
        assert_eq!(
            done.code(),
            Code::CHANGED,
            "{:?}",
            device.server.last_error()
        );
        Self {
            context,
            from,
            mid: 10,
        }
    }

    pub(crate) fn request(&mut self, body: &[u8]) -> (Vec<u8>, Sent) {
        self.mid += 1;
        let mut out = [0; MAX_DATAGRAM];
        let (length, sent) = self
            .context
            .protect(
                header(self.mid),
                Code::PUT,
                |w| {
                    w.uri_path("/vm-control/vm1")?;
                    w.payload(body)
                },
                &mut out,
            )
            .unwrap();
        (out[..length].to_vec(), sent)
    }

    /// The payload of a genuine response.
    pub(crate) fn read(&self, sent: &Sent, reply: &[u8]) -> Vec<u8> {
        let mut scratch = [0; MAX_DATAGRAM];
        let message = Message::parse(reply).unwrap();
        let inner = self
            .context
            .unprotect(sent, &message, &mut scratch)
            .unwrap();
        assert_eq!(inner.code, Code::CONTENT);
        inner.payload.to_vec()
    }

    /// Sends a request and checks that it is executed and answered.
    pub(crate) fn works<const S: usize, const P: usize>(&mut self, device: &mut Device<S, P>) {
        let (request, sent) = self.request(b"ping");
        let outcome = device.take(self.from, &request);
        assert!(outcome.is_request(), "{:?}", device.server.last_error());
        assert_eq!(&self.read(&sent, outcome.reply())[1..], b"ping");
    }
}
