//! Valid requests of a session, as somebody in between can change, repeat, reorder
//! and redirect them.

mod hostile_common;

use std::time::Duration;

use hostile_common::{Scene, address, code, datagram, storm};
use sealift_oscore::coap::{Code, Kind, Message, Writer, number};
use sealift_oscore::protect::Sent;
use testbed::{RawPeer, Sign};

const VERSION: &str = "/vm1/version";
/// Bytes of a request before what is protected: header, and a token of two bytes.
const HEAD: usize = 6;

/// A protected request of the user.
fn ask(scene: &mut Scene) -> (Vec<u8>, Sent) {
    let build = |writer: &mut Writer<'_>| writer.uri_path(VERSION);
    scene.user.protect(Code::GET, build).unwrap()
}

/// Sends what does not have to be answered, and says what came back.
fn try_out(peer: &mut RawPeer, datagram: &[u8]) -> Vec<Vec<u8>> {
    peer.send(datagram).unwrap();
    peer.settle().unwrap()
}

#[test]
fn a_request_cut_at_any_length_is_refused() {
    let mut scene = Scene::new();
    let before = scene.received();
    let (request, sent) = scene.next_block();
    for again in 0..10 {
        let cut = |_: &mut RawPeer, n: u32| request[..usize::try_from(n).unwrap()].to_vec();
        let count = u32::try_from(request.len()).unwrap();
        let mut refused = 0;
        let answers = storm(&mut scene.deployer, count, cut, |answer| {
            assert!([Code::BAD_REQUEST, Code::UNAUTHORIZED].contains(&code(answer)));
            refused += 1;
        });
        // Below the token there is nobody to answer.
        assert!(
            answers > count - 20 && refused == answers,
            "{again}: {answers}"
        );
    }
    assert_eq!(scene.received(), before);
    let answer = scene.deployer.exchange(&request).unwrap();
    let answer = scene.deployer.read(&sent, &answer).unwrap();
    assert_eq!(answer.code, Code::CONTINUE);
    scene.next += 1;
    assert_eq!(scene.received(), before + 1024);
    scene.ends();
}

#[test]
fn a_request_with_any_protected_bit_flipped_is_refused() {
    let mut scene = Scene::new();
    let before = scene.received();
    let (request, sent) = scene.next_block();
    let flip = |_: &mut RawPeer, n: u32| {
        let mut flipped = request.clone();
        let bit = usize::try_from(n).unwrap();
        flipped[HEAD + bit / 8] ^= 1 << (bit % 8);
        flipped
    };
    let bits = u32::try_from(request.len() - HEAD).unwrap() * 8;
    assert!(bits > 8000);
    let mut protected = 0;
    let check = |answer: &[u8]| {
        let code = code(answer);
        let refused = [Code::BAD_REQUEST, Code::UNAUTHORIZED, Code::BAD_OPTION];
        protected += u32::from(!refused.contains(&code));
    };
    storm(&mut scene.deployer, bits, flip, check);
    assert_eq!(protected, 0);
    // From somewhere else, too.
    let mut elsewhere = scene.outsider("op");
    storm(&mut elsewhere, bits, flip, |answer| {
        assert_ne!(code(answer), Code::CHANGED);
    });
    assert_eq!(scene.received(), before);
    let answer = scene.deployer.exchange(&request).unwrap();
    let answer = scene.deployer.read(&sent, &answer).unwrap();
    assert_eq!(answer.code, Code::CONTINUE);
    scene.next += 1;
    scene.ends();
}

/// Type, code, message ID and token are not protected (RFC 8613, 4.3). Whoever
/// changes them can have a request answered in another guise, but not twice.
#[test]
fn a_request_with_a_flipped_bit_in_its_head_is_done_at_most_once() {
    let mut scene = Scene::new();
    let mut as_changed = 0;
    for bit in 0..HEAD * 8 {
        let (request, sent) = ask(&mut scene);
        let mut flipped = request.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut taken = 0;
        for datagram in [&flipped, &request] {
            for answer in try_out(&mut scene.user, datagram) {
                if let Some(answer) = scene.user.read(&sent, &answer) {
                    assert_eq!(answer.text(), "1");
                    taken += 1;
                }
            }
            as_changed += usize::from(taken == 1 && datagram == &flipped);
        }
        assert_eq!(taken, 1, "bit {bit}");
    }
    // That of the message ID, the token, and most of the code.
    assert!(as_changed >= 32, "{as_changed}");
    scene.ends();
}

