//! Key exchanges: whole ones, damaged ones, and messages with any content that
//! are encrypted as they should be; at the device, and at the client.

use sealift_oscore::client::EdhocPayload;
use sealift_oscore::coap::{Code, Header, Kind, Message, Writer, number};
use sealift_oscore::{ClientContext, ClientHandshake, Identity, MAX_DATAGRAM};
use std::net::SocketAddr;

use super::crafted::{self, Initiator};
use super::time;
use crate::rig::{Present, Rig, address};
use crate::rng::Rng;
use crate::script::{Script, Step, patch};
use crate::trace::Trace;

/// What each number of a step stands for.
pub(crate) const RAW: u8 = 0;
pub(crate) const FIRST: u8 = 1;
pub(crate) const THIRD: u8 = 2;
pub(crate) const COMBINED: u8 = 3;
pub(crate) const CRAFTED_FIRST: u8 = 4;
pub(crate) const CRAFTED_THIRD: u8 = 5;
pub(crate) const SECOND: u8 = 6;
pub(crate) const CRAFTED_SECOND: u8 = 7;
pub(crate) const WAIT: u8 = 8;

/// Somebody who has sent message_1.
struct Client {
    handshake: ClientHandshake,
    message_1: EdhocPayload,
    message_2: Option<Vec<u8>>,
    known: bool,
}

struct Exchanges {
    rig: Rig,
    clients: [Option<Client>; 3],
    steps: u64,
}

pub(super) fn run(script: &Script) -> Trace {
    let mut exchanges = Exchanges {
        rig: Rig::new(script.flags & !1, Present::Two),
        clients: [const { None }; 3],
        steps: 0,
    };
    for step in &script.steps {
        exchanges.steps += 1;
        exchanges.act(step);
        exchanges.rig.poll();
    }
    exchanges.rig.check();
    exchanges.rig.trace
}

impl Exchanges {
    fn act(&mut self, step: &Step) {
        let which = usize::from(step.arg) % 3;
        let from = address(2 + which % 2);
        match step.op % 9 {
            RAW => drop(self.rig.post(from, &step.data)),
            FIRST => self.first(which, from, &step.data),
            THIRD => self.third(which, from, &step.data),
            COMBINED => self.combined(which, from, &step.data),
            CRAFTED_FIRST => self.crafted_first(from, step.arg, &step.data),
            CRAFTED_THIRD => self.crafted_third(from, &step.data),
            SECOND => self.second(which, &step.data),
            CRAFTED_SECOND => self.crafted_second(which, &step.data),
            _ => self.rig.wait(time(step.arg)),
        }
    }

    /// The peer of this number: two that the device knows, and one that it
    /// does not.
    fn person(&self, which: usize) -> Identity {
        let people = &self.rig.world.people;
        let person = [&people.known[2], &people.known[3], &people.stranger][which];
        person.clone()
    }

    fn start(&self, which: usize) -> Client {
        let mut rng = Rng::new(100 + self.steps);
        let device = self.rig.world.people.device.credential();
        let (handshake, message_1) =
            ClientHandshake::start(&self.person(which), device, &mut rng).unwrap();
        Client {
            handshake,
            message_1,
            message_2: None,
            known: which < 2,
        }
    }

    fn first(&mut self, which: usize, from: SocketAddr, patches: &[u8]) {
        let mut client = self.start(which);
        let mut payload = client.message_1.to_vec();
        patch(&mut payload, patches);
        let genuine = payload == *client.message_1;
        match self.rig.post_first(from, &payload) {
            Some((Code::CHANGED, message_2)) if genuine => client.message_2 = Some(message_2),
            other => assert!(!genuine, "message_1 refused: {other:?}"),
        }
        self.clients[which] = Some(client);
    }

    /// What the client makes of message_2.
    fn finish(&mut self, which: usize) -> Option<(EdhocPayload, ClientContext, bool)> {
        let client = self.clients[which].take()?;
        let mut rng = Rng::new(200);
        let (payload, context) = client
            .handshake
            .receive_message_2(&client.message_2?, &mut rng)
            .unwrap();
        Some((payload, context, client.known))
    }

    fn third(&mut self, which: usize, from: SocketAddr, patches: &[u8]) {
        let Some((genuine, mut context, known)) = self.finish(which) else {
            return;
        };
        let mut payload = genuine.to_vec();
        patch(&mut payload, patches);
        let answer = self.rig.post(from, &payload);
        let done = answer
            .as_ref()
            .is_some_and(|(code, _)| *code == Code::CHANGED);
        if !same(&payload, &genuine) {
            assert!(!done, "took a message_3 that was not sent");
            // What was sent still counts, unless the exchange had to make
            // room or is too old.
            return;
        }
        assert!(!done || known, "took a stranger's message_3");
        if done {
            self.rig.trace.established += 1;
            let (request, sent) = self.status(&mut context);
            let reply = self.rig.deliver_unwritten(from, &request);
            let message = Message::parse(&reply).unwrap();
            let mut scratch = [0; MAX_DATAGRAM];
            let inner = context.unprotect(&sent, &message, &mut scratch).unwrap();
            assert_eq!(inner.code, Code::CONTENT);
        }
    }

