//! Light, button and UDP of the board, from a capsule's call to the file or
//! the socket.

mod common;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use common::Bench;
use sealift_oscore::coap::Code;
use testbed::{Answer, RawPeer, Sign, Workshop};

const PATIENCE: Duration = Duration::from_secs(30);

/// The capsule, with both grants and fuel for a minute of waiting.
fn pins() -> Sign<'static> {
    Sign {
        capsule: "probe-pins",
        grants: &["gpio", "udp"],
        extra: &["--fuel", "60000000"],
        ..Sign::default()
    }
}

/// A board with a light and a button.
fn wired() -> Bench {
    let workshop = Workshop::furnished().unwrap();
    let file = |name: &str| workshop.path(name).to_str().unwrap().to_owned();
    let extra = vec![
        "--led".into(),
        file("light"),
        "--button".into(),
        file("button"),
    ];
    let device = workshop
        .device_with(|options| options.extra = extra)
        .unwrap();
    let bench = Bench { workshop, device };
    bench.install(&pins());
    bench
}

/// A board without.
fn bare() -> Bench {
    let bench = Bench::new();
    bench.install(&pins());
    bench
}

fn ask(peer: &mut RawPeer, code: Code, path: &str, payload: &str) -> Answer {
    peer.request(code, path, None, payload.as_bytes()).unwrap()
}

#[test]
fn the_light_goes_on_and_off() {
    let bench = wired();
    for says in ["on\n", "off\n", "on\n"] {
        bench.run("app", &["call", "POST", "/vm1/light"]);
        assert_eq!(bench.read("light"), says.as_bytes());
    }
    // It is the board's, and stays on when its capsule goes.
    bench.op(&["remove", "vm1"]);
    assert_eq!(bench.read("light"), b"on\n");
}

#[test]
fn the_button_is_waited_for() {
    let bench = wired();
    bench.write("button", b"high\n");
    let (mut app, mut op) = (bench.peer("app"), bench.peer("op"));
    let (press, sent) = app
        .protect(Code::GET, |writer| writer.uri_path("/vm1/button"))
        .unwrap();
    app.send(&press).unwrap();
    // The device answers meanwhile, and the capsule has not answered.
    let status = ask(&mut op, Code::GET, "/vm-control/vm1", "");
    assert_eq!(status.code, Code::CONTENT);
    let early = app.settle().unwrap();
    assert!(
        early
            .iter()
            .all(|datagram| app.read(&sent, datagram).is_none())
    );
    bench.write("button", b"low\n");
    let answer = app.exchange(&press).unwrap();
    assert_eq!(app.read(&sent, &answer).unwrap().text(), "pressed");
    // Pressed already.
    let answer = ask(&mut app, Code::GET, "/vm1/button", "");
    assert_eq!(answer.text(), "pressed");
}

#[test]
fn nobody_waits_for_the_button_for_ever() {
    let bench = wired();
    let impatient = Sign {
        sequence: 2,
        extra: &["--fuel", "300000"],
        ..pins()
    };
    bench.install(&impatient);
    let said = bench.refused("app", &["call", "GET", "/vm1/button"]);
    assert!(said.contains("fuel"), "{said}");
}

#[test]
fn where_there_is_nothing_the_capsule_is_told_so() {
    let bench = bare();
    let mut app = bench.peer("app");
    for (code, path, payload) in [
        (Code::POST, "/vm1/light", ""),
        (Code::GET, "/vm1/button", ""),
        // No port is bound yet.
        (Code::POST, "/vm1/datagram", "127.0.0.1:9"),
        (Code::GET, "/vm1/datagram", ""),
    ] {
        let answer = ask(&mut app, code, path, payload);
        assert_eq!(answer.code.0, 5 << 5 | 3, "{path}: {}", answer.text());
        // Its own answer, not that of a device that ended it.
        assert!(answer.payload.is_empty(), "{path}: {}", answer.text());
    }
    assert_eq!(bench.status("vm1")["starts"], 1);
    // And so if it cannot be written.
    let workshop = Workshop::furnished().unwrap();
    let nowhere = workshop.path("nowhere/light").to_str().unwrap().to_owned();
    let device = workshop
        .device_with(|options| options.extra = vec!["--led".into(), nowhere])
        .unwrap();
    let bench = Bench { workshop, device };
    bench.install(&pins());
    let mut app = bench.peer("app");
    for _ in 0..20 {
        assert_eq!(
            ask(&mut app, Code::POST, "/vm1/light", "").code.0,
            5 << 5 | 3
        );
    }
    // The log says why, once: a capsule can try it as often as it likes.
    assert_eq!(bench.device.log().matches("the light: ").count(), 1);
}

