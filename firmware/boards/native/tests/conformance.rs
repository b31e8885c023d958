//! What any CoAP endpoint may expect of the device without a session (RFC 7252,
//! sections 3, 4 and 5.4.1). The datagrams are written as bytes, so that our own
//! codec has no part in it.

mod common;

use std::net::UdpSocket;
use std::time::Duration;

use common::{Bench, V1};

struct Wire {
    socket: UdpSocket,
}

impl Wire {
    fn to(bench: &Bench) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let patience = Duration::from_secs(30);
        socket.set_read_timeout(Some(patience)).unwrap();
        socket.connect(bench.device.address()).unwrap();
        Self { socket }
    }

    fn receive(&self) -> Vec<u8> {
        let mut buffer = [0; 2048];
        let length = self.socket.recv(&mut buffer).unwrap();
        buffer[..length].to_vec()
    }

    /// The answer to a datagram. That there is none shows when the next one is
    /// answered: they are taken in order.
    fn answer(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        const PING: [u8; 4] = [0x40, 0, 0xfe, 0xdc];
        const PONG: [u8; 4] = [0x70, 0, 0xfe, 0xdc];
        self.socket.send(datagram).unwrap();
        self.socket.send(&PING).unwrap();
        let first = self.receive();
        if first == PONG {
            return None;
        }
        assert_eq!(self.receive(), PONG, "{datagram:02x?}");
        Some(first)
    }
}

/// The path of the key exchange, as options after others up to number `last`.
fn edhoc_path(last: u8) -> Vec<u8> {
    let mut options = vec![(11 - last) << 4 | 11];
    options.extend(b".well-known");
    options.push(5);
    options.extend(b"edhoc");
    options
}

#[test]
fn a_message_that_is_none_is_not_answered() {
    let bench = Bench::with_v1();
    let wire = Wire::to(&bench);
    let cases: &[(&str, &[u8])] = &[
        ("nothing", &[]),
        ("too short", &[0x40, 1, 0x12]),
        ("version 0", &[0x00, 1, 0x12, 0x34]),
        ("version 2", &[0x80, 1, 0x12, 0x34]),
        ("version 3", &[0xc0, 1, 0x12, 0x34]),
        ("a token past the end", &[0x48, 1, 0x12, 0x34, 7, 7]),
        ("empty with a token", &[0x41, 0, 0x12, 0x34, 7]),
        ("empty with a payload", &[0x40, 0, 0x12, 0x34, 0xff, 7]),
        ("class 1", &[0x40, 0x21, 0x12, 0x34]),
        ("class 3", &[0x40, 0x61, 0x12, 0x34]),
        ("class 6", &[0x40, 0xc1, 0x12, 0x34]),
        ("class 7", &[0x40, 0xe2, 0x12, 0x34]),
        ("a marker and no payload", &[0x40, 1, 0x12, 0x34, 0xff]),
        ("delta 15", &[0x40, 1, 0x12, 0x34, 0xf0]),
        ("length 15", &[0x40, 1, 0x12, 0x34, 0x0f]),
        ("an option past the end", &[0x40, 1, 0x12, 0x34, 0xb5, b'a']),
        (
            "an option number past 65535",
            &[0x40, 1, 0x12, 0x34, 0xe0, 0xff, 0xff, 0xe0, 0, 0],
        ),
        ("non-confirmable and empty", &[0x50, 0, 0x12, 0x34]),
        ("an acknowledgement", &[0x60, 0, 0x12, 0x34]),
        ("a reset", &[0x70, 0, 0x12, 0x34]),
        (
            "an answer in an acknowledgement",
            &[0x61, 0x45, 0x12, 0x34, 7],
        ),
        ("an answer, non-confirmable", &[0x51, 0x45, 0x12, 0x34, 7]),
    ];
    for (name, datagram) in cases {
        assert_eq!(wire.answer(datagram), None, "{name}");
    }
    for length in 9..=15 {
        let mut datagram = vec![0x40 | length, 1, 0x12, 0x34];
        datagram.extend([7; 15]);
        assert_eq!(wire.answer(&datagram), None, "a token of {length}");
    }
    bench.answers(V1);
}

#[test]
fn a_ping_or_an_answer_that_nobody_waits_for_is_reset() {
    let bench = Bench::new();
    let wire = Wire::to(&bench);
    for mid in [0, 1, 0x1234, 0xffff_u16] {
        let [high, low] = mid.to_be_bytes();
        let reset = Some(vec![0x70, 0, high, low]);
        assert_eq!(wire.answer(&[0x40, 0, high, low]), reset);
        // 2.05, confirmable, with a token.
        assert_eq!(wire.answer(&[0x42, 0x45, high, low, 1, 2]), reset);
    }
}

#[test]
fn an_unprotected_request_is_answered_where_it_came_from() {
    let bench = Bench::new();
    let wire = Wire::to(&bench);
    for length in 0..=8_u8 {
        let token: Vec<u8> = (1..=length).collect();
        let with = |first: u8, rest: &[u8]| {
            let mut datagram = vec![first | length];
            datagram.extend(rest);
            datagram.extend(&token);
            datagram
        };
        // Whatever the method, one that nobody knows, too.
        for code in [1, 2, 3, 4, 5, 6, 7, 31] {
            let asked = with(0x40, &[code, length, code]);
            let unauthorized = Some(with(0x60, &[0x81, length, code]));
            assert_eq!(wire.answer(&asked), unauthorized);
            // And again, as after a loss.
            assert_eq!(wire.answer(&asked), unauthorized);
        }
        // Non-confirmable: the same token, and a message ID of the device's.
        let answer = wire.answer(&with(0x50, &[1, 0x12, length])).unwrap();
        assert_eq!(answer[..2], [0x50 | length, 0x81]);
        assert_eq!(answer[4..], token);
    }
}

#[test]
fn the_key_exchange_knows_which_options_it_must_know() {
    let bench = Bench::new();
    let wire = Wire::to(&bench);
    const BAD_REQUEST: u8 = 0x80;
    const BAD_OPTION: u8 = 0x82;
    let before = |options: &[u8], last: u8| [options, &edhoc_path(last)].concat();
    let after = |options: &[u8]| [&edhoc_path(0)[..], options].concat();
    // Not a message of EDHOC: what is asked is read, and refused.
    let cases: [(&str, Vec<u8>, u8); 9] = [
        ("nothing else", edhoc_path(0), BAD_REQUEST),
        ("If-Match", before(&[0x10], 1), BAD_OPTION),
        ("Uri-Host", before(&[0x31, b'd'], 3), BAD_REQUEST),
        ("ETag", before(&[0x41, b'e'], 4), BAD_REQUEST),
        ("If-None-Match", before(&[0x50], 5), BAD_OPTION),
        ("Observe", before(&[0x60], 6), BAD_REQUEST),
        ("Uri-Port", before(&[0x72, 0x16, 0x33], 7), BAD_REQUEST),
        ("9999", after(&[0xe0, 0x25, 0xf7]), BAD_OPTION),
        ("9998", after(&[0xe0, 0x25, 0xf6]), BAD_REQUEST),
    ];
    for (mid, (name, options, code)) in (1..).zip(cases) {
        let datagram = [&[0x40, 2, 0x33, mid], &options[..], b"\xffgarbage"].concat();
        let answer = wire.answer(&datagram).unwrap();
        assert_eq!(answer[..4], [0x60, code, 0x33, mid], "{name}");
    }
}
