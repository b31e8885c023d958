//! What a peer without a key, or with a foreign one, cannot do.

mod common;

use common::{Client, Device, Outcome, Rng, address, header, identity, payload, post, post_again};
use proptest::prelude::*;
use sealift_oscore::coap::{Code, Message, Writer};
use sealift_oscore::{ClientHandshake, Credential, Error};

/// A device with one session, and the client of it.
fn established() -> (Device, Client) {
    let a = identity(1, "alice");
    let mut device = Device::new(&[a.credential().clone()]);
    let client = Client::connect(&a, &mut device, address(1), 3);
    (device, client)
}

#[test]
fn every_flipped_bit_is_refused_and_the_request_still_works() {
    let (mut device, mut client) = established();
    let sessions = device.session_ids();
    let (request, sent) = client.request(b"flip me");
    // Header, token and outer options are not protected; what counts starts with
    // the OSCORE option: its first byte is 0x9N after header and token.
    let start = 6;
    for bit in start * 8..request.len() * 8 {
        let mut flipped = request.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let outcome = device.take(client.from, &flipped);
        assert!(!outcome.is_request(), "bit {bit} was accepted");
    }
    assert_eq!(device.executed, 0);
    assert_eq!(device.session_ids(), sessions);
    let outcome = device.take(client.from, &request);
    assert_eq!(client.read(&sent, outcome.reply()), b"\x01flip me");
    client.works(&mut device);
}

#[test]
fn every_truncation_is_refused_and_the_request_still_works() {
    let (mut device, mut client) = established();
    let (request, _) = client.request(b"cut me");
    for length in 0..request.len() {
        assert!(!device.take(client.from, &request[..length]).is_request());
    }
    assert!(device.take(client.from, &request).is_request());
    client.works(&mut device);
}

#[test]
fn replay_is_refused() {
    let (mut device, mut client) = established();
    let (request, _) = client.request(b"one");
    assert!(device.take(client.from, &request).is_request());
    // From elsewhere, it is not a retransmission.
    let replayed = device.take(address(66), &request);
    assert_eq!(replayed.code(), Code::UNAUTHORIZED);
    assert_eq!(device.server.last_error(), Some(Error::Replay));
    // With another message ID neither, even from the same address.
    let mut renumbered = request.clone();
    renumbered[3] ^= 1;
    assert_eq!(
        device.take(client.from, &renumbered).code(),
        Code::UNAUTHORIZED
    );
    assert_eq!(device.executed, 1);
    // And still not when its response is no longer kept.
    for _ in 0..10 {
        client.works(&mut device);
    }
    assert_eq!(
        device.take(client.from, &request).code(),
        Code::UNAUTHORIZED
    );
    client.works(&mut device);
}

#[test]
fn reordered_requests_are_taken_once_each() {
    let (mut device, mut client) = established();
    let requests: Vec<_> = (0..20).map(|_| client.request(b"x").0).collect();
    for request in requests.iter().rev() {
        assert!(device.take(client.from, request).is_request());
    }
    for request in requests.iter().take(10) {
        assert!(!device.take(address(2), request).is_request());
    }
}

#[test]
fn forged_high_sequence_number_does_not_move_the_window() {
    let (mut device, mut client) = established();
    let (request, _) = client.request(b"x");
    let message = Message::parse(&request).unwrap();
    let kid = *message.option(9).unwrap().last().unwrap();
    let mut out = [0; 200];
    let mut writer = Writer::message(&mut out, header(99), Code::POST).unwrap();
    writer
        .option(9, &[0x0d, 0xff, 0xff, 0xff, 0xff, 0xff, kid])
        .unwrap();
    writer.payload(message.payload).unwrap();
    let refused = device.take(client.from, writer.as_bytes());
    assert_eq!(refused.code(), Code::BAD_REQUEST);
    assert_eq!(device.server.last_error(), Some(Error::Authentication));
    assert!(device.take(client.from, &request).is_request());
}

