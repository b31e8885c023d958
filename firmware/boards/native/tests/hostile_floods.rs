//! Floods of datagrams from peers without a session: they take nothing from those
//! who have one, and do not keep others from getting one.

mod hostile_common;

use std::time::Duration;

use hostile_common::{Scene, address, code, datagram, storm};
use rand_core::OsRng;
use sealift_oscore::coap::{Code, Kind, Message, Writer, number};
use sealift_oscore::{ClientHandshake, MAX_DATAGRAM};
use testbed::RawPeer;

/// First messages of key exchanges that never go on.
fn first_messages(peer: &RawPeer) -> Vec<Vec<u8>> {
    let start = || ClientHandshake::start(peer.identity(), peer.device(), &mut OsRng);
    (0..50).map(|_| start().unwrap().1.to_vec()).collect()
}

/// A POST of `message` from this address, and then its answer.
fn post_from(scene: &Scene, n: u32, peer: &mut RawPeer, message: &[u8]) -> Vec<u8> {
    let socket = scene.socket((address(n), 0));
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut buffer = [0; MAX_DATAGRAM];
    let mut send = |echo: Option<&[u8]>| {
        let datagram = peer.post_edhoc(message, echo).unwrap();
        socket.send(&datagram).unwrap();
        let length = socket.recv(&mut buffer).unwrap();
        buffer[..length].to_vec()
    };
    let answer = send(None);
    let asked = Message::parse(&answer).unwrap();
    match asked.option(number::ECHO) {
        Some(echo) => send(Some(echo)),
        None => answer,
    }
}

#[test]
fn a_flood_of_message_1_from_many_addresses_ends_no_session() {
    let mut scene = Scene::new();
    let mut stranger = scene.outsider("app");
    let messages = first_messages(&stranger);
    // False addresses: whatever the device sends there reaches nobody.
    let mut sent = 0;
    for round in 0..500_u32 {
        for n in 0..40 {
            let message = &messages[usize::try_from(n).unwrap()];
            let datagram = stranger.post_edhoc(message, None).unwrap();
            let from = scene.socket((address(1 << 16 | (round * 40 + n)), 0));
            from.send(&datagram).unwrap();
            sent += 1;
        }
        stranger.settle().unwrap();
    }
    assert_eq!(sent, 20_000);
    scene.stands();
    // True ones, that take part until it is their turn to prove who they are.
    for n in 0..1000_u32 {
        let message = &messages[usize::try_from(n).unwrap() % messages.len()];
        let answer = post_from(&scene, 2 << 16 | n, &mut stranger, message);
        assert_eq!(code(&answer), Code::CHANGED);
    }
    scene.ends();
}

#[test]
fn a_newcomer_gets_in_during_a_flood() {
    let scene = Scene::new();
    let mut stranger = scene.outsider("app");
    let messages = first_messages(&stranger);
    let mut sent = 0;
    let mut flood = |scene: &Scene| {
        for message in &messages {
            sent += 1;
            // From addresses that are not the sender's, and from one that is.
            let datagram = stranger.post_edhoc(message, None).unwrap();
            let from = scene.socket((address(3 << 16 | sent), 0));
            from.send(&datagram).unwrap();
            let answer = post_from(scene, 4 << 16, &mut stranger, message);
            assert_eq!(code(&answer), Code::CHANGED);
        }
    };
    for n in 0..5 {
        flood(&scene);
        let ip = address(5 << 16 | n);
        let mut newcomer = RawPeer::at(ip, &scene.workshop, &scene.device, "app").unwrap();
        let (handshake, message_1) =
            ClientHandshake::start(newcomer.identity(), newcomer.device(), &mut OsRng).unwrap();
        let first = newcomer.post_edhoc(&message_1, None).unwrap();
        let asked = newcomer.exchange(&first).unwrap();
        assert_eq!(code(&asked), Code::UNAUTHORIZED);
        let asked = Message::parse(&asked).unwrap();
        let echo = asked.option(number::ECHO).expect("an Echo option");
        flood(&scene);
        let again = newcomer.post_edhoc(&message_1, Some(echo)).unwrap();
        let message_2 = newcomer.exchange(&again).unwrap();
        assert_eq!(code(&message_2), Code::CHANGED);
        flood(&scene);
        let message_2 = Message::parse(&message_2).unwrap().payload;
        let (message_3, _) = handshake.receive_message_2(message_2, &mut OsRng).unwrap();
        let third = newcomer.post_edhoc(&message_3, None).unwrap();
        let done = newcomer.exchange(&third).unwrap();
        assert_eq!(code(&done), Code::CHANGED);
    }
    // And by the ordinary way, which is the same.
    let ip = address(6 << 16);
    let mut newcomer = RawPeer::at(ip, &scene.workshop, &scene.device, "app").unwrap();
    newcomer.connect().unwrap();
    let answer = newcomer.request(Code::GET, "/vm1/version", None, &[]);
    assert_eq!(answer.unwrap().text(), "1");
    scene.ends();
}

