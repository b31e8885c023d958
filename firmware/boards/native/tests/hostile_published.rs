//! Defects of published CoAP and OSCORE crates, in a row from A to F: datagrams
//! that crash or hang a device which is built on them. Each is sent to ours, with
//! thousands of its kind.
//!
//! Found on coapcore 0.1.1, liboscore 0.2.7 and coap-handler-implementations 0.6.4.

mod hostile_common;

use hostile_common::{Scene, code, datagram, storm};
use rand_core::OsRng;
use sealift_oscore::ClientHandshake;
use sealift_oscore::coap::{BlockOption, Code, Options, Writer, number};
use testbed::RawPeer;

/// A GET of `/.well-known/core`, in the bytes of its options.
const CORE: &[u8] = b"\xbb.well-known\x04core";
/// First byte of a confirmable message without a token.
const CON: u8 = 0x40;

/// A: coap-handler-implementations, `helpers.rs`: an unauthenticated GET of
/// discovery panics, if it has a Block2 option that asks for a later block or is
/// empty.
#[test]
fn a_discovery_of_a_later_block_or_an_empty_block_option_crashes_nothing() {
    let scene = Scene::new();
    // Block2 is option 23, 12 after Uri-Path. All values of up to 2 bytes, and of 3
    // bytes the ones around the highest number.
    let block2 = |n: u32| {
        let value = match n {
            0 => vec![],
            1..=0x100 => vec![n.to_be_bytes()[3].wrapping_sub(1)],
            0x101..=0x3fff => n.wrapping_mul(5).to_be_bytes()[2..].to_vec(),
            _ => (0xff_ffff - (n & 0x3fff)).to_be_bytes()[1..].to_vec(),
        };
        let head = 0xc0 | u8::try_from(value.len()).unwrap();
        [CORE, &[head], &value].concat()
    };
    let mut stranger = scene.outsider("app");
    let answers = storm(
        &mut stranger,
        0x5000,
        |peer, n| datagram(CON, Code::GET, peer.next_mid(), &block2(n)),
        |answer| assert_eq!(code(answer), Code::UNAUTHORIZED),
    );
    assert_eq!(answers, 0x5000);

    // Who may ask gets the blocks that there are, and an error for others.
    let mut insider = scene.insider("app");
    let core = "/.well-known/core";
    let whole = insider.request(Code::GET, core, None, &[]).unwrap();
    let mut ask = |value: &[u8]| {
        let (datagram, sent) = insider
            .protect(Code::GET, |writer| {
                writer.uri_path(core)?;
                writer.option(number::BLOCK2, value)
            })
            .unwrap();
        let response = insider.exchange(&datagram).unwrap();
        insider.read(&sent, &response).unwrap()
    };
    let first = ask(&[]);
    assert_eq!(first.code, Code::CONTENT);
    assert_eq!(first.payload, whole.payload[..16]);
    let second = ask(&[0x10]);
    assert_eq!(second.code, Code::CONTENT);
    assert_eq!(second.payload, whole.payload[16..32]);
    for beyond in [&[0x16][..], &[0xf0, 0xf6], &[0xff, 0xff, 0xf6]] {
        assert_eq!(ask(beyond).code, Code::BAD_REQUEST);
    }
    scene.ends();
}

/// Sends requests with these inner bytes, after the code, over a session. Returns
/// how many there were.
fn inner(peer: &mut RawPeer, code: Code, bytes: &[Vec<u8>], check: impl FnMut(&[u8])) -> u32 {
    let count = u32::try_from(bytes.len()).unwrap();
    let make = |peer: &mut RawPeer, n: u32| {
        let bytes = &bytes[usize::try_from(n).unwrap()];
        let raw = |writer: &mut Writer<'_>| writer.raw(bytes);
        peer.protect(code, raw).unwrap().0
    };
    assert_eq!(storm(peer, count, make, check), count);
    count
}

