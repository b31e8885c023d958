//! No nonce is used twice with a key, wherever and however often the power is cut.
//!
//! Security contexts are in RAM only. After a restart there is none, and each peer
//! makes a new one by a key exchange, to which both sides give fresh randomness: so
//! sequence numbers start at 0 again under keys that were never used before, and no
//! replay window has to be kept.
//!
//! What a nonce is used for shows: AES-CCM encrypts with a key stream that key and
//! nonce determine. Here everything that is sent is known, so the key stream of
//! every message is too, and none may ever come twice.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

use std::collections::HashSet;
use std::net::SocketAddr;

use crate::device_common::capsules::Capsule;
use crate::device_common::{Rig, Session, answering, envelope};
use rand_core::OsRng;
use sealift_oscore::client::edhoc_post;
use sealift_oscore::coap::{BlockOption, Code, Header, Kind, Message, Writer, number};
use sealift_oscore::protect::Sent;
use sealift_oscore::{ClientHandshake, Identity, MAX_DATAGRAM};
use sealift_storage::sim::Torn;
use sealift_wire::{ComponentStatus, Phase};

const VM1: &str = "/vm-control/vm1";
/// Bytes of a key stream that are compared.
const STREAM: usize = 8;
/// Length of the tag behind a ciphertext.
const TAG: usize = 8;

/// Restarts: 1000, or what the variable `SEALIFT_RESTARTS` says.
fn restarts() -> u64 {
    std::env::var("SEALIFT_RESTARTS").map_or(1000, |number| number.parse().expect("a number"))
}

/// Seeded numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

/// Key streams that were used.
#[derive(Default)]
struct Streams(HashSet<[u8; STREAM]>);

impl Streams {
    /// Takes note of the one that made `ciphertext` out of `plaintext`.
    fn used(&mut self, plaintext: &[u8], ciphertext: &[u8]) {
        assert_eq!(plaintext.len() + TAG, ciphertext.len());
        if plaintext.len() < STREAM {
            return;
        }
        let stream = std::array::from_fn(|n| plaintext[n] ^ ciphertext[n]);
        assert!(self.0.insert(stream), "a nonce was used twice with a key");
    }
}

/// What a peer has of one life of the device, from a start to a cut: its session, and
/// everything that it has sent.
struct Life {
    session: Session,
    exchange: [Vec<u8>; 2],
    message_2: Vec<u8>,
    requests: Vec<(Vec<u8>, Sent)>,
}

impl Life {
    /// Shakes hands.
    fn begin(rig: &mut Rig, from: SocketAddr) -> Self {
        let op = Identity::new(rig.op.private_key(), rig.op.credential().clone()).unwrap();
        let (handshake, message_1) =
            ClientHandshake::start(&op, rig.credential(), &mut OsRng).unwrap();
        let first = post(1, &message_1);
        let response = rig.send(from, &first);
        let message_2 = Message::parse(&response).unwrap();
        assert_eq!(message_2.code, Code::CHANGED);
        let (message_3, context) = handshake
            .receive_message_2(message_2.payload, &mut OsRng)
            .unwrap();
        let third = post(2, &message_3);
        let done = rig.send(from, &third);
        assert_eq!(Message::parse(&done).unwrap().code, Code::CHANGED);
        Self {
            session: Session {
                context,
                from,
                mid: 100,
            },
            exchange: [first, third],
            message_2: message_2.payload.to_vec(),
            requests: Vec::new(),
        }
    }

    /// One request. `None` where its answer got lost: the power was cut while it was
    /// dealt with.
    fn ask(
        &mut self,
        rig: &mut Rig,
        streams: &mut Streams,
        code: Code,
        path: &str,
        body: Option<(u32, &[u8])>,
    ) -> Option<(Code, Vec<u8>)> {
        let block = body.map(|(num, body)| {
            let start = num as usize * 1024;
            let end = body.len().min(start + 1024);
            let more = end < body.len();
            (BlockOption { num, more, szx: 6 }, &body[start..end])
        });
        let build = |writer: &mut Writer<'_>| {
            writer.uri_path(path)?;
            if let Some((option, part)) = block {
                writer.block(number::BLOCK1, option)?;
                writer.payload(part)?;
            }
            Ok(())
        };
        let mut plain = [0; MAX_DATAGRAM];
        let mut inner = Writer::inner(&mut plain, code).unwrap();
        build(&mut inner).unwrap();
        let length = inner.finish();
        let (datagram, sent) = self.session.protect(code, build);
        let ciphertext = Message::parse(&datagram).unwrap().payload;
        streams.used(&plain[..length], ciphertext);

