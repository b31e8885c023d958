//! What a client and a device do together when all is well, or nearly.

mod common;

use common::{Client, Device, Outcome, Rng, address, header, identity, payload, post};
use sealift_oscore::coap::{self, Code, Kind, Message, Writer};
use sealift_oscore::server::{HALF_OPEN_MS, Incoming};
use sealift_oscore::{ClientHandshake, Error, MAX_DATAGRAM, PeerIndex};

#[test]
fn key_exchange_then_requests() {
    let (a, b) = (identity(1, "alice"), identity(2, "bob"));
    let mut device: Device = Device::new(&[a.credential().clone(), b.credential().clone()]);
    let mut bob = Client::connect(&b, &mut device, address(1), 3);
    let (request, sent) = bob.request(b"hello");
    let outcome = device.take(bob.from, &request);
    let Outcome::Request(peer, _, reply) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(peer, PeerIndex(1));
    assert_eq!(bob.read(&sent, &reply), b"\x01hello");
    let message = Message::parse(&reply).unwrap();
    assert_eq!(
        (message.kind, message.code),
        (Kind::Acknowledgement, Code::CHANGED)
    );
    // A new address does not matter: the session is known by its keys.
    bob.from = address(99);
    bob.works(&mut device);
}

#[test]
fn retransmissions_get_the_same_bytes_and_nothing_runs_twice() {
    let a = identity(1, "alice");
    let mut device: Device = Device::new(&[a.credential().clone()]);
    let mut rng = Rng::new(5);
    let (handshake, first) = ClientHandshake::start(&a, &device.credential, &mut rng).unwrap();
    let message_1 = post(1, &first);
    let message_2 = device.take(address(1), &message_1);
    assert_eq!(device.take(address(1), &message_1), message_2);
    let (third, context) = handshake
        .receive_message_2(&payload(message_2.reply()), &mut rng)
        .unwrap();
    let message_3 = post(2, &third);
    let done = device.take(address(1), &message_3);
    assert_eq!(device.take(address(1), &message_3), done);
    assert_eq!(device.server.sessions().count(), 1);

    let mut client = Client {
        context,
        from: address(1),
        mid: 2,
    };
    let (request, sent) = client.request(b"once");
    let first = device.take(address(1), &request);
    assert_eq!(device.executed, 1);
    for _ in 0..3 {
        let again = device.take(address(1), &request);
        assert_eq!(again, Outcome::Reply(first.reply().to_vec()));
    }
    assert_eq!(device.executed, 1);
    assert_eq!(client.read(&sent, first.reply()), b"\x01once");
    client.works(&mut device);
}

#[test]
fn combined_request_works_and_is_repeated_alike() {
    let a = identity(1, "alice");
    let mut device: Device = Device::new(&[a.credential().clone()]);
    let mut rng = Rng::new(5);
    let (handshake, first) = ClientHandshake::start(&a, &device.credential, &mut rng).unwrap();
    let message_2 = device.take(address(1), &post(1, &first));
    let (third, context) = handshake
        .receive_message_2(&payload(message_2.reply()), &mut rng)
        .unwrap();
    let mut client = Client {
        context,
        from: address(1),
        mid: 2,
    };
    let (request, sent) = client.request(b"both");
    // C_R is the KID already: what goes in front of the ciphertext is message_3.
    let combined = combine(&request, &third[1..]);
    let mut garbled = combined.clone();
    *garbled.last_mut().unwrap() ^= 1;
    assert_eq!(device.take(address(1), &garbled).code(), Code::BAD_REQUEST);
    assert_eq!(device.server.last_error(), Some(Error::Authentication));
    assert_eq!(device.server.sessions().count(), 0);
    let outcome = device.take(address(1), &combined);
    assert!(outcome.is_request(), "{:?}", device.server.last_error());
    assert_eq!(client.read(&sent, outcome.reply()), b"\x01both");
    let again = device.take(address(1), &combined);
    assert_eq!(again, Outcome::Reply(outcome.reply().to_vec()));
    client.works(&mut device);
}