/// B: liboscore, `OptionsIter::next`: a malformed option inside a protected request
/// is iterated over for ever.
#[test]
fn b_a_malformed_inner_option_hangs_nothing() {
    let scene = Scene::new();
    // Whatever has two bytes and is no option: by itself, and after good ones.
    let malformed: Vec<_> = (0..=u16::MAX)
        .map(u16::to_be_bytes)
        .filter(|bytes| Options::parse(bytes).is_err())
        .step_by(5)
        .flat_map(|bytes| [bytes.to_vec(), [CORE, &bytes].concat()])
        .filter(|bytes| Options::parse(bytes).is_err())
        .collect();
    let mut insider = scene.insider("app");
    let count = inner(&mut insider, Code::GET, &malformed, |answer| {
        assert_eq!(code(answer), Code::BAD_REQUEST);
    });
    assert!(count > 10_000, "{count}");
    scene.ends();
}

/// C: liboscore, `get_option_behaviour`: a legal option that it does not know, such
/// as Request-Tag, inside a protected request is iterated over for ever.
#[test]
fn c_an_unknown_inner_option_hangs_nothing() {
    let scene = Scene::new();
    let known = [
        number::URI_HOST,
        number::URI_PORT,
        number::URI_PATH,
        number::URI_QUERY,
        number::ACCEPT,
        number::BLOCK2,
        number::BLOCK1,
    ];
    let unknown: Vec<u16> = (0..=u16::MAX)
        .filter(|option| *option <= 300 || option % 7 == 0)
        .filter(|option| !known.contains(option))
        .collect();
    let mut insider = scene.insider("app");
    let mut ask = |option: u16, path: &str| {
        let value = &[0xaa; 300][..usize::from(option % 5) * 70];
        let build = |writer: &mut Writer<'_>| {
            if option < number::URI_PATH {
                writer.option(option, value)?;
            }
            writer.uri_path(path)?;
            if option > number::URI_PATH {
                writer.option(option, value)?;
            }
            Ok(())
        };
        let (datagram, sent) = insider.protect(Code::GET, build).unwrap();
        let response = insider.exchange(&datagram).unwrap();
        insider.read(&sent, &response).unwrap()
    };
    // One of them with a capsule, to which its meaning is left.
    assert_eq!(ask(number::REQUEST_TAG, "/vm1/version").text(), "1");
    for option in unknown {
        let expected = match option % 2 {
            0 => Code::CONTENT,
            _ => Code::BAD_OPTION,
        };
        let answer = ask(option, "/.well-known/core");
        assert_eq!(answer.code, expected, "option {option}");
    }
    scene.ends();
}

/// D: liboscore, `oscore_message.c`, `parse_option`: an option inside a protected
/// request that says it is longer than what is left is read past its end.
#[test]
fn d_an_inner_option_that_is_too_long_reads_nothing_past_its_end() {
    let scene = Scene::new();
    let mut too_long = Vec::new();
    for claimed in (1..300).chain([1152, 1153, 0x7fff, 0xffff, 0xffff + 269]) {
        let head = match claimed {
            0..13_u32 => vec![claimed.to_be_bytes()[3]],
            13..269 => vec![13, (claimed - 13).to_be_bytes()[3]],
            _ => [&[14], &(claimed - 269).to_be_bytes()[2..]].concat(),
        };
        let claimed = usize::try_from(claimed).unwrap();
        for there in [0, 1, claimed / 2, claimed - 1] {
            let value = vec![0x55; there.min(claimed - 1).min(1000)];
            for before in [&[][..], CORE] {
                too_long.push([before, &head, &value].concat());
            }
        }
    }
    let mut insider = scene.insider("app");
    for _ in 0..4 {
        inner(&mut insider, Code::GET, &too_long, |answer| {
            assert_eq!(code(answer), Code::BAD_REQUEST);
            // The refusal, and nothing of what lies in memory.
            assert_eq!(answer.len(), 6);
        });
    }
    scene.ends();
}

