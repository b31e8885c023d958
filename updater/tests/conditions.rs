//! What a device answers when it is busy, unsure or short of room, and what the
//! client makes of it.

mod common;

use std::net::UdpSocket;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Answer, Bench, COMPONENT, Manner, Model, bytes, package};
use rand_core::OsRng;
use sealift_oscore::coap::{Header, Kind, Message};
use sealift_oscore::{ClientHandshake, client};
use sealift_wire::{Phase, Refusal};
use updater::blocks::BlockError;
use updater::{Advice, Code, Error, Flow, Method, Request};

fn bench() -> Bench {
    Bench::new(Model::default(), Manner::default())
}

fn with(model: Model) -> Bench {
    Bench::new(model, Manner::default())
}

/// A key exchange that is begun from an address of its own, and left there.
fn leave_half_open(bench: &Bench) {
    let device = bench.device.url.strip_prefix("coap://").unwrap();
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let (_, message_1) =
        ClientHandshake::start(&bench.operator, &bench.device.credential, &mut OsRng).unwrap();
    let header = Header {
        kind: Kind::Confirmable,
        mid: 1,
        token: b"t",
    };
    let mut out = [0; 300];
    let length = client::edhoc_post(header, &message_1, &mut out).unwrap();
    socket.send_to(&out[..length], device).unwrap();
    let length = socket.recv(&mut out).unwrap();
    let answer = Message::parse(&out[..length]).unwrap();
    assert!(matches!(answer.code, Code::CHANGED | Code::UNAUTHORIZED));
}

#[test]
fn a_device_with_many_key_exchanges_gets_its_echo() {
    let bench = bench();
    for _ in 0..4 {
        leave_half_open(&bench);
    }
    let mut client = bench.client(1024);
    client.device_status().unwrap();
}

#[test]
fn an_echo_value_is_brought_back_twice_and_not_for_ever() {
    let bench = bench();
    let challenges = |count: u8| (0..count).map(|n| vec![n; 8]).collect();
    for count in [1, 2] {
        bench.device.model().challenges = challenges(count);
        bench.client(1024).device_status().unwrap();
        assert!(bench.device.model().challenges.is_empty());
    }
    assert_eq!(bench.device.model().echoes_seen, 1);
    bench.device.model().challenges = challenges(9);
    let error = bench.try_client(1024).err().unwrap();
    assert!(matches!(error, Error::Handshake(_)), "{error}");
    assert_eq!(bench.device.model().challenges.len(), 6);
}

#[test]
fn a_request_that_must_be_new_is_repeated_with_its_echo() {
    let bench = bench();
    let mut client = bench.client(1024);
    client
        .push(&package(1, &bytes(100, 1), false), &mut |_| Flow::Continue)
        .unwrap();
    bench.device.model().echo = Some(b"12345678".to_vec());
    let status = client.confirm(COMPONENT).unwrap().unwrap();
    assert_eq!(status.phase, Phase::Confirmed);
    assert_eq!(bench.device.model().echoes_seen, 1);
    // A POST that was not done is no repetition either.
    bench.device.model().echo = Some(vec![7; 40]);
    let count = Request::new(Method::Post, "/vm1/count");
    assert_eq!(client.request(&count).unwrap().payload, b"1");
    assert_eq!(bench.device.handshakes.load(Ordering::Relaxed), 1);
}

#[test]
fn a_body_in_blocks_may_be_asked_for_an_echo_too() {
    let bench = bench();
    let mut client = bench.client(64);
    bench.device.model().echo = Some(b"abc".to_vec());
    let body = bytes(500, 2);
    let request = Request::new(Method::Post, "/vm1/echo").with_payload(body.clone());
    assert_eq!(client.request(&request).unwrap().payload, body);
}

#[test]
fn a_device_that_is_never_satisfied_is_believed() {
    let bench = with(Model {
        echo: Some(vec![1; 8]),
        never_fresh: true,
        ..Model::default()
    });
    let error = bench.client(1024).device_status().unwrap_err();
    assert_eq!(
        error.to_string(),
        "refused by the device: not fresh (4.01)",
        "{error}"
    );
    assert_eq!(bench.device.model().echoes_seen, 1);
}

#[test]
fn a_busy_device_says_when_to_try_again() {
    let bench = bench();
    let mut busy = Answer::new(
        Code::SERVICE_UNAVAILABLE,
        "another transfer is under way [49]",
    );
    busy.max_age = Some(45);
    let mut client = bench.client(1024);
    bench.device.model().instead = [busy.clone()].into();
    let error = client
        .push(&package(1, &bytes(2000, 3), true), &mut |_| Flow::Continue)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "refused by the device: another transfer is under way [49] (5.03); try again in 45 s"
    );
    // Without a time there is nothing to say, and on other codes it is not one.
    busy.max_age = None;
    let mut other = Answer::new(Code::NOT_FOUND, "");
    other.max_age = Some(45);
    for answer in [busy, other] {
        bench.device.model().instead = [answer].into();
        let response = client
            .request(&Request::new(Method::Get, "/vm1/x"))
            .unwrap();
        assert_eq!(response.advice, None);
    }
}

#[test]
fn a_body_that_is_too_large_is_told_the_limit() {
    let bench = bench();
    let mut large = Answer::new(Code(Refusal::NoSpace.code()), Refusal::NoSpace.to_string());
    large.size1 = Some(1024);
    bench.device.model().instead = [large].into();
    let request = Request::new(Method::Put, "/vm1/echo").with_payload(bytes(3000, 4));
    let error = bench.client(1024).expect(&request).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "refused by the device: {} (4.13); it takes at most 1024 bytes",
            Refusal::NoSpace
        )
    );
    let Error::Refused { advice, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(advice, Some(Advice::AtMost(1024)));
}

#[test]
fn an_answer_that_changes_while_it_is_read_is_read_again() {
    for block in 0..3 {
        let bench = with(Model {
            tagged: true,
            changes_at: Some(block),
            ..Model::default()
        });
        let page = Request::new(Method::Get, "/vm1/page");
        let response = bench.client(1024).request(&page).unwrap();
        assert_eq!(response.payload, vec![b'b'; 3000], "at block {block}");
    }
}

#[test]
fn an_answer_that_keeps_changing_is_given_up() {
    let bench = with(Model {
        tagged: true,
        changes_at: Some(1),
        keeps_changing: true,
        ..Model::default()
    });
    let page = Request::new(Method::Get, "/vm1/page");
    let error = bench.client(1024).request(&page).unwrap_err();
    assert!(
        matches!(error, Error::Blocks(BlockError::Changed)),
        "{error}"
    );
    assert_eq!(bench.device.model().version, 4);
}

#[test]
fn the_answer_to_what_must_not_be_done_twice_is_not_asked_for_again() {
    let bench = with(Model {
        tagged: true,
        changes_at: Some(1),
        ..Model::default()
    });
    let page = Request::new(Method::Post, "/vm1/page");
    let error = bench.client(1024).request(&page).unwrap_err();
    assert!(
        matches!(error, Error::Blocks(BlockError::Changed)),
        "{error}"
    );
    assert_eq!(bench.device.model().version, 1);
}