/// The request with an EDHOC option, and message_3 in front of its payload.
fn combine(request: &[u8], message_3: &[u8]) -> Vec<u8> {
    let message = Message::parse(request).unwrap();
    let mut out = [0; 1000];
    let mut writer = Writer::message(&mut out, message.header(), message.code).unwrap();
    for option in message.options.clone() {
        writer.option(option.number, option.value).unwrap();
    }
    writer.option(21, &[]).unwrap();
    writer
        .payload(&[message_3, message.payload].concat())
        .unwrap();
    writer.as_bytes().to_vec()
}

#[test]
fn non_confirmable_requests_get_non_confirmable_replies() {
    let a = identity(1, "alice");
    let mut device: Device = Device::new(&[a.credential().clone()]);
    let mut client = Client::connect(&a, &mut device, address(1), 3);
    let mut out = [0; 200];
    let mut mids = Vec::new();
    for mid in [50, 51] {
        let mut header = header(mid);
        header.kind = Kind::NonConfirmable;
        let (length, _) = client
            .context
            .protect(header, Code::GET, |_| Ok(()), &mut out)
            .unwrap();
        let outcome = device.take(client.from, &out[..length]);
        let message = Message::parse(outcome.reply()).unwrap();
        assert_eq!(message.kind, Kind::NonConfirmable);
        assert_eq!(message.token, header.token);
        mids.push(message.mid);
    }
    assert_ne!(mids[0], mids[1]);
    let plain = Writer::message(&mut out, header(9), Code::GET).unwrap();
    let mut plain = plain.as_bytes().to_vec();
    plain[0] |= 0x10;
    let refused = device.take(client.from, &plain);
    let message = Message::parse(refused.reply()).unwrap();
    assert_eq!(
        (message.kind, message.code),
        (Kind::NonConfirmable, Code::UNAUTHORIZED)
    );
}

#[test]
fn ping_is_answered_and_unprotected_requests_are_not() {
    let mut device: Device = Device::new(&[]);
    assert_eq!(
        device.take(address(1), &[0x40, 0, 0x12, 0x34]),
        Outcome::Reply(vec![0x70, 0, 0x12, 0x34])
    );
    for path in [
        "/",
        "/.well-known/core",
        "/vm-control",
        "/.well-known/edhoc",
    ] {
        let mut out = [0; 100];
        let mut writer = Writer::message(&mut out, header(1), Code::GET).unwrap();
        writer.uri_path(path).unwrap();
        let refused = device.take(address(1), writer.as_bytes());
        assert_eq!(refused.code(), Code::UNAUTHORIZED, "{path}");
        assert!(payload(refused.reply()).is_empty());
    }
    assert_eq!(device.take(address(1), &[0x60, 0, 0, 1]), Outcome::Ignore);
    assert_eq!(device.take(address(1), &[0x70, 0, 0, 1]), Outcome::Ignore);
}

#[test]
fn response_that_cannot_be_built_is_an_empty_5_00() {
    let a = identity(1, "alice");
    let mut device: Device = Device::new(&[a.credential().clone()]);
    let mut client = Client::connect(&a, &mut device, address(1), 3);
    let (request, sent) = client.request(b"");
    let (mut scratch, mut out) = ([0; MAX_DATAGRAM], [0; MAX_DATAGRAM]);
    let incoming = device.server.receive(
        0,
        client.from,
        &request,
        &mut scratch,
        &mut device.rng,
        &mut out,
    );
    let Incoming::Request(request) = incoming else {
        panic!("{incoming:?}")
    };
    let too_long = |w: &mut Writer<'_>| w.payload(&[7; MAX_DATAGRAM]);
    let (_, length) = device
        .server
        .respond(0, request.reply, Code::CONTENT, too_long, &mut out)
        .unwrap();
    assert_eq!(
        device.server.last_error(),
        Some(Error::Coap(coap::Error::BufferFull))
    );
    let mut scratch = [0; 200];
    let message = Message::parse(&out[..length]).unwrap();
    let inner = client
        .context
        .unprotect(&sent, &message, &mut scratch)
        .unwrap();
    assert_eq!(inner.code, Code::INTERNAL_SERVER_ERROR);
}

#[test]
fn half_open_exchanges_end_after_a_time() {
    let a = identity(1, "alice");
    for (wait, code) in [
        (HALF_OPEN_MS - 1, Code::CHANGED),
        (HALF_OPEN_MS, Code::BAD_REQUEST),
    ] {
        let mut device: Device = Device::new(&[a.credential().clone()]);
        let mut rng = Rng::new(5);
        let (handshake, first) = ClientHandshake::start(&a, &device.credential, &mut rng).unwrap();
        let message_2 = device.take(address(1), &post(1, &first));
        let (third, _) = handshake
            .receive_message_2(&payload(message_2.reply()), &mut rng)
            .unwrap();
        device.now_ms = wait;
        assert_eq!(device.take(address(1), &post(2, &third)).code(), code);
    }
}

