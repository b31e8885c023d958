//! A device without sockets: real EDHOC and OSCORE, and a [`Model`] behind them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rand_core::{CryptoRng, RngCore};
use sealift_oscore::coap::{Code, Header, Kind, Message, Writer, number};
use sealift_oscore::server::Reply;
use sealift_oscore::{Credential, Identity, Incoming, MAX_DATAGRAM, Server, pem};
use testbed::{Dice, Outgoing, Peer};

use super::model::{Answer, Model};

/// A generator with a seed; not secure, and need not be.
pub struct Seeded(Dice);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(Dice::new(seed))
    }
}

impl RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        u32::try_from(self.0.roll() >> 32).unwrap()
    }
    fn next_u64(&mut self) -> u64 {
        self.0.roll()
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for byte in dest {
            *byte = self.next_u32().to_be_bytes()[0];
        }
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Seeded {}

/// How the message layer of a device behaves.
#[derive(Clone, Copy, Default)]
pub struct Manner {
    /// Answers in messages of their own (RFC 7252, 5.2.2), after this time.
    pub separate: Option<Duration>,
    /// Acknowledges, and forgets to answer, every so many requests.
    pub forgets: Option<u32>,
    /// How long it computes for each message of a key exchange.
    pub handshake: Duration,
    /// Somebody answers every protected request with this code before the device does.
    pub forger: Option<Code>,
    /// Somebody copies every protected request, and sends it from elsewhere before it
    /// arrives.
    pub copier: bool,
}

type TestServer = Server<4, 4>;

pub struct Mock {
    server: TestServer,
    identity: String,
    peers: Vec<Credential>,
    pub credential: Credential,
    pub manner: Manner,
    model: Arc<Mutex<Model>>,
    rng: Seeded,
    /// Answers that are being worked for, and when they are due.
    working: Vec<(Duration, Reply, Answer)>,
    /// It hears nothing until then.
    down_until: Duration,
    /// Requests that it was sent.
    pub requests: u32,
    pub handshakes: usize,
    /// From where requests came.
    pub addresses: BTreeSet<SocketAddr>,
    /// To tell a new key exchange from a retransmission.
    latest_message_1: Vec<u8>,
    latest_challenge: Option<Vec<u8>>,
}

impl Mock {
    /// A device that lets these peers in.
    pub fn new(model: Arc<Mutex<Model>>, manner: Manner, peers: &[Credential], seed: u64) -> Self {
        let mut rng = Seeded::new(seed);
        let identity = Identity::generate("device", &mut rng).unwrap();
        let credential = identity.credential().clone();
        let identity = pem::encode_identity(&identity).to_string();
        Self {
            server: server(&identity, peers),
            identity,
            peers: peers.to_vec(),
            credential,
            manner,
            model,
            rng,
            working: Vec::new(),
            down_until: Duration::ZERO,
            requests: 0,
            handshakes: 0,
            addresses: BTreeSet::new(),
            latest_message_1: Vec::new(),
            latest_challenge: None,
        }
    }

    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap()
    }

    /// Loses its RAM, and hears nothing for this time.
    pub fn restart(&mut self, now: Duration, down: Duration) {
        self.forget_contexts();
        self.down_until = now + down;
        self.model().restart();
    }

    /// Only the security contexts are lost.
    pub fn forget_contexts(&mut self) {
        self.working.clear();
        self.server = server(&self.identity, &self.peers);
    }

    fn request(&mut self, now: Duration, mut reply: Reply, answer: Answer) -> Option<Vec<u8>> {
        let mut out = [0; MAX_DATAGRAM];
        self.requests += 1;
        let forgotten = self
            .manner
            .forgets
            .is_some_and(|each| self.requests.is_multiple_of(each));
        if forgotten || self.manner.separate.is_some() {
            let length = self.server.acknowledge(&mut reply, &mut out);
            if let Some(work) = self.manner.separate
                && !forgotten
            {
                self.working.push((now + work, reply, answer));
            }
            return Some(out[..length].to_vec());
        }
        let written = self.server.respond(
            millis(now),
            reply,
            answer.code,
            |w| answer.write(w),
            &mut out,
        );
        let (_, length) = written.unwrap();
        Some(out[..length].to_vec())
    }

    /// A 4.01 that asks for an Echo value, where the model wants one.
    fn challenge(&mut self, message: &Message<'_>, datagram: &[u8]) -> Option<Vec<u8>> {
        if self.latest_message_1 == datagram {
            return None;
        }
        let mut model = self.model.lock().unwrap();
        let value = model.challenges.pop_front()?;
        if let Some(echo) = message.option(number::ECHO) {
            model.echoes_seen += 1;
            assert_eq!(Some(echo), self.latest_challenge.as_deref());
        }
        self.latest_message_1 = datagram.to_vec();
        let mut out = [0; 64];
        let header = Header {
            kind: Kind::Acknowledgement,
            ..message.header()
        };
        let mut writer = Writer::message(&mut out, header, Code::UNAUTHORIZED).unwrap();
        writer.option(number::ECHO, &value).unwrap();
        self.latest_challenge = Some(value);
        let length = writer.finish();
        Some(out[..length].to_vec())
    }

    fn answer(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        let message = Message::parse(datagram).unwrap();
        let protected = message.option(number::OSCORE).is_some();
        let first = !protected && message.payload.first() == Some(&0xf5);
        if first && let Some(challenge) = self.challenge(&message, datagram) {
            return Some(challenge);
        }
        let mut scratch = [0; MAX_DATAGRAM];
        let mut out = [0; MAX_DATAGRAM];
        let ms = millis(now);
        let incoming =
            self.server
                .receive(ms, from, datagram, &mut scratch, &mut self.rng, &mut out);
        match incoming {
            Incoming::Ignore => None,
            Incoming::Reply(length) => {
                if first && self.latest_message_1 != datagram {
                    self.latest_message_1 = datagram.to_vec();
                    self.handshakes += 1;
                    if std::mem::take(&mut self.model().restart_in_handshake) {
                        self.forget_contexts();
                    }
                }
                Some(out[..length].to_vec())
            }
            Incoming::Request(request) => {
                let (answer, forget) = {
                    let mut model = self.model.lock().unwrap();
                    let answer = model.handle(&request.inner);
                    (answer, std::mem::take(&mut model.forget_contexts))
                };
                let reply = request.reply;
                if forget {
                    // It restarted before it could answer.
                    self.forget_contexts();
                    return None;
                }
                self.request(now, reply, answer)
            }
        }
    }
}

