//! The test vectors of RFC 8613 appendix C, all of them.

use crate::coap::{Code, Header, Kind, Message, number};
use crate::context::{Parameters, PartialIv, SecurityContext};
use crate::protect::{Binding, OscoreOption};
use std::vec::Vec;

const SECRET: &str = "0102030405060708090a0b0c0d0e0f10";
const SALT: &str = "9e7ca92223786340";
const ID_CONTEXT: &str = "37cbf3210017a2d3";

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn context(salt: &str, sender: &str, recipient: &str, id_context: Option<&str>) -> SecurityContext {
    SecurityContext::derive(&Parameters {
        master_secret: &hex(SECRET),
        master_salt: &hex(salt),
        sender_id: &hex(sender),
        recipient_id: &hex(recipient),
        id_context: id_context.map(hex).as_deref(),
    })
    .unwrap()
}

fn check_keys(
    of: &SecurityContext,
    sender_key: &str,
    recipient_key: &str,
    sender_nonce: &str,
    recipient_nonce: &str,
) {
    let zero = PartialIv::new(0).unwrap();
    assert_eq!(of.keys(), [hex(sender_key), hex(recipient_key)]);
    assert_eq!(of.sender_nonce(&zero).to_vec(), hex(sender_nonce));
    assert_eq!(of.recipient_nonce(&zero).to_vec(), hex(recipient_nonce));
}

#[test]
fn c1_with_salt() {
    let (a, b) = (
        "f0910ed7295e6ad4b54fc793154302ff",
        "ffb14e093c94c9cac9471648b4f98710",
    );
    let (na, nb) = ("4622d4dd6d944168eefb54987c", "4722d4dd6d944169eefb54987c");
    check_keys(&context(SALT, "", "01", None), a, b, na, nb);
    check_keys(&context(SALT, "01", "", None), b, a, nb, na);
}

#[test]
fn c2_without_salt() {
    let (a, b) = (
        "321b26943253c7ffb6003b0b64d74041",
        "e57b5635815177cd679ab4bcec9d7dda",
    );
    let (na, nb) = ("bf35ae297d2dace910c52e99f9", "bf35ae297d2dace810c52e99f9");
    check_keys(&context("", "00", "01", None), a, b, na, nb);
    check_keys(&context("", "01", "00", None), b, a, nb, na);
}

#[test]
fn c3_with_id_context() {
    let (a, b) = (
        "af2a1300a5e95788b356336eeecd2b92",
        "e39a0c7c77b43f03b4b39ab9a268699f",
    );
    let (na, nb) = ("2ca58fb85ff1b81c0b7181b85e", "2da58fb85ff1b81d0b7181b85e");
    check_keys(&context(SALT, "", "01", Some(ID_CONTEXT)), a, b, na, nb);
    check_keys(&context(SALT, "01", "", Some(ID_CONTEXT)), b, a, nb, na);
}

/// Protects GET /tv1 as the client with sequence number 20 does and compares with
/// the vector; unprotects the vector as the server. The vectors carry an outer
/// Uri-Host, which this crate does not write: option value and payload are compared.
fn check_request(
    mut client: SecurityContext,
    mut server: SecurityContext,
    vector: &str,
) -> Binding {
    let vector = hex(vector);
    let vector = Message::parse(&vector).unwrap();
    client.set_sequence(20);
    let mut out = [0; 128];
    let (length, _) = client
        .protect_request(vector.header(), Code::GET, |w| w.uri_path("tv1"), &mut out)
        .unwrap();
    let ours = Message::parse(&out[..length]).unwrap();
    assert_eq!(ours.code, vector.code);
    assert_eq!(ours.header(), vector.header());
    assert_eq!(ours.option(number::OSCORE), vector.option(number::OSCORE));
    assert_eq!(ours.payload, vector.payload);
    assert_eq!(client.sequence(), 21);

    let mut scratch = [0; 128];
    let option = OscoreOption::of(&vector).unwrap();
    let (inner, binding) = server
        .unprotect_request(&option, vector.payload, &mut scratch)
        .unwrap();
    assert_eq!(inner.code, Code::GET);
    assert!(inner.path_is(&["tv1"]));
    assert!(inner.payload.is_empty());
    binding
}

const REQUEST_C4: &str = "44025d1f00003974396c6f63616c686f7374620914ff612f1092f1776f1c1668b3825e";

#[test]
fn c4_request() {
    let _ = check_request(
        context(SALT, "", "01", None),
        context(SALT, "01", "", None),
        REQUEST_C4,
    );
}

#[test]
fn c5_request_with_another_identifier() {
    let _ = check_request(
        context("", "00", "01", None),
        context("", "01", "00", None),
        "440271c30000b932396c6f63616c686f737463091400ff4ed339a5a379b0b8bc731fffb0",
    );
}

#[test]
fn c6_request_with_id_context() {
    let _ = check_request(
        context(SALT, "", "01", Some(ID_CONTEXT)),
        context(SALT, "01", "", Some(ID_CONTEXT)),
        "44022f8eef9bbf7a396c6f63616c686f73746b19140837cbf3210017a2d3ff72cd7273fd331ac45cffbe55c3",
    );
}

#[test]
fn c7_and_c8_responses() {
    let with_request_nonce =
        hex("64445d1f0000397490ffdbaad1e9a7e7b2a813d3c31524378303cdafae119106");
    let with_own_nonce =
        hex("64445d1f00003974920100ff4d4c13669384b67354b2b6175ff4b8658c666a6cf88e");
    let mut client = context(SALT, "", "01", None);
    let mut server = context(SALT, "01", "", None);
    let binding = check_request(
        context(SALT, "", "01", None),
        context(SALT, "01", "", None),
        REQUEST_C4,
    );
    let header = Header {
        kind: Kind::Acknowledgement,
        mid: 0x5d1f,
        token: &[0, 0, 0x39, 0x74],
    };
    let mut out = [0; 128];
    let (length, answered) = server
        .protect_response(
            binding,
            header,
            Code::CONTENT,
            |w| w.payload(b"Hello World!"),
            &mut out,
        )
        .unwrap();
    assert_eq!(out[..length], with_request_nonce);
    assert_eq!(server.sequence(), 0);
    let length = server
        .protect_further_response(
            &answered,
            header,
            Code::CONTENT,
            |w| w.payload(b"Hello World!"),
            &mut out,
        )
        .unwrap();
    assert_eq!(out[..length], with_own_nonce);
    assert_eq!(server.sequence(), 1);

    client.set_sequence(20);
    let (_, sent) = client
        .protect_request(header, Code::GET, |w| w.uri_path("tv1"), &mut out)
        .unwrap();
    for response in [with_request_nonce, with_own_nonce] {
        let response = Message::parse(&response).unwrap();
        let mut scratch = [0; 128];
        let inner = client
            .unprotect_response(&sent, &response, &mut scratch)
            .unwrap();
        assert_eq!(inner.code, Code::CONTENT);
        assert_eq!(inner.payload, b"Hello World!");
    }
}
