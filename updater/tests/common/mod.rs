//! A device for tests: real EDHOC, OSCORE and UDP on the loopback interface,
//! with a [`Model`] instead of flash and capsules, over a link that can be bad.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test program uses a part of this module"
)]

pub mod model;

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ed25519_compact::{KeyPair, Seed};
use rand_core::{OsRng, RngCore};
use sealift_manifest::{Grants, InvokeSpec, Kind, ManifestSpec, build_envelope};
use sealift_oscore::coap::{Code, Header, Kind as MessageKind, Message, Writer, number};
use sealift_oscore::{Credential, Identity, Incoming, MAX_DATAGRAM, Server, pem};
use updater::{Address, BlockSize, Client, Config, Package, Params};

pub use model::{Answer, COMPONENT, Confusion, Model};

/// A generator with a seed; not secure, and need not be.
pub struct Seeded(pub u64);

impl RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        u32::try_from(self.next_u64() >> 32).unwrap()
    }
    fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
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

/// What the link and the message layer of the device do.
#[derive(Clone, Copy, Default)]
pub struct Weather {
    /// Datagrams that are lost, in each direction, in percent.
    pub loss: u32,
    /// Datagrams that come twice, in each direction, in percent.
    pub twice: u32,
    /// For the choice of those.
    pub seed: u64,
    /// Answers in messages of their own (RFC 7252, 5.2.2).
    pub separate: bool,
    /// Somebody answers every protected request before the device does.
    pub forger: bool,
}

/// A running device.
pub struct Device {
    pub address: Address,
    pub url: String,
    pub credential: Credential,
    pub handshakes: Arc<AtomicUsize>,
    model: Arc<Mutex<Model>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Device {
    /// A device that lets these peers in.
    pub fn start(model: Model, weather: Weather, peers: &[Credential]) -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let url = format!("coap://{}", socket.local_addr().unwrap());
        let identity = Identity::generate("device", &mut OsRng).unwrap();
        let credential = identity.credential().clone();
        let mut device = Self {
            address: url.parse().unwrap(),
            url,
            credential,
            handshakes: Arc::default(),
            model: Arc::new(Mutex::new(model)),
            stop: Arc::default(),
            thread: None,
        };
        let mut run = Run {
            socket,
            identity: pem::encode_identity(&identity).to_string(),
            peers: peers.to_vec(),
            weather,
            rng: Seeded(weather.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            model: Arc::clone(&device.model),
            handshakes: Arc::clone(&device.handshakes),
            next_mid: 7,
            latest_message_1: Vec::new(),
            latest_challenge: None,
            unacknowledged: Vec::new(),
        };
        let stop = Arc::clone(&device.stop);
        device.thread = Some(std::thread::spawn(move || run.until(&stop)));
        device
    }

    /// The model, to look at or to change.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the device panicked"
            );
        }
    }
}

struct Run {
    socket: UdpSocket,
    identity: String,
    peers: Vec<Credential>,
    weather: Weather,
    rng: Seeded,
    model: Arc<Mutex<Model>>,
    handshakes: Arc<AtomicUsize>,
    next_mid: u16,
    /// To tell a new key exchange from a retransmission.
    latest_message_1: Vec<u8>,
    latest_challenge: Option<Vec<u8>>,
    /// Separate responses, sent again until they are acknowledged.
    unacknowledged: Vec<(u16, Vec<u8>, SocketAddr)>,
}

type TestServer = Server<4, 4>;

impl Run {
    fn server(&self) -> TestServer {
        let identity = pem::decode_identity(&self.identity).unwrap();
        Server::new(identity, &self.peers).unwrap()
    }

    fn until(&mut self, stop: &AtomicBool) {
        let epoch = Instant::now();
        let mut server = self.server();
        let mut buffer = [0; 2048];
        while !stop.load(Ordering::Relaxed) {
            let Ok((len, from)) = self.socket.recv_from(&mut buffer) else {
                for (_, datagram, to) in self.unacknowledged.clone() {
                    self.send(&datagram, to);
                }
                continue;
            };
            if self.chance(self.weather.loss) {
                continue;
            }
            if len == 4 {
                let mid = u16::from_be_bytes([buffer[2], buffer[3]]);
                self.unacknowledged.retain(|(sent, ..)| *sent != mid);
                continue;
            }
            let now = u64::try_from(epoch.elapsed().as_millis()).unwrap();
            let copies = 1 + usize::from(self.chance(self.weather.twice));
            for _ in 0..copies {
                self.datagram(&mut server, now, from, &buffer[..len]);
            }
        }
    }