#[test]
fn a_replay_is_not_done_again() {
    let mut scene = Scene::new();
    let before = scene.received();
    let (request, _) = scene.next_block();
    let first = scene.deployer.exchange(&request).unwrap();
    scene.next += 1;
    // A retransmission gets the same bytes again.
    for _ in 0..100 {
        assert_eq!(scene.deployer.exchange(&request).unwrap(), first);
    }
    // With another message ID or token it is none, nor from another address.
    let mut renumbered = request.clone();
    renumbered[3] ^= 1;
    let mut other_token = request.clone();
    other_token[5] ^= 1;
    for replay in [&renumbered, &other_token] {
        let answer = scene.deployer.exchange(replay).unwrap();
        assert_eq!(code(&answer), Code::UNAUTHORIZED);
    }
    assert_eq!(scene.received(), before + 1024);

    // Much of it, much later, from many addresses.
    let mut recorded = vec![request];
    for _ in 0..40 {
        let (request, _) = ask(&mut scene);
        scene.user.exchange(&request).unwrap();
        recorded.push(request);
    }
    for n in 0..40 {
        let ip = address(8 << 16 | n);
        let mut replayer = RawPeer::at(ip, &scene.workshop, &scene.device, "op").unwrap();
        let count = u32::try_from(recorded.len()).unwrap() * 12;
        let replay = |_: &mut RawPeer, n: u32| {
            let which = usize::try_from(n).unwrap() % recorded.len();
            recorded[which].clone()
        };
        let answers = storm(&mut replayer, count, replay, |answer| {
            assert_eq!(code(answer), Code::UNAUTHORIZED);
        });
        assert_eq!(answers, count);
    }
    assert_eq!(scene.received(), before + 1024);
    scene.ends();
}

#[test]
fn requests_in_any_order_are_each_done_once() {
    let mut scene = Scene::new();
    // A replay window of 64 numbers: all of these, newest first.
    for stride in [63, 1, 5, 47] {
        let requests: Vec<_> = (0..64).map(|_| ask(&mut scene)).collect();
        let mut taken = 0;
        for n in 0..64 {
            let (request, sent) = &requests[n * stride % 64];
            let answers = try_out(&mut scene.user, request);
            let read = |answer: &Vec<u8>| scene.user.read(sent, answer);
            taken += answers.iter().filter_map(read).count();
        }
        assert_eq!(taken, 64, "stride {stride}");
    }
    // One that is older than the window is not known to be new.
    let (old, sent) = ask(&mut scene);
    for _ in 0..64 {
        let (request, _) = ask(&mut scene);
        scene.user.exchange(&request).unwrap();
    }
    let answer = scene.user.exchange(&old).unwrap();
    assert_eq!(code(&answer), Code::UNAUTHORIZED);
    assert_eq!(scene.user.read(&sent, &answer), None);
    scene.ends();
}

/// RFC 8613: a request is genuine wherever it comes from, so the answer goes there;
/// the session is not bound to an address.
#[test]
fn a_request_from_another_address_is_answered_there_and_takes_nothing_along() {
    let mut scene = Scene::new();
    let mut thief = scene.outsider("app");
    for _ in 0..20 {
        let (request, sent) = ask(&mut scene);
        let answers = try_out(&mut thief, &request);
        assert_eq!(answers.len(), 1);
        assert_eq!(scene.user.read(&sent, &answers[0]).unwrap().text(), "1");
        // It comes late from its own sender: the thief has used it up. The session
        // goes on at the next request.
        let late = scene.user.exchange(&request).unwrap();
        assert_eq!(code(&late), Code::UNAUTHORIZED);
        assert_eq!(scene.version().text(), "1");
        // And nothing of that was sent to the thief.
        assert_eq!(thief.settle().unwrap(), Vec::<Vec<u8>>::new());
    }
    // A sender that has got a new address goes on from there.
    scene.user.move_away().unwrap();
    scene.deployer.move_away().unwrap();
    scene.ends();
}