#[test]
fn flood_of_message_1_does_not_touch_sessions_or_kept_responses() {
    let (mut device, mut client) = established();
    let stranger = identity(66, "stranger");
    let sessions = device.session_ids();
    let (request, _) = client.request(b"kept");
    let response = device.take(client.from, &request);
    for n in 0..200_u16 {
        let mut rng = Rng::new(1000 + u64::from(n));
        let (_, first) = ClientHandshake::start(&stranger, &device.credential, &mut rng).unwrap();
        let reply = device.take(address(1000 + n), &post(n, &first));
        let free = if n < 2 {
            Code::CHANGED
        } else {
            Code::UNAUTHORIZED
        };
        assert_eq!(reply.code(), free);
    }
    assert_eq!(device.session_ids(), sessions);
    let again = device.take(client.from, &request);
    assert_eq!(again, Outcome::Reply(response.reply().to_vec()));
    client.works(&mut device);
}

#[test]
fn new_half_open_exchange_replaces_the_oldest() {
    let a = identity(1, "alice");
    let mut device: Device<4, 2> = Device::new(&[a.credential().clone()]);
    let mut exchanges: Vec<_> = (0..3)
        .map(|n| {
            let mut rng = Rng::new(n);
            let (handshake, first) =
                ClientHandshake::start(&a, &device.credential, &mut rng).unwrap();
            let mid = u16::try_from(n).unwrap();
            let mut message_2 = device.take(address(1), &post(mid, &first));
            if message_2.code() == Code::UNAUTHORIZED {
                let again = post_again(mid + 10, &first, message_2.reply());
                message_2 = device.take(address(1), &again);
            }
            handshake
                .receive_message_2(&payload(message_2.reply()), &mut rng)
                .unwrap()
                .0
        })
        .collect();
    let codes: Vec<_> = exchanges
        .drain(..)
        .map(|third| device.take(address(1), &post(50, &third)).code())
        .collect();
    assert_eq!(codes, [Code::BAD_REQUEST, Code::CHANGED, Code::CHANGED]);
}

#[test]
fn by_value_stranger_is_refused() {
    let (mut device, mut client) = established();
    let sessions = device.session_ids();
    let stranger = identity(66, "stranger");
    let mut rng = Rng::new(5);
    let (handshake, first) =
        ClientHandshake::start(&stranger, &device.credential, &mut rng).unwrap();
    let message_2 = device.take(address(9), &post(1, &first));
    let (third, context) = handshake
        .receive_message_2(&payload(message_2.reply()), &mut rng)
        .unwrap();
    let refused = device.take(address(9), &post(2, &third));
    assert_eq!(refused.code(), Code::BAD_REQUEST);
    // An EDHOC error message that does not say why.
    assert_eq!(payload(refused.reply()), [1, 0x60]);
    assert_eq!(device.server.last_error(), Some(Error::UnknownPeer));
    assert_eq!(device.session_ids(), sessions);
    let mut stranger = Client {
        context,
        from: address(9),
        mid: 3,
    };
    let (request, _) = stranger.request(b"let me in");
    assert_eq!(device.take(address(9), &request).code(), Code::UNAUTHORIZED);
    assert_eq!(device.executed, 0);
    client.works(&mut device);
}

#[test]
fn stranger_with_the_credential_of_a_peer_but_not_its_key_is_refused() {
    let (mut device, mut client) = established();
    let known = identity(1, "alice").credential().clone();
    // The stranger's own key under the name and identifier of the peer.
    let own = identity(66, "alice");
    let mut bytes = own.credential().as_bytes().to_vec();
    let at = bytes
        .windows(4)
        .position(|w| w == own.credential().kid())
        .unwrap();
    bytes[at..at + 4].copy_from_slice(known.kid());
    let twin = Credential::parse(&bytes).unwrap();
    assert_eq!(twin.kid(), known.kid());
    let twin = sealift_oscore::Identity::new(own.private_key(), twin).unwrap();
    let mut rng = Rng::new(5);
    let (handshake, first) = ClientHandshake::start(&twin, &device.credential, &mut rng).unwrap();
    let message_2 = device.take(address(9), &post(1, &first));
    let (third, _) = handshake
        .receive_message_2(&payload(message_2.reply()), &mut rng)
        .unwrap();
    assert_eq!(
        device.take(address(9), &post(2, &third)).code(),
        Code::BAD_REQUEST
    );
    assert_eq!(device.server.last_error(), Some(Error::UnknownPeer));
    client.works(&mut device);
}