    fn datagram(&mut self, server: &mut TestServer, now: u64, from: SocketAddr, datagram: &[u8]) {
        let message = Message::parse(datagram).unwrap();
        let protected = message.option(number::OSCORE).is_some();
        if self.weather.forger && protected {
            self.forge(&message, from);
        }
        let first = !protected && message.payload.first() == Some(&0xf5);
        if first && let Some(challenge) = self.challenge(&message, datagram) {
            self.send(&challenge, from);
            return;
        }
        let mut scratch = [0; MAX_DATAGRAM];
        let mut out = [0; MAX_DATAGRAM];
        let incoming = server.receive(now, from, datagram, &mut scratch, &mut OsRng, &mut out);
        let len = match incoming {
            Incoming::Ignore => return,
            Incoming::Reply(len) => {
                if first && self.latest_message_1 != datagram {
                    self.latest_message_1 = datagram.to_vec();
                    self.handshakes.fetch_add(1, Ordering::Relaxed);
                    let mut model = self.model.lock().unwrap();
                    if std::mem::take(&mut model.restart_in_handshake) {
                        *server = self.server();
                    }
                }
                len
            }
            Incoming::Request(request) => {
                let (answer, forget) = {
                    let mut model = self.model.lock().unwrap();
                    let answer = model.handle(&request.inner);
                    (answer, std::mem::take(&mut model.forget_contexts))
                };
                if forget {
                    // It restarted before it could answer.
                    *server = self.server();
                    return;
                }
                server
                    .respond(
                        now,
                        request.reply,
                        answer.code,
                        |writer| answer.write(writer),
                        &mut out,
                    )
                    .unwrap()
                    .1
            }
        };
        self.reply(&mut out[..len], from);
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
            kind: MessageKind::Acknowledgement,
            ..message.header()
        };
        let mut writer = Writer::message(&mut out, header, Code::UNAUTHORIZED).unwrap();
        writer.option(number::ECHO, &value).unwrap();
        self.latest_challenge = Some(value);
        let length = writer.finish();
        Some(out[..length].to_vec())
    }

    fn reply(&mut self, datagram: &mut [u8], to: SocketAddr) {
        if self.weather.separate && datagram[0] & 0x30 == 0x20 {
            let acknowledgement = [0x60, 0, datagram[2], datagram[3]];
            self.send(&acknowledgement, to);
            datagram[0] &= !0x30;
            datagram[2..4].copy_from_slice(&self.next_mid.to_be_bytes());
            self.unacknowledged
                .push((self.next_mid, datagram.to_vec(), to));
            self.next_mid = self.next_mid.wrapping_add(1);
        }
        self.send(datagram, to);
    }

    fn send(&mut self, datagram: &[u8], to: SocketAddr) {
        if self.chance(self.weather.loss) {
            return;
        }
        for _ in 0..1 + usize::from(self.chance(self.weather.twice)) {
            // Where the client has gone, this fails, as on any network.
            let _ = self.socket.send_to(datagram, to);
        }
    }

    /// Answers that have the right token and message ID, and nothing else.
    fn forge(&self, request: &Message<'_>, to: SocketAddr) {
        let [high, low] = request.mid.to_be_bytes();
        for (kind, rest) in [
            // 2.05 without protection, and with a wrong ciphertext.
            (MessageKind::Acknowledgement, b"\xffforged".as_slice()),
            (MessageKind::Confirmable, b"\x90\xffforged ciphertext"),
        ] {
            let length = u8::try_from(request.token.len()).unwrap();
            let mut datagram = vec![0x40 | kind.bits() << 4 | length, 0x45, high, low];
            datagram.extend_from_slice(request.token);
            datagram.extend_from_slice(rest);
            let _ = self.socket.send_to(&datagram, to);
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        percent > 0 && self.rng.next_u32() % 100 < percent
    }
}

/// Who pushes, with a device that knows them.
pub struct Bench {
    pub device: Device,
    pub operator: Arc<Identity>,
    params: Params,
}

impl Bench {
    pub fn new(model: Model, weather: Weather) -> Self {
        let operator = Arc::new(Identity::generate("operator", &mut OsRng).unwrap());
        let device = Device::start(model, weather, &[operator.credential().clone()]);
        let params = if weather.loss > 0 {
            // Quick, as much has to be sent again.
            Params {
                ack_timeout: Duration::from_millis(40),
                max_retransmit: 6,
            }
        } else {
            config(1024).params
        };
        Self {
            device,
            operator,
            params,
        }
    }

    pub fn client(&self, block_size: usize) -> Client {
        self.try_client(block_size).unwrap()
    }

    pub fn try_client(&self, block_size: usize) -> Result<Client, updater::Error> {
        Client::connect(
            &self.device.address,
            Arc::clone(&self.operator),
            self.device.credential.clone(),
            Config {
                params: self.params,
                ..config(block_size)
            },
        )
    }
}

/// Patient enough for a busy machine on a good link.
pub fn config(block_size: usize) -> Config {
    Config {
        params: Params {
            ack_timeout: Duration::from_millis(250),
            max_retransmit: 4,
        },
        block_size: BlockSize::from_bytes(block_size).unwrap(),
        resume_tries: 3,
    }
}

/// Bytes that look like nothing.
pub fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Seeded(seed | 1).fill_bytes(&mut bytes);
    bytes
}

/// The bytes of an envelope for [`COMPONENT`].
pub fn envelope(sequence: u64, payload: &[u8], detached: bool) -> Vec<u8> {
    let mut spec = ManifestSpec {
        sequence_number: sequence,
        component: COMPONENT.into(),
        vendor_id: [1; 16],
        class_id: [2; 16],
        payload_digest: [0; 32],
        payload_size: 0,
        invoke: InvokeSpec {
            profile: "test".into(),
            fuel: 1000,
            memory: 65536,
            stack: 4096,
            grants: Grants::LOG,
            kind: Kind::Persistent,
            floor: 0,
            source_digest: [3; 32],
        },
    };
    spec.set_payload(payload).unwrap();
    let key = KeyPair::from_seed(Seed::new([7; 32]));
    build_envelope(&spec, &[&key], (!detached).then_some(payload), None).unwrap()
}

pub fn package(sequence: u64, payload: &[u8], detached: bool) -> Package {
    let envelope = envelope(sequence, payload, detached);
    Package::new::<updater::Error>(envelope, || Ok(Some(payload.to_vec()))).unwrap()
}
