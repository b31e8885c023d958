//! Key exchanges with the device.

use sealift_oscore::client::{EDHOC_PATH, edhoc_post};
use sealift_oscore::coap::{Code, Header, Kind, Message, Writer, number};
use sealift_oscore::{ClientContext, ClientHandshake, Identity, MAX_DATAGRAM};
use std::net::SocketAddr;

use super::Rig;
use crate::rng::Rng;

impl Rig {
    /// Posts a payload; code and payload of the answer.
    pub(crate) fn post(&mut self, from: SocketAddr, payload: &[u8]) -> Option<(Code, Vec<u8>)> {
        let mid = self.next_mid();
        let header = Header {
            kind: Kind::Confirmable,
            mid,
            token: b"e",
        };
        let mut request = [0; MAX_DATAGRAM];
        let length = edhoc_post(header, payload, &mut request).ok()?;
        let reply = self.deliver(from, &request[..length]);
        let message = Message::parse(&reply).ok()?;
        Some((message.code, message.payload.to_vec()))
    }

    /// The same for a message_1: brings an Echo value back if it is asked to.
    pub(crate) fn post_first(
        &mut self,
        from: SocketAddr,
        payload: &[u8],
    ) -> Option<(Code, Vec<u8>)> {
        let answer = self.post(from, payload);
        if !matches!(answer, Some((Code::UNAUTHORIZED, _))) {
            return answer;
        }
        let (_, asked) = self.sent.last()?.clone();
        let asked = Message::parse(&asked).ok()?;
        let mid = self.next_mid();
        let header = Header {
            kind: Kind::Confirmable,
            mid,
            token: b"e",
        };
        let mut request = [0; MAX_DATAGRAM];
        let mut writer = Writer::message(&mut request, header, Code::POST).ok()?;
        writer.uri_path(EDHOC_PATH).ok()?;
        writer
            .option(number::ECHO, asked.option(number::ECHO)?)
            .ok()?;
        writer.payload(payload).ok()?;
        let length = writer.finish();
        let reply = self.deliver(from, &request[..length]);
        let message = Message::parse(&reply).ok()?;
        Some((message.code, message.payload.to_vec()))
    }

    /// A whole key exchange, as this person; `None` if the device refuses it.
    pub(crate) fn exchange(
        &mut self,
        person: &Identity,
        from: SocketAddr,
        seed: u64,
    ) -> Option<ClientContext> {
        let mut rng = Rng::new(seed);
        let world = self.world.clone();
        let device = world.people.device.credential();
        let (handshake, message_1) = ClientHandshake::start(person, device, &mut rng).unwrap();
        let (code, message_2) = self.post_first(from, &message_1)?;
        assert_eq!(code, Code::CHANGED, "message_1 refused");
        let (message_3, context) = handshake.receive_message_2(&message_2, &mut rng).ok()?;
        let (code, _) = self.post(from, &message_3)?;
        (code == Code::CHANGED).then_some(context)
    }
}