/// E: coapcore, `scope.rs`: a protected request whose inner code is 0.00 panics. It
/// could be sent by anybody, for a stranger's credential was taken by value.
#[test]
fn e_an_inner_code_that_is_no_request_crashes_nothing() {
    let scene = Scene::new();
    let mut insider = scene.insider("app");
    for bytes in [&[][..], CORE, b"\xffpayload"] {
        for raw in 0..=u8::MAX {
            let is_request = Code(raw).is_request();
            inner(
                &mut insider,
                Code(raw),
                &vec![bytes.to_vec(); 16],
                |answer| {
                    let expected = match is_request {
                        true => Code::CHANGED,
                        false => Code::BAD_REQUEST,
                    };
                    assert_eq!(code(answer), expected, "{raw}");
                },
            );
        }
    }
    // What no request method is, is answered under protection.
    let fetch = Code::FETCH;
    let answer = insider.request(fetch, "/.well-known/core", None, &[]);
    assert_eq!(answer.unwrap().code, Code::METHOD_NOT_ALLOWED);

    scene.workshop.credential("stranger").unwrap();
    assert!(scene.outsider("stranger").connect().is_err());
    scene.ends();
}

/// F: coapcore, `seccontext.rs`: a datagram with the key identifier of a session, an
/// EDHOC option and garbage deletes the session. The identifier has one byte, and
/// any sender address would do.
#[test]
fn f_garbage_with_an_edhoc_option_deletes_no_session() {
    let mut scene = Scene::new();
    let garbage: [&[u8]; 6] = [
        &[0],
        &[0x40],
        &[0x58, 0x20, 1, 2],
        &[0x4a; 40],
        &[0xbf; 30],
        // A message_3 of the right length, and a ciphertext.
        &[[&[0x58, 0x20][..], &[7; 32]].concat(), vec![9; 40]].concat(),
    ];
    let spoofed = |mid: u16, n: u32| {
        let [.., step, kid] = n.to_be_bytes();
        let payload = garbage[usize::from(step) % garbage.len()];
        // Partial IVs from 0 on: the victim's next one is among them.
        let oscore = [0x09, step, kid];
        let options = [&[0x93][..], &oscore, &[0xc0], &[0xff], payload].concat();
        datagram(CON, Code::POST, mid, &options)
    };
    let refused = |answer: &[u8]| assert_eq!(code(answer), Code::BAD_REQUEST);
    let mut elsewhere = scene.outsider("app");
    let make = |peer: &mut RawPeer, n| spoofed(peer.next_mid(), n);
    assert_eq!(storm(&mut elsewhere, 0x4000, make, refused), 0x4000);
    // From the very address of the victims.
    let Scene { user, deployer, .. } = &mut scene;
    for victim in [user, deployer] {
        assert_eq!(storm(victim, 0x1000, make, refused), 0x1000);
    }
    scene.ends();
}

/// What all of them have in common: whoever gives a false address gets no more sent
/// there than it has sent itself.
#[test]
fn no_answer_to_a_stranger_is_longer_than_its_question() {
    let scene = Scene::new();
    let mut stranger = scene.outsider("app");
    let (_, message_1) =
        ClientHandshake::start(stranger.identity(), stranger.device(), &mut OsRng).unwrap();
    for _ in 0..8 {
        // Message_2, and then a request to prove the address.
        let question = stranger.post_edhoc(&message_1, None).unwrap();
        let answer = stranger.exchange(&question).unwrap();
        assert!(answer.len() <= question.len(), "{answer:x?}");
    }
    let block = BlockOption {
        num: 1,
        more: false,
        szx: 6,
    };
    let oscore = [0x93, 0x09, 0x00, 0x01, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    let discovery = [
        CORE,
        &[0xc1, u8::try_from(block.encode().unwrap()).unwrap()],
    ]
    .concat();
    for rest in [&oscore[..], &discovery, b""] {
        let mid = stranger.next_mid();
        let question = datagram(CON, Code::GET, mid, rest);
        let answer = stranger.exchange(&question).unwrap();
        assert!(answer.len() <= question.len(), "{answer:x?}");
    }
    scene.ends();
}