#[test]
fn client_refuses_another_device() {
    let (mut device, _) = established();
    let a = identity(1, "alice");
    let expected = identity(77, "device");
    let mut rng = Rng::new(5);
    let (handshake, first) = ClientHandshake::start(&a, expected.credential(), &mut rng).unwrap();
    let message_2 = device.take(address(1), &post(1, &first));
    let refused = handshake.receive_message_2(&payload(message_2.reply()), &mut rng);
    assert_eq!(refused.map(|_| ()), Err(Error::UnknownPeer));
}

#[test]
fn garbage_with_an_edhoc_option_does_not_end_a_session() {
    let (mut device, mut client) = established();
    let sessions = device.session_ids();
    for kid in 0..=255_u8 {
        for garbage in [
            &[][..],
            &[0xff],
            &[0x40],
            &[0x58, 0x20, 1, 2],
            &[0x4a; 40],
            &[0xbf; 30],
        ] {
            let mut out = [0; 200];
            let mut writer = Writer::message(&mut out, header(u16::from(kid)), Code::POST).unwrap();
            writer.option(9, &[0x09, 0x00, kid]).unwrap();
            writer.option(21, &[]).unwrap();
            writer.payload(garbage).unwrap();
            assert!(!device.take(address(5), writer.as_bytes()).is_request());
        }
    }
    assert_eq!(device.session_ids(), sessions);
    client.works(&mut device);
}

#[test]
fn forged_message_3_does_not_end_a_half_open_exchange() {
    let a = identity(1, "alice");
    let mut device: Device = Device::new(&[a.credential().clone()]);
    let mut rng = Rng::new(5);
    let (handshake, first) = ClientHandshake::start(&a, &device.credential, &mut rng).unwrap();
    let message_2 = device.take(address(1), &post(1, &first));
    let (third, _) = handshake
        .receive_message_2(&payload(message_2.reply()), &mut rng)
        .unwrap();
    for at in 1..third.len() {
        let mut forged = third.clone();
        forged[at] ^= 0x10;
        assert_eq!(
            device.take(address(1), &post(2, &forged)).code(),
            Code::BAD_REQUEST
        );
        assert_eq!(
            device.take(address(1), &post(2, &third[..at])).code(),
            Code::BAD_REQUEST
        );
    }
    assert_eq!(device.server.sessions().count(), 0);
    assert_eq!(
        device.take(address(1), &post(2, &third)).code(),
        Code::CHANGED
    );
}

#[test]
fn spoofed_datagram_with_a_guessed_message_id_does_not_take_its_answer() {
    let (mut device, mut client) = established();
    let (request, sent) = client.request(b"mine");
    let mut spoofed = request.clone();
    *spoofed.last_mut().unwrap() ^= 1;
    assert_eq!(device.take(client.from, &spoofed).code(), Code::BAD_REQUEST);
    let outcome = device.take(client.from, &request);
    assert_eq!(client.read(&sent, outcome.reply()), b"\x01mine");
}