#[test]
fn a_stranger_with_a_credential_by_value_gets_no_session_however_often_it_tries() {
    let scene = Scene::new();
    scene.workshop.credential("stranger").unwrap();
    let mut stranger = scene.outsider("stranger");
    for _ in 0..200 {
        let (handshake, message_1) =
            ClientHandshake::start(stranger.identity(), stranger.device(), &mut OsRng).unwrap();
        let message_2 = stranger.key_exchange(&message_1).unwrap();
        let (message_3, context) = handshake.receive_message_2(&message_2, &mut OsRng).unwrap();
        let third = stranger.post_edhoc(&message_3, None).unwrap();
        let refused = stranger.exchange(&third).unwrap();
        assert_eq!(code(&refused), Code::BAD_REQUEST);
        // An error that does not say why (RFC 9528, 6.2).
        assert_eq!(Message::parse(&refused).unwrap().payload, [1, 0x60]);
        // The keys that it has derived are good for nothing.
        let mut context = context;
        let mut out = [0; 200];
        let header = sealift_oscore::coap::Header {
            kind: Kind::Confirmable,
            mid: stranger.next_mid(),
            token: b"key",
        };
        let build = |writer: &mut Writer<'_>| writer.uri_path("/.well-known/core");
        let (length, _) = context.protect(header, Code::GET, build, &mut out).unwrap();
        let answer = stranger.exchange(&out[..length]).unwrap();
        assert!([Code::UNAUTHORIZED, Code::BAD_REQUEST].contains(&code(&answer)));
    }
    let log = scene.device.log();
    assert!(log.contains("credential is not known"), "{log}");
    scene.ends();
}

#[test]
fn garbage_for_message_3_ends_no_key_exchange() {
    let scene = Scene::new();
    let mut newcomer = scene.outsider("app");
    let mut stranger = scene.outsider("app");
    let (handshake, message_1) =
        ClientHandshake::start(newcomer.identity(), newcomer.device(), &mut OsRng).unwrap();
    let message_2 = newcomer.key_exchange(&message_1).unwrap();
    let (message_3, _) = handshake.receive_message_2(&message_2, &mut OsRng).unwrap();

    let refused = |answer: &[u8]| assert_eq!(code(answer), Code::BAD_REQUEST);
    // For every connection identifier of a byte, lengths that are right, wrong and
    // beyond the end.
    let lengths = [0, 1, 18, message_3.len() - 3, 180, 255];
    let guess = |peer: &mut RawPeer, n: u32| {
        let [.., length, id] = n.to_be_bytes();
        let length = lengths[usize::from(length) % lengths.len()];
        let claimed = u8::try_from(length).unwrap();
        let content = vec![id.wrapping_mul(31); length.min(170)];
        let garbage = [&[id, 0x58, claimed][..], &content].concat();
        peer.post_edhoc(&garbage, None).unwrap()
    };
    // With 0xf5 in front it is a message_1, which may have to prove its address.
    let count = 256 * 6;
    let answers = storm(&mut stranger, count, guess, |answer| {
        let code = code(answer);
        assert!(
            [Code::BAD_REQUEST, Code::UNAUTHORIZED].contains(&code),
            "{code}"
        );
    });
    assert_eq!(answers, count);
    // The genuine one with each of its bits flipped, and cut at each length.
    let bits = u32::try_from(message_3.len()).unwrap() * 8;
    let flipped = |peer: &mut RawPeer, n: u32| {
        let mut message = message_3.to_vec();
        // Not the identifier in front, which makes it one of another exchange.
        message[usize::try_from(n / 8).unwrap() + 1] ^= 1 << (n % 8);
        peer.post_edhoc(&message, None).unwrap()
    };
    assert_eq!(storm(&mut stranger, bits - 8, flipped, refused), bits - 8);
    let cut = |peer: &mut RawPeer, n: u32| {
        let message = &message_3[..usize::try_from(n).unwrap()];
        peer.post_edhoc(message, None).unwrap()
    };
    let count = bits / 8;
    assert_eq!(storm(&mut stranger, count, cut, refused), count);

    let third = newcomer.post_edhoc(&message_3, None).unwrap();
    let done = newcomer.exchange(&third).unwrap();
    assert_eq!(code(&done), Code::CHANGED);
    scene.ends();
}

