//! A device for tests: real EDHOC and OSCORE, with a [`Model`] instead of flash
//! and capsules; over UDP on the loopback interface, or over a simulated link.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test program uses a part of this module"
)]

pub mod mock;
pub mod model;
pub mod simulated;

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ed25519_compact::{KeyPair, Seed};
use rand_core::{OsRng, RngCore};
use sealift_manifest::{Grants, InvokeSpec, Kind, ManifestSpec, build_envelope};
use sealift_oscore::{Credential, Identity};
use testbed::Peer;
use updater::{Address, BlockSize, Client, Config, Package, Params};

pub use mock::{Manner, Mock, Seeded};
pub use model::{Answer, COMPONENT, Confusion, Model};
pub use simulated::{Far, World};

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
    pub fn start(model: Model, manner: Manner, peers: &[Credential]) -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let url = format!("coap://{}", socket.local_addr().unwrap());
        let model = Arc::new(Mutex::new(model));
        let mock = Mock::new(Arc::clone(&model), manner, peers, OsRng.next_u64());
        let mut device = Self {
            address: url.parse().unwrap(),
            url,
            credential: mock.credential.clone(),
            handshakes: Arc::default(),
            model,
            stop: Arc::default(),
            thread: None,
        };
        let stop = Arc::clone(&device.stop);
        let handshakes = Arc::clone(&device.handshakes);
        device.thread = Some(std::thread::spawn(move || {
            serve(&socket, mock, &handshakes, &stop);
        }));
        device
    }

    /// The model, to look at or to change.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap()
    }
}

fn serve(socket: &UdpSocket, mut mock: Mock, handshakes: &AtomicUsize, stop: &AtomicBool) {
    let epoch = Instant::now();
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        let mut outgoing = Vec::new();
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            outgoing = mock.handle(epoch.elapsed(), from, &buffer[..length]);
        }
        handshakes.store(mock.handshakes, Ordering::Relaxed);
        outgoing.extend(mock.poll(epoch.elapsed()));
        for sent in outgoing {
            // Where the client has gone, this fails, as on any network.
            let _ = socket.send_to(&sent.datagram, sent.to);
        }
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

/// Who pushes, with a device that knows them.
pub struct Bench {
    pub device: Device,
    pub operator: Arc<Identity>,
}

impl Bench {
    pub fn new(model: Model, manner: Manner) -> Self {
        let operator = Arc::new(Identity::generate("operator", &mut OsRng).unwrap());
        let device = Device::start(model, manner, &[operator.credential().clone()]);
        Self { device, operator }
    }

    pub fn client(&self, block_size: usize) -> Client {
        self.try_client(block_size).unwrap()
    }

    pub fn try_client(&self, block_size: usize) -> Result<Client, updater::Error> {
        Client::connect(
            &self.device.address,
            Arc::clone(&self.operator),
            self.device.credential.clone(),
            config(block_size),
        )
    }
}

/// Patient enough for a busy machine on a good link.
pub fn config(block_size: usize) -> Config {
    Config {
        params: Params {
            ack_timeout: Duration::from_millis(250),
            max_retransmit: 4,
            adaptive: true,
        },
        block_size: BlockSize::from_bytes(block_size).unwrap(),
        resume_tries: 3,
    }
}

/// Bytes that look like nothing.
pub fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Seeded::new(seed).fill_bytes(&mut bytes);
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
            signatures: 1,
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
