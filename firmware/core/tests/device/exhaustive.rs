//! Whole families of protected requests, one after the other: every short inner
//! message, every option number, every header, every flipped bit. What is refused
//! has touched nothing.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

use crate::device_common::{Rig, Session, answering, envelope};
use sealift_oscore::coap::{BlockOption, Code, Message, Options, Writer, number};
use sealift_oscore::protect::Sent;
use sealift_wire::Refusal;

const VM1: &str = "/vm-control/vm1";
const CORE: &str = "/.well-known/core";

/// What came of a datagram.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Nothing,
    /// An answer without protection: the request was not taken.
    Refused(Code),
    /// A protected answer.
    Done(Code),
}

fn outcome(rig: &mut Rig, session: &Session, (datagram, sent): &(Vec<u8>, Sent)) -> Outcome {
    let response = rig.send(session.address(), datagram);
    if let Some(answer) = session.unprotect(sent, &response) {
        return Outcome::Done(answer.code);
    }
    match Message::parse(&response) {
        Ok(message) => Outcome::Refused(message.code),
        Err(_) => Outcome::Nothing,
    }
}

/// A request. There are more of them than message IDs, which begin anew.
fn protect(
    session: &mut Session,
    code: Code,
    build: impl FnOnce(&mut Writer<'_>) -> Result<(), sealift_oscore::coap::Error>,
) -> (Vec<u8>, Sent) {
    session.mid %= 60_000;
    session.protect(code, build)
}

#[test]
fn every_inner_message_of_up_to_three_bytes_is_taken_or_refused() {
    let mut rig = Rig::new();
    rig.install(&answering("fine"), 1);
    let mut app = rig.app();
    let before = rig.flash.0.borrow().steps();
    let mut counts = [0_u32; 2];
    let mut ask = |rig: &mut Rig, code: Code, bytes: &[u8]| {
        let request = protect(&mut app, code, |writer| writer.raw(bytes));
        let good = code.is_request() && Options::parse(bytes).is_ok();
        match outcome(rig, &app, &request) {
            Outcome::Done(_) => assert!(good, "{code} {bytes:x?}"),
            Outcome::Refused(refused) => {
                assert!(!good, "{code} {bytes:x?}");
                assert_eq!(refused, Code::BAD_REQUEST);
            }
            Outcome::Nothing => panic!("no answer to {code} {bytes:x?}"),
        }
        counts[usize::from(good)] += 1;
    };
    for first in 0..=u8::MAX {
        ask(&mut rig, Code(first), &[]);
        for second in 0..=u8::MAX {
            ask(&mut rig, Code(first), &[second]);
            ask(&mut rig, Code::GET, &[first, second]);
        }
    }
    let [bad, good] = counts;
    assert!(bad > 100_000 && good > 1000, "{bad} {good}");
    assert_eq!(rig.flash.0.borrow().steps(), before);
    app.mid = 0;
    assert_eq!(
        rig.simple(&mut app, Code::GET, "/vm1/path").payload,
        b"fine"
    );
}

#[test]
fn every_option_number_is_passed_over_or_refused() {
    let mut rig = Rig::new();
    let mut app = rig.app();
    let known = [
        number::URI_HOST,
        number::URI_PORT,
        number::URI_PATH,
        number::URI_QUERY,
        number::ACCEPT,
        number::BLOCK2,
        number::BLOCK1,
    ];
    for option in 0..=u16::MAX {
        let build = |writer: &mut Writer<'_>| {
            if option <= number::URI_PATH {
                writer.option(option, b"x")?;
                writer.uri_path(CORE)
            } else {
                writer.uri_path(CORE)?;
                writer.option(option, b"x")
            }
        };
        let request = protect(&mut app, Code::GET, build);
        let expected = match option {
            number::URI_PATH => Code::NOT_FOUND,
            // "x" is a later block, of which there is none, and another format.
            number::BLOCK1 => Code::TOO_LARGE,
            number::BLOCK2 => Code::BAD_REQUEST,
            number::ACCEPT => Code::new(4, 6),
            _ if option % 2 == 0 || known.contains(&option) => Code::CONTENT,
            _ => Code::BAD_OPTION,
        };
        let outcome = outcome(&mut rig, &app, &request);
        assert_eq!(outcome, Outcome::Done(expected), "option {option}");
    }
}