        let response = rig.send(self.session.from, &datagram);
        // Whatever it is that comes back: also of a device that is losing power.
        let answer = self.read(streams, &sent, &response);
        // The same bytes, for a request that is the same.
        if rig.send(self.session.from, &datagram) != response {
            panic!("another answer to a retransmission");
        }
        self.requests.push((datagram, sent));
        (!rig.flash.0.borrow().is_off()).then_some(answer)
    }

    fn read(&self, streams: &mut Streams, sent: &Sent, response: &[u8]) -> (Code, Vec<u8>) {
        let message = Message::parse(response).unwrap();
        let mut scratch = [0; MAX_DATAGRAM];
        let context = &self.session.context;
        let inner = context.unprotect(sent, &message, &mut scratch).unwrap();
        let mut plain = [0; MAX_DATAGRAM];
        let mut writer = Writer::inner(&mut plain, inner.code).unwrap();
        for option in inner.options.clone() {
            writer.option(option.number, option.value).unwrap();
        }
        writer.payload(inner.payload).unwrap();
        let length = writer.finish();
        streams.used(&plain[..length], message.payload);
        (inner.code, inner.payload.to_vec())
    }

    /// Sends everything once more, to a device that has restarted. Nothing of it is
    /// taken, and nothing comes back that this life's keys open.
    fn is_over(&self, rig: &mut Rig) {
        let steps = rig.flash.0.borrow().steps();
        let [first, third] = &self.exchange;
        let response = rig.send(self.session.from, first);
        let message_2 = Message::parse(&response).unwrap();
        // To the device this is a new key exchange, with a new key of its own.
        assert_eq!(message_2.code, Code::CHANGED);
        assert_ne!(message_2.payload, self.message_2);
        let response = rig.send(self.session.from, third);
        let refused = Message::parse(&response).unwrap().code;
        assert_eq!(refused, Code::BAD_REQUEST);
        self.is_refused(rig);
        assert_eq!(rig.flash.0.borrow().steps(), steps);
    }

    fn is_refused(&self, rig: &mut Rig) {
        for (request, _) in &self.requests {
            let response = rig.send(self.session.from, request);
            let code = Message::parse(&response).unwrap().code;
            // The key identifier has one byte: another session may have it by now.
            assert!(
                [Code::UNAUTHORIZED, Code::BAD_REQUEST].contains(&code),
                "{code}"
            );
            for (_, sent) in &self.requests {
                assert!(self.session.unprotect(sent, &response).is_none());
            }
        }
    }
}

fn post(mid: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        kind: Kind::Confirmable,
        mid,
        token: b"e",
    };
    let mut datagram = [0; MAX_DATAGRAM];
    let length = edhoc_post(header, payload, &mut datagram).unwrap();
    datagram[..length].to_vec()
}

/// The requests of a life: an update, as far as it gets.
fn update(
    rig: &mut Rig,
    streams: &mut Streams,
    life: &mut Life,
    capsules: &[Capsule],
) -> Option<()> {
    let (code, _) = life.ask(rig, streams, Code::GET, "/.well-known/core", None)?;
    assert_eq!(code, Code::CONTENT);
    let (_, status) = life.ask(rig, streams, Code::GET, VM1, None)?;
    let status = ComponentStatus::from_cbor(&status).unwrap();
    if status.phase == Phase::Trial {
        let action = ["rollback", "confirm"][status.highest as usize % 2];
        life.ask(rig, streams, Code::POST, &format!("{VM1}/{action}"), None)?;
    }
    let next = status.highest + 1;
    let body = envelope(&capsules[next as usize % 2], next, |_| {});
    for num in 0..(body.len() as u32).div_ceil(1024) {
        life.ask(rig, streams, Code::PUT, VM1, Some((num, &body)))?;
    }
    life.ask(rig, streams, Code::GET, VM1, None)?;
    Some(())
}

#[test]
fn no_key_meets_a_nonce_twice_over_any_number_of_power_cuts() {
    let seed = 0x5ea1_0003;
    let mut random = Random(seed);
    println!("seed {seed:#x}");
    let mut rig = Rig::new();
    let capsules = [answering("a"), answering("b")];
    let mut streams = Streams::default();
    let mut before: Option<Life> = None;
    let mut cuts = 0;
    for life in 0..restarts() {
        rig.flash.0.borrow_mut().cancel_cut();
        rig.reboot();
        if let Some(before) = &before {
            before.is_over(&mut rig);
        }
        let from = SocketAddr::from(([127, 0, 0, 1], 1000 + (life % 7) as u16));
        let mut now = Life::begin(&mut rig, from);
        if let Some(before) = &before {
            before.is_refused(&mut rig);
        }
        let torn = Torn::ALL[random.below(5) as usize];
        let step = random.below(9000);
        rig.flash
            .0
            .borrow_mut()
            .cut_at(step, torn, random.below(u64::MAX));
        update(&mut rig, &mut streams, &mut now, &capsules);
        cuts += u64::from(rig.flash.0.borrow().is_off());
        before = Some(now);
    }
    assert!(cuts > restarts() / 2, "{cuts} cuts");
    println!("{cuts} cuts, {} nonces", streams.0.len());
    let highest = rig.status().highest;
    assert!(highest > restarts() / 100, "{highest} updates");
}