#[test]
fn two_peers_with_one_identifier_are_told_apart_by_their_keys() {
    // The client sends its credential by value; the two differ in a few bytes.
    let (a, b) = (identity(1, "alice"), identity(2, "alice"));
    let mut device: Device = Device::new(&[a.credential().clone(), b.credential().clone()]);
    for (identity, peer) in [(&a, 0), (&b, 1)] {
        let mut client = Client::connect(identity, &mut device, address(1), 3);
        let (request, _) = client.request(b"");
        let Outcome::Request(found, ..) = device.take(address(1), &request) else {
            panic!()
        };
        assert_eq!(found, PeerIndex(peer));
    }
}

#[test]
fn a_full_table_gives_a_new_peer_the_place_of_who_has_most() {
    let all: Vec<_> = (0..4).map(|n| identity(n, "peer")).collect();
    let credentials: Vec<_> = all.iter().map(|i| i.credential().clone()).collect();
    let mut device: Device<4, 2> = Device::new(&credentials);
    let mut quiet = Client::connect(&all[0], &mut device, address(1), 50);
    // Peer 1 takes all it can get, and keeps using it.
    for n in 0..10 {
        Client::connect(&all[1], &mut device, address(2), 60 + n).works(&mut device);
    }
    quiet.works(&mut device);
    let mut third = Client::connect(&all[2], &mut device, address(3), 80);
    let mut fourth = Client::connect(&all[3], &mut device, address(4), 81);
    quiet.works(&mut device);
    third.works(&mut device);
    fourth.works(&mut device);
    let owners: std::collections::BTreeSet<_> = device.server.sessions().map(|s| s.1).collect();
    assert_eq!(owners.len(), 4);
}

#[test]
fn the_same_peer_replaces_its_own_least_used_session() {
    let (a, b) = (identity(1, "a"), identity(2, "b"));
    let mut device: Device<3, 2> = Device::new(&[a.credential().clone(), b.credential().clone()]);
    let mut other = Client::connect(&b, &mut device, address(9), 1);
    let mut old = Client::connect(&a, &mut device, address(1), 2);
    let mut unused = Client::connect(&a, &mut device, address(2), 3);
    old.works(&mut device);
    let mut new = Client::connect(&a, &mut device, address(3), 4);
    other.works(&mut device);
    old.works(&mut device);
    new.works(&mut device);
    let (request, _) = unused.request(b"");
    assert!(!device.take(address(2), &request).is_request());
}

#[test]
fn a_peer_replaces_its_own_session_even_if_another_has_more() {
    let (a, b) = (identity(1, "a"), identity(2, "b"));
    let mut device: Device<3, 2> = Device::new(&[a.credential().clone(), b.credential().clone()]);
    let mut others: Vec<_> = (0..2)
        .map(|n| Client::connect(&b, &mut device, address(9), 10 + n))
        .collect();
    let mut old = Client::connect(&a, &mut device, address(1), 2);
    let mut new = Client::connect(&a, &mut device, address(1), 3);
    for client in &mut others {
        client.works(&mut device);
    }
    new.works(&mut device);
    let (request, _) = old.request(b"");
    assert!(!device.take(address(1), &request).is_request());
}

#[test]
fn critical_options_in_a_key_exchange_are_refused() {
    let a = identity(1, "a");
    let mut device: Device = Device::new(&[a.credential().clone()]);
    let (_, first) = ClientHandshake::start(&a, &device.credential, &mut Rng::new(1)).unwrap();
    for (number, code) in [(27, Code::BAD_OPTION), (14, Code::CHANGED)] {
        let mut out = [0; 300];
        let mut writer = Writer::message(&mut out, header(1), Code::POST).unwrap();
        writer.uri_path("/.well-known/edhoc").unwrap();
        writer.option(number, &[]).unwrap();
        writer.payload(&first).unwrap();
        assert_eq!(device.take(address(1), writer.as_bytes()).code(), code);
    }
}