/// The first two bytes - version, type, length of the token, code - are not
/// protected.
#[test]
fn a_request_with_any_two_first_bytes_is_done_at_most_once() {
    let mut rig = Rig::new();
    let mut op = rig.op();
    let (genuine, sent) = op.protect(Code::GET, |writer| writer.uri_path(VM1));
    let mut done = 0;
    for head in 0..=u16::MAX {
        let mut request = genuine.clone();
        request[..2].copy_from_slice(&head.to_be_bytes());
        let response = rig.send(op.address(), &request);
        done += usize::from(op.unprotect(&sent, &response).is_some());
    }
    assert_eq!(done, 1);
    let answer = rig.simple(&mut op, Code::GET, VM1);
    assert_eq!(answer.code, Code::CONTENT);
}

#[test]
fn no_request_of_any_kind_survives_a_flipped_bit_or_a_cut() {
    let mut rig = Rig::new();
    rig.install(&answering("one"), 1);
    rig.install(&answering("two"), 2);
    let three = envelope(&answering("three"), 3, |_| {});
    let kinds: [(Code, &str, &[u8]); 7] = [
        (Code::GET, VM1, b""),
        (Code::PUT, VM1, &three[..1024]),
        (Code::PUT, "/vm-control/vm1/payload", b"payload"),
        (Code::POST, "/vm-control/vm1/confirm", b""),
        (Code::POST, "/vm-control/vm1/rollback", b""),
        (Code::DELETE, VM1, b""),
        (Code::POST, "/vm-run", b"job"),
    ];
    let before = rig.flash.0.borrow().steps();
    for (code, path, payload) in kinds {
        let mut op = rig.op();
        let (genuine, sent) = op.protect(code, |writer| {
            writer.uri_path(path)?;
            if payload.len() == 1024 {
                let block = BlockOption {
                    num: 0,
                    more: true,
                    szx: 6,
                };
                writer.block(number::BLOCK1, block)?;
            }
            writer.payload(payload)
        });
        // Header and token of two bytes are not protected.
        for bit in 6 * 8..genuine.len() * 8 {
            let mut flipped = genuine.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let response = rig.send(op.address(), &flipped);
            assert!(
                op.unprotect(&sent, &response).is_none(),
                "{path}: bit {bit}"
            );
        }
        for length in 0..genuine.len() {
            let response = rig.send(op.address(), &genuine[..length]);
            assert!(op.unprotect(&sent, &response).is_none(), "{path}: {length}");
        }
        assert_eq!(rig.flash.0.borrow().steps(), before, "{path}");
    }
    rig.asks("two");
    // What was flipped is, unflipped, as good as ever.
    let mut op = rig.op();
    let answer = rig.simple(&mut op, Code::POST, "/vm-control/vm1/rollback");
    assert_eq!(answer.code, Code::CHANGED);
    rig.asks("one");
}

#[test]
fn every_block_option_of_up_to_two_bytes_is_answered() {
    let mut rig = Rig::new();
    rig.install(&answering("fine"), 1);
    let (mut op, mut app) = (rig.op(), rig.app());
    let before = rig.flash.0.borrow().steps();
    for value in 0..=u16::MAX {
        let value = value.to_be_bytes();
        let value = match value {
            [0, low] => [low].to_vec(),
            both => both.to_vec(),
        };
        let reserved = value[value.len() - 1] & 7 == 7;
        for (deploys, path, option) in [
            (false, CORE, number::BLOCK2),
            (false, "/vm1/path", number::BLOCK1),
            (true, "/vm-control/vm2/payload", number::BLOCK1),
        ] {
            let session = if deploys { &mut op } else { &mut app };
            let code = match path {
                CORE => Code::GET,
                _ => Code::PUT,
            };
            let (datagram, sent) = protect(session, code, |writer| {
                writer.uri_path(path)?;
                writer.option(option, &value)
            });
            let response = rig.send(session.address(), &datagram);
            let answer = session.unprotect(&sent, &response).expect("an answer");
            assert!(answer.is(Refusal::BadRequest) || !reserved, "{value:x?}");
        }
    }
    assert_eq!(rig.flash.0.borrow().steps(), before);
    app.mid = 0;
    assert_eq!(
        rig.simple(&mut app, Code::GET, "/vm1/path").payload,
        b"fine"
    );
}
