//! What has been sent before, to this server or to one that has restarted.

mod common;

use common::{Device, Outcome, Rng, address, header, identity, payload, post, post_again};
use sealift_oscore::coap::{Code, Message, Writer};
use sealift_oscore::{ClientHandshake, Error, MAX_DATAGRAM};

/// A whole conversation: two messages of a key exchange, and requests.
fn conversation(device: &mut Device, seed: u64) -> Vec<Vec<u8>> {
    let a = identity(1, "alice");
    let mut rng = Rng::new(seed);
    let (handshake, first) = ClientHandshake::start(&a, &device.credential, &mut rng).unwrap();
    let mut message_1 = post(1, &first);
    let mut message_2 = device.take(address(1), &message_1);
    if message_2.code() == Code::UNAUTHORIZED {
        message_1 = post_again(20, &first, message_2.reply());
        message_2 = device.take(address(1), &message_1);
    }
    let (third, mut context) = handshake
        .receive_message_2(&payload(message_2.reply()), &mut rng)
        .unwrap();
    let third = post(2, &third);
    assert_eq!(device.take(address(1), &third).code(), Code::CHANGED);
    let mut sent = vec![message_1, third];
    for mid in 3..13 {
        let mut out = [0; MAX_DATAGRAM];
        let build = |w: &mut Writer<'_>| w.payload(b"do it");
        let (length, _) = context
            .protect(header(mid), Code::POST, build, &mut out)
            .unwrap();
        let request = out[..length].to_vec();
        assert!(device.take(address(1), &request).is_request());
        sent.push(request);
    }
    sent
}

fn device() -> Device {
    Device::new(&[identity(1, "alice").credential().clone()])
}

#[test]
fn a_whole_conversation_again_is_not_done_again() {
    let mut device = device();
    let sent = conversation(&mut device, 3);
    let sessions = device.session_ids();
    assert_eq!(device.executed, 10);
    // At once, and after others have talked: from there, and from elsewhere.
    for from in [address(1), address(66)] {
        for datagram in &sent {
            assert!(!device.take(from, datagram).is_request());
        }
        assert_eq!(device.executed, 10);
        assert_eq!(device.session_ids(), sessions);
    }
    for seed in 4..8 {
        conversation(&mut device, seed);
    }
    let executed = device.executed;
    for datagram in &sent {
        assert!(!device.take(address(1), datagram).is_request());
    }
    assert_eq!(device.executed, executed);
}

#[test]
fn a_restarted_server_takes_nothing_of_what_was_sent_before() {
    let mut before = device();
    let sent = conversation(&mut before, 3);
    for seed in 0..200 {
        let mut device = device();
        device.rng = Rng::new(100 + seed);
        let outcomes: Vec<Outcome> = sent.iter().map(|d| device.take(address(1), d)).collect();
        let codes: Vec<Code> = outcomes.iter().map(Outcome::code).collect();
        assert_eq!(
            codes[..2],
            [Code::CHANGED, Code::BAD_REQUEST],
            "seed {seed}"
        );
        assert!(codes[2..].iter().all(|code| *code == Code::UNAUTHORIZED));
        assert_eq!((device.executed, device.session_ids().len()), (0, 0));
    }
}

/// Why a device has to have a source of randomness that is not the same after each
/// restart: with the ephemeral key of before, a recorded conversation makes the
/// context of before, with its nonces.
#[test]
fn randomness_that_repeats_repeats_contexts() {
    let mut before = device();
    let sent = conversation(&mut before, 3);
    // The same seed again.
    let mut device = device();
    for datagram in &sent {
        device.take(address(66), datagram);
    }
    assert_eq!(device.executed, 10);
}

#[test]
fn a_ciphertext_belongs_to_its_own_number_and_identifier() {
    let mut device = device();
    let a = identity(1, "alice");
    let mut client = common::Client::connect(&a, &mut device, address(1), 3);
    let (genuine, _) = client.request(b"mine");
    let message = Message::parse(&genuine).unwrap();
    let own = message.option(9).unwrap().to_vec();
    assert_eq!(own.len(), 3);
    let mut out = [0; MAX_DATAGRAM];
    let mut tried = 0;
    for first in 0..=u8::MAX {
        for second in 0..=u16::MAX {
            let [second, third] = second.to_be_bytes();
            // All options of up to two bytes, and the ones of the same form.
            let option: &[u8] = match (first, second, third) {
                (0x09, ..) => &[first, second, third],
                (_, 0, third) => &[first, third],
                _ => continue,
            };
            if option == own {
                continue;
            }
            let mut writer = Writer::message(&mut out, header(7), Code::POST).unwrap();
            writer.option(9, option).unwrap();
            writer.payload(message.payload).unwrap();
            let outcome = device.take(client.from, writer.as_bytes());
            assert!(!outcome.is_request(), "{option:x?}");
            tried += 1;
        }
    }
    assert!(tried > 128_000);
    assert!(device.take(client.from, &genuine).is_request());
    assert_eq!(device.server.last_error(), None::<Error>);
}