impl Peer for Mock {
    fn handle(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Vec<Outgoing> {
        if now < self.down_until {
            return Vec::new();
        }
        self.addresses.insert(from);
        let mut datagrams = Vec::new();
        let message = Message::parse(datagram).unwrap();
        let protected = message.option(number::OSCORE).is_some();
        if let Some(code) = self.manner.forger.filter(|_| protected) {
            datagrams.extend(forged(&message, code));
        }
        if self.manner.copier && protected {
            let elsewhere = SocketAddr::from(([192, 0, 2, 66], 5683));
            self.answer(now, elsewhere, datagram);
        }
        let after = if protected || message.code == Code::EMPTY {
            Duration::ZERO
        } else {
            self.manner.handshake
        };
        datagrams.extend(self.answer(now, from, datagram));
        datagrams
            .into_iter()
            .filter(|datagram| !datagram.is_empty())
            .map(|datagram| Outgoing {
                to: from,
                after,
                datagram,
            })
            .collect()
    }

    fn due(&self) -> Option<Duration> {
        let repeated = self.server.due_ms().map(Duration::from_millis);
        let working = self.working.iter().map(|(due, ..)| *due);
        working.chain(repeated).min()
    }

    fn poll(&mut self, now: Duration) -> Vec<Outgoing> {
        let mut out = [0; MAX_DATAGRAM];
        let mut outgoing = Vec::new();
        let mut send = |to, datagram: &[u8]| {
            outgoing.push(Outgoing {
                to,
                after: Duration::ZERO,
                datagram: datagram.to_vec(),
            });
        };
        while let Some(at) = self.working.iter().position(|(due, ..)| *due <= now) {
            let (_, reply, answer) = self.working.remove(at);
            let sent = self.server.respond(
                millis(now),
                reply,
                answer.code,
                |w| answer.write(w),
                &mut out,
            );
            // Its session may be gone.
            if let Ok((to, length)) = sent {
                send(to, &out[..length]);
            }
        }
        while let Some((to, length)) = self.server.poll(millis(now), &mut out) {
            send(to, &out[..length]);
        }
        outgoing
    }
}

fn server(identity: &str, peers: &[Credential]) -> TestServer {
    Server::new(pem::decode_identity(identity).unwrap(), peers).unwrap()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

/// Answers that have the right token and message ID, and nothing else.
fn forged(request: &Message<'_>, code: Code) -> Vec<Vec<u8>> {
    let [high, low] = request.mid.to_be_bytes();
    [
        // Without protection, and with a wrong ciphertext.
        (Kind::Acknowledgement, b"\xffforged".as_slice()),
        (Kind::Confirmable, b"\x90\xffforged ciphertext"),
    ]
    .into_iter()
    .map(|(kind, rest)| {
        let length = u8::try_from(request.token.len()).unwrap();
        let mut datagram = vec![0x40 | kind.bits() << 4 | length, code.0, high, low];
        datagram.extend_from_slice(request.token);
        datagram.extend_from_slice(rest);
        datagram
    })
    .collect()
}