    /// message_3 and a request in one, perhaps damaged.
    fn combined(&mut self, which: usize, from: SocketAddr, patches: &[u8]) {
        let Some((third, mut context, known)) = self.finish(which) else {
            return;
        };
        let (request, sent) = self.status(&mut context);
        let request = Message::parse(&request).unwrap();
        // Without C_R, which is in the OSCORE option.
        let message_3 = &third[1..];
        let mut buffer = [0; MAX_DATAGRAM];
        let mut writer = Writer::message(&mut buffer, request.header(), request.code).unwrap();
        let option = request.option(number::OSCORE).unwrap();
        writer.option(number::OSCORE, option).unwrap();
        writer.option(number::EDHOC, &[]).unwrap();
        writer
            .payload(&[message_3, request.payload].concat())
            .unwrap();
        let length = writer.finish();
        let mut datagram = buffer[..length].to_vec();
        patch(&mut datagram, patches);
        let reply = self.rig.deliver_unwritten(from, &datagram);
        let mut scratch = [0; MAX_DATAGRAM];
        let opened = Message::parse(&reply)
            .ok()
            .and_then(|message| context.unprotect(&sent, &message, &mut scratch).ok());
        if let Some(inner) = opened {
            // The outer message is not authentic: what it says may differ.
            assert!(known, "took a stranger's message_3");
            assert_eq!(inner.code, Code::CONTENT);
            self.rig.trace.established += 1;
        }
    }

    fn status(&mut self, context: &mut ClientContext) -> (Vec<u8>, sealift_oscore::protect::Sent) {
        let mid = self.rig.next_mid();
        let header = Header {
            kind: Kind::Confirmable,
            mid,
            token: b"s",
        };
        let mut buffer = [0; MAX_DATAGRAM];
        let (length, sent) = context
            .protect(header, Code::GET, |w| w.uri_path("vm-control"), &mut buffer)
            .unwrap();
        (buffer[..length].to_vec(), sent)
    }

    /// A message_1 of any parts: the key is a point or is not, the rest is the
    /// fuzzer's.
    fn crafted_first(&mut self, from: SocketAddr, arg: u8, rest: &[u8]) {
        let point = *self.rig.world.people.stranger.credential().x();
        let key = match arg >> 6 {
            0 => point,
            1 => [0; 32],
            2 => [0xff; 32],
            _ => point.map(|byte| byte ^ 1),
        };
        let head: &[u8] = match arg % 4 {
            0 => &[0xf5, 3, 2],
            1 => &[0xf5, 3, 0x82, 24, 2],
            2 => &[0xf5, 3, 0x80],
            _ => &[0xf5, 0, 2],
        };
        self.rig
            .post_first(from, &[head, &[0x58, 0x20], &key, rest].concat());
    }

    fn crafted_third(&mut self, from: SocketAddr, plaintext: &[u8]) {
        let initiator = Initiator::start(300 + self.steps);
        let payload = [&[0xf5], &initiator.message_1[..]].concat();
        let Some((Code::CHANGED, message_2)) = self.rig.post_first(from, &payload) else {
            return;
        };
        let world = self.rig.world.clone();
        let device = world.people.device.credential();
        let plaintext = &plaintext[..plaintext.len().min(crafted::MAX_PLAINTEXT_3)];
        let third = initiator.message_3(&message_2, device, &world.people.stranger, plaintext);
        if let Some(third) = third {
            let answer = self.rig.post(from, &third);
            let done = answer.is_some_and(|(code, _)| code == Code::CHANGED);
            assert!(!done, "took a message_3 without a proof");
        }
    }

    /// A client gets a damaged message_2.
    fn second(&mut self, which: usize, patches: &[u8]) {
        let Some(client) = self.clients[which].take() else {
            return;
        };
        let genuine = client.message_2.unwrap_or_default();
        let mut message_2 = genuine.clone();
        patch(&mut message_2, patches);
        let taken = client
            .handshake
            .receive_message_2(&message_2, &mut Rng::new(200));
        assert!(taken.is_err() || message_2 == genuine, "took a message_2");
    }

    /// A client gets a message_2 of somebody who is not the device.
    fn crafted_second(&mut self, which: usize, plaintext: &[u8]) {
        let client = self.start(which);
        let plaintext = &plaintext[..plaintext.len().min(160)];
        let message_1 = &client.message_1[1..];
        let message_2 = crafted::message_2(message_1, plaintext).unwrap();
        let taken = client
            .handshake
            .receive_message_2(&message_2, &mut Rng::new(200));
        assert!(taken.is_err(), "took somebody else for the device");
    }
}

/// Whether two payloads are the same C_R and message_3. C_R may also be sent as
/// a byte string.
fn same(payload: &[u8], genuine: &[u8]) -> bool {
    payload == genuine || payload.strip_prefix(&[0x41]) == Some(genuine)
}
