//! Requests other than a push, and who is let in.

mod common;

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{
    Answer, Bench, COMPONENT, Confusion, Device, Manner, Model, bytes, config, envelope, package,
};
use rand_core::OsRng;
use sealift_oscore::Identity;
use sealift_wire::{Phase, Refusal};
use updater::{Client, Code, Config, Error, Flow, Method, Params, Request};

fn impatient() -> Config {
    let mut config = config(1024);
    config.params = Params {
        ack_timeout: Duration::from_millis(60),
        max_retransmit: 2,
        adaptive: true,
    };
    config
}

#[test]
fn a_capsule_is_managed_over_its_life() {
    let bench = Bench::new(Model::default(), Manner::default());
    let mut client = bench.client(1024);
    assert_eq!(
        client.discover().unwrap(),
        ["</vm-control>;title=\"a, b\"", "</vm-run>"]
    );
    assert_eq!(client.device_status().unwrap().components.len(), 1);
    let error = client.confirm(COMPONENT).unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::NoTrial));
    client
        .push(&package(1, &bytes(100, 1), false), &mut |_| Flow::Continue)
        .unwrap();
    let status = client.confirm(COMPONENT).unwrap().unwrap();
    assert_eq!(status.phase, Phase::Confirmed);
    let error = client.rollback(COMPONENT).unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::NoPrevious));
    client.remove(COMPONENT).unwrap();
    let status = client.component_status(COMPONENT).unwrap();
    assert_eq!(status.phase, Phase::Empty);
    assert_eq!(bench.device.handshakes.load(Ordering::Relaxed), 1);
}

#[test]
fn long_bodies_go_up_and_down_in_blocks() {
    for szx in [0, 3, 6] {
        let model = Model {
            szx,
            ..Model::default()
        };
        let bench = Bench::new(model, Manner::default());
        for block_size in [16, 256, 1024] {
            let mut client = bench.client(block_size);
            for len in [0, 1, 16, 17, 1024, 3000] {
                let body = bytes(len, 2);
                let request = Request::new(Method::Post, "/vm1/echo").with_payload(body.clone());
                let response = client.request(&request).unwrap();
                assert_eq!(response.code, Code::CONTENT);
                assert_eq!(response.payload, body, "{len} bytes, {block_size}, {szx}");
            }
        }
    }
}

#[test]
fn an_ephemeral_capsule_gets_its_input() {
    let bench = Bench::new(Model::default(), Manner::default());
    let job = envelope(1, &bytes(3000, 3), false);
    for input in [b"".as_slice(), b"some input", &[0xff; 2000]] {
        let output = bench.client(1024).run(&job, input).unwrap();
        assert_eq!(output, [b"ran with ", input].concat());
    }
}

#[test]
fn a_response_code_of_error_is_told() {
    let bench = Bench::new(Model::default(), Manner::default());
    let request = Request::new(Method::Get, "/vm1/nothing");
    let response = bench.client(1024).request(&request).unwrap();
    assert_eq!(response.code, Code::NOT_FOUND);
    let error = bench.client(1024).expect(&request).unwrap_err();
    assert_eq!(
        error.to_string(),
        "refused by the device: no such resource [2] (4.04)"
    );
}

#[test]
fn a_path_that_fits_no_datagram_is_not_sent() {
    let bench = Bench::new(Model::default(), Manner::default());
    let path = format!("/{}", "a".repeat(2000));
    let error = bench
        .client(1024)
        .request(&Request::new(Method::Get, &path))
        .unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
}

#[test]
fn separate_responses_are_as_good() {
    let manner = Manner {
        separate: Some(Duration::from_millis(20)),
        ..Manner::default()
    };
    let bench = Bench::new(Model::default(), manner);
    let body = bytes(3000, 4);
    let request = Request::new(Method::Post, "/vm1/echo").with_payload(body.clone());
    assert_eq!(bench.client(1024).request(&request).unwrap().payload, body);
}

#[test]
fn a_lost_security_context_is_renewed_once() {
    let bench = Bench::new(Model::default(), Manner::default());
    let mut client = bench.client(1024);
    client.device_status().unwrap();
    bench.device.model().restart_now = true;
    client.device_status().unwrap();
    assert_eq!(bench.device.handshakes.load(Ordering::Relaxed), 2);
}

#[test]
fn what_must_not_be_done_twice_is_not_sent_twice() {
    let bench = Bench::new(Model::default(), Manner::default());
    let mut client = bench.client(1024);
    let request = Request::new(Method::Post, "/vm1/count");
    assert_eq!(client.request(&request).unwrap().payload, b"1");
    // The device acts, and restarts before it answers.
    bench.device.model().restart_now = true;
    let error = client.request(&request).unwrap_err();
    assert!(matches!(error, Error::Uncertain), "{error}");
    assert_eq!(bench.device.model().count, 2);
    // There is a new association for the next one.
    assert_eq!(bench.device.handshakes.load(Ordering::Relaxed), 2);
    assert_eq!(client.request(&request).unwrap().payload, b"3");
    assert_eq!(bench.device.handshakes.load(Ordering::Relaxed), 2);
}

