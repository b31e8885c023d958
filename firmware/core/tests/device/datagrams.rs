//! Datagrams through the whole device: retransmissions, options, blocks,
//! garbage.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

use crate::device_common::capsules::{LOG, Parts, persistent};
use crate::device_common::{Rig, answering, envelope, logged};
use sealift_manifest::Grants;
use sealift_oscore::Identity;
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
fn blocks_of_different_requests_do_not_mix() {
    let mut rig = Rig::new();
    // Answers with what it was asked: options and payload.
    let mirror = persistent(Parts {
        run: "(memory.copy (i32.const 513) (local.get $message) (i32.const 1099))",
        answer: &format!("\\ff{}", "x".repeat(1099)),
        ..Parts::default()
    });
    rig.install(&mirror, 1);
    let mut app = rig.app();
    let block = |num, more| BlockOption { num, more, szx: 6 };
    let mut ask = |rig: &mut Rig, query: &[u8], number, value: BlockOption, body: &[u8]| {
        let (datagram, sent) = app.protect(Code::PUT, |writer| {
            writer.uri_path("/vm1/path")?;
            writer.option(number::URI_QUERY, query)?;
            writer.block(number, value)?;
            writer.payload(body)
        });
        let response = rig.send(app.address(), &datagram);
        app.unprotect(&sent, &response).unwrap()
    };
    // The beginning of one body is not that of another.
    let start = ask(&mut rig, b"a", number::BLOCK1, block(0, true), &[1; 1024]);
    assert_eq!(start.code, Code::CONTINUE);
    let end = ask(&mut rig, b"b", number::BLOCK1, block(1, false), b"");
    assert!(end.is(Refusal::BlockOutOfOrder), "{end:?}");
    // Nor is the end of one answer that of another.
    let first = ask(&mut rig, b"a", number::BLOCK2, block(0, false), b"");
    assert!(first.block2.is_some_and(|block| block.more));
    let second = ask(&mut rig, b"b", number::BLOCK2, block(1, false), b"");
    assert!(second.is(Refusal::BlockOutOfOrder), "{second:?}");
    let second = ask(&mut rig, b"a", number::BLOCK2, block(1, false), b"");
    assert_eq!(second.code, Code::CONTENT);
}

#[test]
fn an_answer_before_the_last_block_asks_for_no_more() {
    let mut rig = Rig::new();
    let capsule = answering("one");
    rig.install(&capsule, 1);
    let mut op = rig.op();
    let same = envelope(&capsule, 1, |_| {});
    let answer = rig.piece(&mut op, Code::PUT, "/vm-control/vm1", 0, &same);
    assert_eq!(answer.code, Code::VALID);
    assert_eq!(answer.block1.map(|block| block.more), Some(false));
    // A sender that goes on all the same comes to the same end.
    assert_eq!(
        rig.put(&mut op, "/vm-control/vm1", &same).unwrap().code,
        Code::VALID
    );
    for num in 1..(same.len() as u32).div_ceil(1024) {
        let answer = rig.piece(&mut op, Code::PUT, "/vm-control/vm1", num, &same);
        assert_eq!(answer.code, Code::VALID);
    }
    let older = envelope(&answering("two"), 1, |_| {});
    let answer = rig.piece(&mut op, Code::PUT, "/vm-control/vm1", 0, &older);
    assert!(answer.is(Refusal::OldSequence));
    assert_eq!(answer.block1.map(|block| block.more), Some(false));
}

#[test]
fn a_refusal_comes_in_blocks_of_the_size_asked_for() {
    let mut rig = Rig::new();
    let mut app = rig.app();
    let mut text = Vec::<u8>::new();
    for num in 0.. {
        let asked = BlockOption {
            num,
            more: false,
            szx: 0,
        };
        let answer = rig
            .request(&mut app, Code::GET, "/vm-control", None, Some(asked), &[])
            .unwrap();
        assert_eq!(answer.code, Code::FORBIDDEN);
        assert!(answer.payload.len() <= 16);
        text.extend(&answer.payload);
        if !answer.block2.is_some_and(|block| block.more) {
            break;
        }
    }
    assert_eq!(text, Refusal::NotAllowed.to_string().into_bytes());
}

#[test]
fn a_request_that_is_too_long_for_it_does_not_stop_a_capsule() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    let mut op = rig.op();
    let two = envelope(&answering("two"), 2, |_| {});
    rig.put(&mut op, "/vm-control/vm1", &two).unwrap();
    let tries = rig.status().tries_left;
    let mut app = rig.app();
    for _ in 0..4 {
        for num in 0..2 {
            let (datagram, sent) = app.protect(Code::PUT, |writer| {
                writer.uri_path("/vm1/path")?;
                for _ in 0..2 {
                    writer.option(number::URI_QUERY, &[b'x'; 200])?;
                }
                writer.block(
                    number::BLOCK1,
                    BlockOption {
                        num,
                        more: num == 0,
                        szx: 5,
                    },
                )?;
                writer.payload(&[0; 512])
            });
            let response = rig.send(app.address(), &datagram);
            let answer = app.unprotect(&sent, &response).unwrap();
            assert!(num == 0 || answer.is(Refusal::TooLarge), "{answer:?}");
        }
    }
    assert_eq!(rig.status().tries_left, tries);
    rig.asks("two");
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
fn the_log_says_who_was_refused_and_nobody_writes_lines_of_their_own() {
    let mut rig = Rig::new();
    let stranger = Identity::generate("stranger", &mut rand_core::OsRng).unwrap();
    assert!(rig.connect(&stranger, 3000).is_none());
    let log = logged();
    let of_stranger = log.iter().find(|line| line.starts_with("127.0.0.1:3000: "));
    assert!(of_stranger.is_some(), "{log:?}");

    let mut app = rig.app();
    let answer = rig.simple(&mut app, Code::GET, "/vm-control\nERROR: vm1: removed");
    assert!(answer.is(Refusal::NotFound));
    let log = logged();
    assert!(log.iter().any(|line| line.contains("vm1: removed")));
    assert!(log.iter().all(|line| !line.contains('\n')), "{log:?}");
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