#[test]
fn forged_response_is_refused_and_the_genuine_one_still_taken() {
    let (mut device, mut client) = established();
    let (first, first_sent) = client.request(b"a");
    let (second, second_sent) = client.request(b"b");
    let first_reply = device.take(client.from, &first).reply().to_vec();
    let second_reply = device.take(client.from, &second).reply().to_vec();
    let mut scratch = [0; 200];
    // A response to another request.
    let crossed = Message::parse(&first_reply).unwrap();
    assert_eq!(
        client
            .context
            .unprotect(&second_sent, &crossed, &mut scratch)
            .unwrap_err(),
        Error::Authentication
    );
    let start = first_reply.len() - crossed.payload.len();
    for bit in start * 8..first_reply.len() * 8 {
        let mut forged = first_reply.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let forged = Message::parse(&forged).unwrap();
        assert!(
            client
                .context
                .unprotect(&first_sent, &forged, &mut scratch)
                .is_err()
        );
    }
    let plain = Message::parse(&[0x60, 0x81, 0, 1]).unwrap();
    assert_eq!(
        client
            .context
            .unprotect(&first_sent, &plain, &mut scratch)
            .unwrap_err(),
        Error::NotProtected
    );
    assert_eq!(client.read(&first_sent, &first_reply), b"\x01a");
    assert_eq!(client.read(&second_sent, &second_reply), b"\x02b");
}

#[test]
fn malformed_key_exchange_messages_are_refused() {
    let (mut device, mut client) = established();
    let sessions = device.session_ids();
    let x = *device.credential.x();
    // 0xffff... is above the field prime; this x has no point for it either.
    let off_curve = {
        let mut off = x;
        while Credential::parse(&with_x(&device.credential, &off)).is_ok() {
            off[31] = off[31].wrapping_add(1);
        }
        off
    };
    let message_1 = |suites: &[u8], x: &[u8], tail: &[u8]| {
        [&[0xf5, 3], suites, &[0x58, 0x20], x, tail].concat()
    };
    for (bytes, error) in [
        (message_1(&[2], &off_curve, &[0x0e]), Error::EdhocKey),
        (message_1(&[2], &[0xff; 32], &[0x0e]), Error::EdhocKey),
        (message_1(&[0x98, 0], &x, &[0x0e]), Error::EdhocMessage),
        (message_1(&[0x80], &x, &[0x0e]), Error::EdhocMessage),
        (message_1(&[0x82, 2, 3], &x, &[0x0e]), Error::EdhocSuite),
        (message_1(&[0], &x, &[0x0e]), Error::EdhocSuite),
        (message_1(&[2], &x, &[]), Error::EdhocMessage),
        (
            message_1(&[2], &x, &[0x48, 1, 2, 3, 4, 5, 6, 7, 8]),
            Error::EdhocMessage,
        ),
        (message_1(&[2], &x, &[0x0e, 0x20]), Error::EdhocExternal),
        (
            message_1(&[2], &x, &[0x0e, 0x01, 0x41, 0x05, 0x21]),
            Error::EdhocExternal,
        ),
        (
            message_1(&[2], &x, &[0x0e, 0x01, 0x5a]),
            Error::EdhocMessage,
        ),
        (message_1(&[2], &x, &[0x0e; 300]), Error::EdhocMessage),
        (
            [&[0xf5, 0, 2, 0x58, 0x20], &x[..], &[0x0e]].concat(),
            Error::EdhocMethod,
        ),
        (vec![0xf5], Error::EdhocMessage),
        (vec![], Error::EdhocMessage),
        (vec![0x0e], Error::NoHandshake),
        (vec![0x58, 0x20], Error::EdhocMessage),
    ] {
        let outcome = device.take(address(3), &post_any(&bytes));
        assert_eq!(outcome.code(), Code::BAD_REQUEST, "{bytes:02x?}");
        assert_eq!(device.server.last_error(), Some(error), "{bytes:02x?}");
    }
    // The good one of the same shape, with a list of suites and an item of external
    // authorization data that may be ignored, is taken.
    let good = post_any(&message_1(&[0x82, 3, 2], &x, &[0x0e, 0x01, 0x41, 0x05]));
    assert_eq!(device.take(address(3), &good).code(), Code::CHANGED);
    assert_eq!(device.session_ids(), sessions);
    client.works(&mut device);
}

fn with_x(credential: &Credential, x: &[u8; 32]) -> Vec<u8> {
    let _ = credential;
    [
        &[0xa1, 8, 0xa1, 1, 0xa3, 1, 2, 0x20, 1, 0x21, 0x58, 0x20],
        &x[..],
    ]
    .concat()
}