#[test]
fn a_device_that_confuses_blocks_is_not_followed() {
    for (confusion, text) in [
        (Confusion::WrongNumber, "it acknowledges another block"),
        (Confusion::NeverEnough, "it asks for more than there is"),
        (Confusion::NewCode, "the code of the answer changed"),
    ] {
        let bench = Bench::new(Model::default(), Manner::default());
        bench.device.model().confusion = Some(confusion);
        let request = Request::new(Method::Put, "/vm1/echo").with_payload(bytes(3000, 7));
        let error = bench.client(1024).request(&request).unwrap_err();
        assert!(error.to_string().ends_with(text), "{error}");
    }
}

#[test]
fn a_device_that_is_done_before_it_has_everything_is_not_believed() {
    let bench = Bench::new(Model::default(), Manner::default());
    for length in [1025, 3000] {
        let answer = Answer::new(Code::CHANGED, "done");
        bench.device.model().instead.push_back(answer);
        let request = Request::new(Method::Put, "/vm1/echo").with_payload(bytes(length, 7));
        let error = bench.client(1024).request(&request).unwrap_err();
        let text = "it is done before it had everything";
        assert!(error.to_string().ends_with(text), "{error}");
    }
}

#[test]
fn a_body_interrupted_by_a_restart_is_sent_again() {
    let bench = Bench::new(Model::default(), Manner::default());
    let mut client = bench.client(16);
    bench.device.model().restart_in_body = Some(100);
    let body = bytes(300, 5);
    let request = Request::new(Method::Post, "/vm1/echo").with_payload(body.clone());
    assert_eq!(client.request(&request).unwrap().payload, body);
    assert_eq!(bench.device.handshakes.load(Ordering::Relaxed), 2);
}

#[test]
fn a_stranger_is_told_so() {
    let bench = Bench::new(Model::default(), Manner::default());
    let stranger = Identity::generate("stranger", &mut OsRng).unwrap();
    let error = Client::connect(
        &bench.device.address,
        stranger,
        bench.device.credential.clone(),
        config(1024),
    )
    .err()
    .unwrap();
    assert!(matches!(error, Error::CredentialRefused), "{error}");
    assert_eq!(error.to_string(), "the device refused this credential");
}

#[test]
fn a_restart_during_the_key_exchange_is_not_taken_for_a_refusal() {
    let bench = Bench::new(Model::default(), Manner::default());
    bench.device.model().restart_in_handshake = true;
    bench.client(1024).device_status().unwrap();
    assert_eq!(bench.device.handshakes.load(Ordering::Relaxed), 2);
}

#[test]
fn another_device_is_not_taken_for_the_right_one() {
    let bench = Bench::new(Model::default(), Manner::default());
    let other = Identity::generate("device", &mut OsRng).unwrap();
    let error = Client::connect(
        &bench.device.address,
        Arc::clone(&bench.operator),
        other.credential().clone(),
        config(1024),
    )
    .err()
    .unwrap();
    assert!(matches!(error, Error::WrongDevice), "{error}");
}

#[test]
fn silence_is_reported_with_the_number_of_tries() {
    let operator = Arc::new(Identity::generate("operator", &mut OsRng).unwrap());
    let silent = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let address = silent.local_addr().unwrap();
    let connect = || {
        Client::connect(
            &format!("coap://{address}").parse().unwrap(),
            Arc::clone(&operator),
            operator.credential().clone(),
            impatient(),
        )
    };
    let error = connect().err().unwrap();
    assert_eq!(
        error.to_string(),
        format!("no answer from {address} after 3 tries")
    );
    drop(silent);
    let error = connect().err().unwrap();
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("no answer from {address} after 3 tries")),
        "{text}"
    );
}

#[test]
fn a_push_to_a_device_that_goes_away_ends() {
    let operator = Arc::new(Identity::generate("operator", &mut OsRng).unwrap());
    let device = Device::start(
        Model::default(),
        Manner::default(),
        &[operator.credential().clone()],
    );
    let mut client = Client::connect(
        &device.address,
        operator,
        device.credential.clone(),
        impatient(),
    )
    .unwrap();
    drop(device);
    let mut retries = 0;
    let error = client
        .push(&package(1, &bytes(100, 6), true), &mut |_| {
            retries += 1;
            Flow::Continue
        })
        .unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
    assert_eq!(retries, 3);
}