#[test]
fn acknowledgements_resets_and_pings_of_anybody_change_nothing() {
    let mut scene = Scene::new();
    let mut elsewhere = scene.outsider("app");
    let Scene { user, deployer, .. } = &mut scene;
    for peer in [&mut elsewhere, user, deployer] {
        for kind in [Kind::Acknowledgement, Kind::Reset] {
            let first = 0x40 | kind.bits() << 4;
            let forged = |_: &mut RawPeer, n: u32| {
                let mid = u16::try_from(n * 11 % 0x1_0000).unwrap();
                datagram(first, Code::EMPTY, mid, &[])
            };
            assert_eq!(storm(peer, 6000, forged, |_| {}), 0);
            // With a response in it, and with content that it must not have.
            let answer = |_: &mut RawPeer, n: u32| {
                let mid = u16::try_from(n).unwrap();
                let code = [Code::EMPTY, Code::CONTENT, Code::GET, Code(0xff)];
                datagram(first, code[usize::from(mid % 4)], mid, b"\xffx")
            };
            assert_eq!(storm(peer, 1000, answer, |_| {}), 0);
        }
        // A ping is answered, and no more than that.
        let ping = |_: &mut RawPeer, n: u32| {
            datagram(0x40, Code::EMPTY, u16::try_from(n).unwrap() | 0x8000, &[])
        };
        let pongs = storm(peer, 2000, ping, |answer| {
            assert_eq!(answer.len(), 4);
            assert_eq!(answer[0], 0x70);
        });
        assert_eq!(pongs, 2000);
        let not_quite = |_: &mut RawPeer, n: u32| match n % 3 {
            0 => datagram(0x41, Code::EMPTY, 1, b"t"),
            1 => datagram(0x40, Code::EMPTY, 1, b"\xffpayload"),
            _ => datagram(0x50, Code::EMPTY, 1, &[]),
        };
        assert_eq!(storm(peer, 300, not_quite, |_| {}), 0);
    }
    scene.ends();
}