#[test]
fn what_is_not_granted_is_not_signed() {
    let bench = wired();
    for (grants, missing) in [
        (&["gpio"][..], "--grant udp"),
        (&["udp"][..], "--grant gpio"),
        (&[][..], "--grant gpio --grant udp"),
    ] {
        let sign = Sign { grants, ..pins() };
        let outcome = bench.workshop.sign("x.suit", &sign).unwrap();
        let said = outcome.refusal().unwrap();
        assert!(said.contains(missing), "{said}");
    }
}

/// A socket of the test.
fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 64];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    (buffer[..length].to_vec(), from)
}

#[test]
fn datagrams_come_and_go() {
    let bench = bare();
    let mut app = bench.peer("app");
    let (socket, here) = socket();
    let bound = ask(&mut app, Code::PUT, "/vm1/port", "0");
    assert_eq!(bound.code, Code::CHANGED);
    let nothing = ask(&mut app, Code::GET, "/vm1/datagram", "");
    assert_eq!(nothing.code, Code::NOT_FOUND);

    let sent = ask(&mut app, Code::POST, "/vm1/datagram", &here.to_string());
    assert_eq!(sent.code, Code::CHANGED);
    let (data, capsule) = receive(&socket);
    assert_eq!(data, b"hello");

    socket.send_to(b"ping", capsule).unwrap();
    let received = ask(&mut app, Code::GET, "/vm1/datagram", "");
    assert_eq!(
        (received.code, received.text()),
        (Code::CONTENT, "ping".into())
    );
    // It sends it back to where it came from.
    assert_eq!(receive(&socket), (b"ping".to_vec(), capsule));

    // The socket ends with the capsule.
    bench.op(&["remove", "vm1"]);
    assert!(UdpSocket::bind(capsule).is_ok());
}

#[test]
fn a_port_that_is_taken_is_not_to_be_had() {
    let bench = bare();
    let mut app = bench.peer("app");
    let device: SocketAddr = bench.device.address().parse().unwrap();
    let taken = UdpSocket::bind((device.ip(), 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    // Not that of the device itself, either.
    for port in [port, device.port()] {
        let refused = ask(&mut app, Code::PUT, "/vm1/port", &port.to_string());
        assert_eq!(refused.code.0, 5 << 5 | 3, "{port}");
    }
    assert_eq!(
        ask(&mut app, Code::PUT, "/vm1/port", "0").code,
        Code::CHANGED
    );
}

#[test]
fn a_flood_has_its_quota() {
    let bench = bare();
    let mut app = bench.peer("app");
    let (socket, here) = socket();
    ask(&mut app, Code::PUT, "/vm1/port", "0");
    let mut reported = Vec::new();
    for _ in 0..20 {
        let answer = ask(&mut app, Code::POST, "/vm1/flood", &here.to_string());
        reported.push(answer.text().parse::<usize>().unwrap());
    }
    // 200 were tried each time. The first calls have their share, then there is
    // one now and then.
    assert_eq!(reported[..3], [16; 3]);
    assert!(reported[5..].iter().all(|sent| *sent < 16), "{reported:?}");
    // Those that went out have arrived, and no other.
    for _ in 0..reported.iter().sum() {
        assert_eq!(receive(&socket).0, b"flood");
    }
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv_from(&mut [0; 64]).is_err());
    // Another component has its own.
    bench.install(&Sign {
        component: "vm2",
        ..pins()
    });
    ask(&mut app, Code::PUT, "/vm2/port", "0");
    let answer = ask(&mut app, Code::POST, "/vm2/flood", &here.to_string());
    assert_eq!(answer.text(), "16");
}