fn post_any(payload: &[u8]) -> Vec<u8> {
    let mut out = [0; 1000];
    let mut writer = Writer::message(&mut out, header(1), Code::POST).unwrap();
    writer.uri_path(".well-known/edhoc").unwrap();
    writer.payload(payload).unwrap();
    writer.as_bytes().to_vec()
}

/// Some bytes that look like a message to a higher or lower degree.
fn datagrams() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |n| prop::collection::vec(any::<u8>(), 0..n);
    prop_oneof![
        bytes(80),
        // Header and random options.
        (0..=8_u8, any::<[u8; 3]>(), bytes(80))
            .prop_map(|(token, head, rest)| { [&[0x40 | token], &head[..], &rest].concat() }),
        // A random OSCORE option for a random key identifier, perhaps with EDHOC.
        (bytes(20), any::<bool>(), bytes(60)).prop_map(|(option, edhoc, rest)| {
            let mut out = [0; 200];
            let mut writer = Writer::message(&mut out, header(77), Code::POST).unwrap();
            writer.option(9, &option).unwrap();
            if edhoc {
                writer.option(21, &[]).unwrap();
            }
            writer.payload(&rest).unwrap();
            writer.as_bytes().to_vec()
        }),
        // A random key exchange message.
        bytes(250).prop_map(|rest| post_any(&rest)),
        // message_1 with a random key.
        (any::<[u8; 32]>(), bytes(20)).prop_map(|(x, rest)| {
            post_any(&[&[0xf5, 3, 2, 0x58, 0x20], &x[..], &rest].concat())
        }),
        // message_3 for any connection identifier.
        (0..48_u8, bytes(220)).prop_map(|(id, rest)| {
            let id = if id < 24 { id } else { id + 8 };
            let length = u8::try_from(rest.len()).unwrap();
            post_any(&[&[id, 0x58, length], &rest[..]].concat())
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_datagram_panics_or_changes_a_session(many in prop::collection::vec(datagrams(), 1..20)) {
        let (mut device, mut client) = established();
        let sessions = device.session_ids();
        for datagram in &many {
            prop_assert!(!device.take(address(1), datagram).is_request());
        }
        prop_assert_eq!(device.session_ids(), sessions);
        client.works(&mut device);
    }

    #[test]
    fn no_inner_message_panics(inner in prop::collection::vec(any::<u8>(), 0..60)) {
        use sealift_oscore::coap::Inner;
        if let Ok(inner) = Inner::parse(&inner) {
            let _ = (inner.block1(), inner.block2(), inner.uint(60), inner.unknown_critical(&[11]));
            let total: usize = inner.options.clone().map(|o| o.value.len()).sum();
            prop_assert!(total <= 60);
            prop_assert_eq!(inner.path_is(&["x"]), inner.uri_path().eq([b"x"]));
        }
    }

    #[test]
    fn what_is_written_is_read_again(
        options in prop::collection::btree_map(any::<u16>(), prop::collection::vec(any::<u8>(), 0..300), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..50),
        token in prop::collection::vec(any::<u8>(), 0..=8),
        mid: u16,
    ) {
        let mut out = [0; 2100];
        let header = sealift_oscore::coap::Header { token: &token, ..header(mid) };
        let mut writer = Writer::message(&mut out, header, Code::PUT).unwrap();
        for (number, value) in &options {
            writer.option(*number, value).unwrap();
        }
        writer.payload(&body).unwrap();
        let length = writer.finish();
        let message = Message::parse(&out[..length]).unwrap();
        prop_assert_eq!(message.header(), header);
        prop_assert_eq!(message.payload, &body[..]);
        let read: Vec<_> = message.options.map(|o| (o.number, o.value.to_vec())).collect();
        prop_assert_eq!(read, options.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn credential_parser_takes_only_what_it_would_write(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        if let Ok(credential) = Credential::parse(&bytes) {
            prop_assert_eq!(credential.as_bytes(), &bytes[..]);
        }
    }
}