/// An answer that takes long comes by itself, and again until it is acknowledged
/// (RFC 7252, 5.2.2). Who does not get it cannot end that.
#[test]
fn a_forged_acknowledgement_does_not_stop_a_separate_answer() {
    let mut scene = Scene::new();
    let sign = Sign {
        capsule: "hostile",
        component: "vm2",
        extra: &["--fuel", "100000000"],
        grants: &["log", "rng"],
        ..Sign::default()
    };
    let signed = scene.workshop.sign("slow.suit", &sign).unwrap();
    signed.success().unwrap();
    let slow = std::fs::read(scene.workshop.path("slow.suit")).unwrap();
    scene.finish();
    let answer = scene.deployer.put("/vm-control/vm2", &slow, 0).unwrap();
    assert_eq!(answer.code, Code::CHANGED, "{}", answer.text());

    let build = |writer: &mut Writer<'_>| writer.uri_path("/vm2/spin");
    let (request, sent) = scene.user.protect(Code::GET, build).unwrap();
    scene.user.send(&request).unwrap();
    let next = |peer: &RawPeer| {
        let received = peer.receive(Duration::from_secs(60)).unwrap();
        received.expect("a datagram")
    };
    let empty = next(&scene.user);
    assert_eq!(empty[..2], [0x60, 0], "an acknowledgement");
    // Meanwhile the device answers others, and forged acknowledgements of whatever
    // it will send change nothing.
    let mut elsewhere = scene.outsider("app");
    let forged = |_: &mut RawPeer, n: u32| {
        let kind = [Kind::Acknowledgement, Kind::Reset][usize::from(n.is_multiple_of(2))];
        let mid = u16::try_from(n / 2).unwrap();
        datagram(0x40 | kind.bits() << 4, Code::EMPTY, mid, &[])
    };
    assert_eq!(storm(&mut elsewhere, 0x2_0000, forged, |_| {}), 0);
    let answer = next(&scene.user);
    let message = Message::parse(&answer).unwrap();
    assert_eq!(message.kind, Kind::Confirmable);
    let refusal = scene.user.read(&sent, &answer).unwrap();
    assert_eq!(refusal.code, Code::INTERNAL_SERVER_ERROR);
    assert!(refusal.text().contains("fuel"), "{}", refusal.text());
    // Nobody has acknowledged it but those who did not get it.
    for kind in [Kind::Acknowledgement, Kind::Reset] {
        let forged = datagram(0x40 | kind.bits() << 4, Code::EMPTY, message.mid, &[]);
        elsewhere.send(&forged).unwrap();
    }
    assert_eq!(elsewhere.settle().unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(next(&scene.user), answer, "it comes again");
    let genuine = datagram(0x60, Code::EMPTY, message.mid, &[]);
    scene.user.send(&genuine).unwrap();
    assert_eq!(scene.user.settle().unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(scene.version().text(), "2");
}

/// Options cannot be out of order on the wire: each says by how much its number is
/// above the one before. What comes closest is a number beyond 65535.
#[test]
fn option_numbers_that_go_beyond_the_end_are_refused_inside_and_ignored_outside() {
    let mut scene = Scene::new();
    let beyond: Vec<Vec<u8>> = (0..2000_u16)
        .map(|n| {
            let [high, low] = (0xffff - 269 - n * 7).to_be_bytes();
            let [far, away] = (0xfef3 + n % 7).to_be_bytes();
            // A delta close to the highest number, and another one.
            [0xe0, high, low, 0xe1, far, away, 7].to_vec()
        })
        .collect();
    let at = |n: u32| &beyond[usize::try_from(n).unwrap()];
    let count = u32::try_from(beyond.len()).unwrap();
    let mut stranger = scene.outsider("app");
    let outside = |peer: &mut RawPeer, n| datagram(0x40, Code::GET, peer.next_mid(), at(n));
    assert_eq!(storm(&mut stranger, count, outside, |_| {}), 0);
    let inside = |peer: &mut RawPeer, n| {
        let raw = |writer: &mut Writer<'_>| writer.raw(at(n));
        peer.protect(Code::GET, raw).unwrap().0
    };
    let mut insider = scene.insider("app");
    let answers = storm(&mut insider, count, inside, |answer| {
        assert_eq!(code(answer), Code::BAD_REQUEST);
    });
    assert_eq!(answers, count);
    scene.stands();
    scene.ends();
}

#[test]
fn oversized_and_repeated_options_are_refused_or_passed_over() {
    let scene = Scene::new();
    let mut insider = scene.insider("app");
    let mut ask = |path: &str, build: &dyn Fn(&mut Writer<'_>)| {
        let (datagram, sent) = insider
            .protect(Code::GET, |writer| {
                writer.uri_path(path)?;
                build(writer);
                Ok(())
            })
            .unwrap();
        let response = insider.exchange(&datagram).unwrap();
        insider.read(&sent, &response).unwrap().code
    };
    let core = "/.well-known/core";
    for _ in 0..200 {
        for length in [0, 12, 13, 268, 269, 1100] {
            // Longer than the RFC lets it be, in an option that can be passed over.
            let of = |writer: &mut Writer<'_>| {
                let _ = writer.option(number::SIZE1, &vec![0xff; length]);
            };
            assert_eq!(ask(core, &of), Code::CONTENT, "{length}");
        }
        for (option, value) in [
            (number::BLOCK2, &[0, 0, 0, 6][..]),
            (number::BLOCK1, &[0xff; 200]),
        ] {
            let of = |writer: &mut Writer<'_>| writer.option(option, value).unwrap();
            assert_eq!(ask(core, &of), Code::BAD_OPTION);
        }
        let twice = |writer: &mut Writer<'_>| {
            writer.option(number::BLOCK2, &[6]).unwrap();
            writer.option(number::BLOCK2, &[6]).unwrap();
        };
        assert_eq!(ask(core, &twice), Code::BAD_OPTION);
        let reserved = |writer: &mut Writer<'_>| writer.option(number::BLOCK2, &[7]).unwrap();
        assert_eq!(ask(core, &reserved), Code::BAD_REQUEST);
        // As many as there is room for in a datagram: more than in the device.
        let segments =
            |writer: &mut Writer<'_>| while writer.option(number::URI_PATH, b"").is_ok() {};
        assert_eq!(ask("/vm-control", &segments), Code::BAD_REQUEST);
        let long = "x".repeat(1100);
        assert_eq!(ask(&long, &|_| {}), Code::NOT_FOUND);
    }
    scene.ends();
}