#[test]
fn wrong_key_identifiers_in_any_number_are_refused() {
    let mut scene = Scene::new();
    let mut stranger = scene.outsider("app");
    // Identifiers of every length, Partial IVs of every length, ID Contexts.
    let make = |peer: &mut RawPeer, n: u32| {
        let [_, a, b, c] = n.to_be_bytes();
        let kid = &[b, c, a, 4, 5, 6, 7, 8, 9][..usize::from(c) % 10];
        let piv = &[0xff, b, c, a, 1, 1, 1][..usize::from(b) % 8];
        let flags = 0x08 | u8::try_from(piv.len()).unwrap() | (c & 0xf0);
        let option = [&[flags], piv, &[c % 5], kid].concat();
        let length = u8::try_from(option.len()).unwrap();
        let options = match length {
            0..13 => [&[0x90 | length][..], &option].concat(),
            _ => [&[0x9d, length - 13][..], &option].concat(),
        };
        let rest = [&options[..], &[0xff], &[c; 40]].concat();
        datagram(0x40, Code::POST, peer.next_mid(), &rest)
    };
    let mut codes = [0_u32; 256];
    let answers = storm(&mut stranger, 20_000, make, |answer| {
        codes[usize::from(code(answer).0)] += 1;
    });
    assert_eq!(answers, 20_000);
    let mut of = |code: Code| std::mem::take(&mut codes[usize::from(code.0)]);
    let expected = [Code::UNAUTHORIZED, Code::BAD_OPTION, Code::BAD_REQUEST];
    let [unauthorized, ..] = expected.map(&mut of);
    assert!(unauthorized > 0);
    assert_eq!(codes, [0; 256], "no other code");
    scene.stands();
    // All identifiers that sessions can have, and the highest Partial IV there is:
    // the replay windows of the sessions do not move.
    let make = |peer: &mut RawPeer, n: u32| {
        let [.., kid] = n.to_be_bytes();
        let oscore = [0x97, 0x0d, 0xff, 0xff, 0xff, 0xff, 0xff, kid];
        let rest = [&oscore[..], &[0xff], &[kid; 40]].concat();
        datagram(0x40, Code::POST, peer.next_mid(), &rest)
    };
    assert_eq!(storm(&mut stranger, 2560, make, |_| {}), 2560);
    scene.ends();
}

#[test]
fn datagrams_of_any_length_are_survived() {
    let mut scene = Scene::new();
    let mut stranger = scene.outsider("app");
    let socket = scene.socket((address(7 << 16), 0));
    let fillings: [fn(usize) -> u8; 5] = [
        |_| 0,
        |_| 0xff,
        |_| 0x40,
        // A header and options without a value.
        |n| [0x40, 2, 0, 0].get(n).copied().unwrap_or(0x10),
        // A header and a payload.
        |n| [0x40, 2, 0, 0].get(n).copied().unwrap_or(0xff),
    ];
    for fill in fillings {
        let lengths = (0..1400).chain([2464, 2465, 9000, 65_507]);
        for (n, length) in lengths.enumerate() {
            let datagram: Vec<u8> = (0..length).map(fill).collect();
            socket.send(&datagram).unwrap();
            if n % 4 == 0 || length > 1400 {
                stranger.settle().unwrap();
            }
        }
        scene.stands();
    }
    scene.ends();
}

#[test]
fn sessions_of_others_are_not_pushed_out_by_one_peer_that_makes_many() {
    let mut scene = Scene::new();
    // The device has 16 places; whoever takes more gives up his own.
    let mut insiders: Vec<RawPeer> = (0..20).map(|_| scene.insider("app")).collect();
    let newest = insiders.last_mut().unwrap();
    let answer = newest.request(Code::GET, "/vm1/version", None, &[]);
    assert_eq!(answer.unwrap().text(), "1");
    // The deployer has lost nothing. The user's session is one of the many: of his
    // own peer, so he had to use it to keep it.
    let received = scene.received();
    scene.goes_on();
    assert_eq!(scene.received(), received + 1024);
    assert!(
        insiders[0]
            .request(Code::GET, "/vm1/version", None, &[])
            .is_err()
    );
}
