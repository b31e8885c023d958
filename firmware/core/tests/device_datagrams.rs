//! Datagrams through the whole device: retransmissions, options, blocks,
//! garbage.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

mod device_common;

use device_common::capsules::{LOG, Parts, persistent};
use device_common::{Rig, answering};
use sealift_manifest::Grants;
use sealift_oscore::coap::{BlockOption, Code, Message, number};
use sealift_wire::Refusal;

#[test]
fn a_retransmission_gets_the_same_answer_and_is_not_done_twice() {
    let mut rig = Rig::new();
    let capsule = persistent(Parts {
        head: LOG,
        run: "(call $info (i32.const 0) (i32.const 1))",
        answer: "\\ffx",
        ..Parts::default()
    });
    rig.install(&capsule.grant(Grants::LOG), 1);
    let mut app = rig.app();
    let (datagram, sent) = app.protect(Code::GET, |writer| writer.uri_path("/vm1/path"));
    let first = rig.send(app.address(), &datagram);
    let lines = rig.board.log().len();
    assert!(app.unprotect(&sent, &first).is_some());
    let again = rig.send(app.address(), &datagram);
    assert_eq!(first, again);
    assert_eq!(lines, rig.board.log().len(), "the capsule ran twice");
}

#[test]
fn a_long_answer_comes_in_blocks_of_the_size_asked_for() {
    let mut rig = Rig::new();
    let text: String = (0..1200)
        .map(|n| char::from(b'a' + (n % 26) as u8))
        .collect();
    rig.install(&answering(&text), 1);
    for szx in 0..=6 {
        let mut app = rig.app();
        let mut body = Vec::<u8>::new();
        for num in 0.. {
            let asked = BlockOption {
                num,
                more: false,
                szx,
            };
            let answer = rig
                .request(&mut app, Code::GET, "/vm1/path", None, Some(asked), &[])
                .unwrap();
            assert_eq!(answer.code, Code::CONTENT);
            body.extend(&answer.payload);
            if !answer.block2.is_some_and(|block| block.more) {
                break;
            }
        }
        assert_eq!(body, text.as_bytes());
    }
}

#[test]
fn a_later_block_of_nothing_does_not_run_the_capsule() {
    let mut rig = Rig::new();
    rig.install(&answering("x"), 1);
    let mut app = rig.app();
    let asked = BlockOption {
        num: 7,
        more: false,
        szx: 6,
    };
    let answer = rig
        .request(&mut app, Code::GET, "/vm1/path", None, Some(asked), &[])
        .unwrap();
    assert!(answer.is(Refusal::BlockOutOfOrder), "{answer:?}");
}

#[test]
fn unknown_critical_options_are_refused() {
    let mut rig = Rig::new();
    let mut op = rig.op();
    for (option, code) in [(2049, Code::BAD_OPTION), (2048, Code::CONTENT)] {
        let (datagram, sent) = op.protect(Code::GET, |writer| {
            writer.uri_path("/vm-control")?;
            writer.option(option, b"x")
        });
        let response = rig.send(op.address(), &datagram);
        assert_eq!(op.unprotect(&sent, &response).unwrap().code, code);
    }
}

#[test]
fn without_a_security_context_nothing_is_served() {
    let mut rig = Rig::new();
    let from = "127.0.0.1:9".parse().unwrap();
    for path in ["/vm-control", "/.well-known/core", "/vm1/path", "/"] {
        for code in [Code::GET, Code::PUT, Code::POST, Code::DELETE] {
            let header = sealift_oscore::coap::Header {
                kind: sealift_oscore::coap::Kind::Confirmable,
                mid: u16::from(code.0) * 100 + path.len() as u16,
                token: b"t",
            };
            let mut datagram = [0; 128];
            let mut writer =
                sealift_oscore::coap::Writer::message(&mut datagram, header, code).unwrap();
            writer.uri_path(path).unwrap();
            // Trigger of a known crash elsewhere: a later block of discovery.
            writer.uint(number::BLOCK2, 0x16).unwrap();
            let length = writer.finish();
            let response = rig.send(from, &datagram[..length]);
            let message = Message::parse(&response).unwrap();
            assert_eq!(message.code, Code::UNAUTHORIZED, "{code} {path}");
        }
    }
}

#[test]
fn garbage_and_damaged_requests_change_nothing() {
    let mut rig = Rig::new();
    rig.install(&answering("fine"), 1);
    let mut app = rig.app();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let (valid, _) = app.protect(Code::GET, |writer| writer.uri_path("/vm1/path"));
    let before = rig.status();
    for round in 0..4000_u32 {
        let mut datagram = valid.clone();
        if round % 2 == 0 {
            let length = random() as usize % 200;
            datagram = (0..length).map(|_| random() as u8).collect();
            if let Some(first) = datagram.first_mut() {
                *first = 0x40 | (*first & 0x3f);
            }
        } else {
            for _ in 0..=random() % 3 {
                let at = random() as usize % datagram.len();
                datagram[at] ^= 1 << (random() % 8);
            }
            datagram.truncate(random() as usize % 200 + 1);
        }
        rig.send(app.address(), &datagram);
    }
    assert_eq!(rig.status().sequence, before.sequence);
    // The same session, still.
    let answer = rig.simple(&mut app, Code::GET, "/vm1/path");
    assert_eq!(answer.payload, b"fine");
}