#[test]
fn unknown_options_outside_are_not_taken_for_anything() {
    let mut scene = Scene::new();
    // Without protection: everything but a key exchange is refused alike.
    let mut stranger = scene.outsider("app");
    let unknown = |n: u32| 0xffff - 269 - u16::try_from(n % 8000).unwrap() * 8;
    let plain = |peer: &mut RawPeer, n: u32| {
        let [high, low] = (unknown(n) | u16::try_from(n % 2).unwrap()).to_be_bytes();
        let rest = [0xe3, high, low, 1, 2, 3];
        datagram(0x40, Code::GET, peer.next_mid(), &rest)
    };
    let answers = storm(&mut stranger, 10_000, plain, |answer| {
        assert_eq!(code(answer), Code::UNAUTHORIZED);
    });
    assert_eq!(answers, 10_000);
    // A key exchange with a critical one is refused for that.
    let exchange = |option: u16| {
        let mut out = [0; 200];
        let header = sealift_oscore::coap::Header {
            kind: Kind::Confirmable,
            mid: option,
            token: b"t",
        };
        let mut writer = Writer::message(&mut out, header, Code::POST).unwrap();
        writer.uri_path("/.well-known/edhoc").unwrap();
        writer.option(option, b"x").unwrap();
        writer.payload(&[0]).unwrap();
        writer.as_bytes().to_vec()
    };
    for n in 0..500 {
        for (option, expected) in [
            (2001 + n * 2, Code::BAD_OPTION),
            (2000 + n * 2, Code::BAD_REQUEST),
        ] {
            let answer = stranger.exchange(&exchange(option)).unwrap();
            assert_eq!(code(&answer), expected, "{option}");
        }
    }
    // Beside a protected request they mean nothing, whatever they are (RFC 8613,
    // 8.2): the path, the block and the query that count are inside.
    let outer: [&[u8]; 5] = [
        // After the OSCORE option: a path; blocks; unknown ones.
        &[0x23, b'v', b'm', b'9'],
        &[0xd1, 0x05, 0x06],
        &[0xd1, 0x01, 0x16],
        &[0xe1, 0x10, 0x00, 1],
        &[0xe1, 0x10, 0x01, 1],
    ];
    for _ in 0..100 {
        for more in outer {
            let (request, sent) = ask(&mut scene);
            let parsed = Message::parse(&request).unwrap();
            let options = parsed.options.as_bytes();
            let head = &request[..HEAD];
            let changed = [head, options, more, &[0xff], parsed.payload].concat();
            let answer = scene.user.exchange(&changed).unwrap();
            assert_eq!(scene.user.read(&sent, &answer).unwrap().text(), "1");
        }
        // Two OSCORE options are one too many.
        let (request, _) = ask(&mut scene);
        let parsed = Message::parse(&request).unwrap();
        let options = parsed.options.as_bytes();
        let again = [&[options[0] & 0x0f][..], &options[1..]].concat();
        let head = &request[..HEAD];
        let changed = [head, options, &again, &[0xff], parsed.payload].concat();
        let answer = scene.user.exchange(&changed).unwrap();
        assert_eq!(code(&answer), Code::BAD_OPTION);
    }
    scene.ends();
}
