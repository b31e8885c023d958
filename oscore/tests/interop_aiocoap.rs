//! An independent client, aiocoap, against a small server on UDP.
//!
//! Needs a Python with `tests/interop/requirements.txt`; its path is taken from
//! `SEALIFT_PYTHON`. Without that the test says so and does nothing.
#![cfg(feature = "pem")]

mod common;

use common::{Rng, identity};
use sealift_oscore::coap::{BlockOption, Code, Inner, Writer, number};
use sealift_oscore::server::{ECHO, Incoming};
use sealift_oscore::{Identity, MAX_DATAGRAM, Server, pem};
use std::net::UdpSocket;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const HOUR_MS: u64 = 3_600_000;

/// GET /vm-control gives `status`; PUT takes blocks and gives their length.
struct Resources {
    status: Vec<u8>,
    body: Vec<u8>,
    /// How often a request had to be shown to be new.
    asked: usize,
}

enum Answer {
    /// 4.01 with this Echo value.
    Prove([u8; ECHO]),
    Status,
    Block(Code, BlockOption),
    Length(Code),
    Empty(Code),
}

impl Resources {
    fn act(&mut self, request: &Inner<'_>) -> Answer {
        if request.code == Code::GET && request.path_is(&["vm-control"]) {
            return Answer::Status;
        }
        if request.code != Code::PUT || !request.path_is(&["vm-control", "vm1"]) {
            return Answer::Empty(Code::NOT_FOUND);
        }
        let block = match request.block1() {
            Ok(block) => block,
            Err(_) => return Answer::Empty(Code::BAD_OPTION),
        };
        let offset = block.map_or(0, BlockOption::offset);
        if offset == 0 {
            self.body.clear();
        }
        if offset != self.body.len() {
            return Answer::Empty(Code::INCOMPLETE);
        }
        self.body.extend_from_slice(request.payload);
        match block {
            Some(block) if block.more => Answer::Block(Code::CONTINUE, block),
            Some(block) => Answer::Block(Code::CHANGED, block),
            None => Answer::Length(Code::CHANGED),
        }
    }

    fn write(
        &self,
        answer: &Answer,
        w: &mut Writer<'_>,
    ) -> Result<(), sealift_oscore::coap::Error> {
        let length = u32::try_from(self.body.len()).unwrap().to_be_bytes();
        match answer {
            Answer::Prove(echo) => w.option(number::ECHO, echo),
            Answer::Status => w.payload(&self.status),
            Answer::Block(code, block) => {
                w.block(number::BLOCK1, *block)?;
                match *code {
                    Code::CHANGED => w.payload(&length),
                    _ => Ok(()),
                }
            }
            Answer::Length(_) => w.payload(&length),
            Answer::Empty(_) => Ok(()),
        }
    }
}

/// Answers until it is told to stop, and loses one response on the way. After the
/// first request an hour passes, so that who wants to change something has to show
/// first that the request is new (RFC 9175, 2.3).
fn serve(
    socket: &UdpSocket,
    mut server: Server<4, 2>,
    mut resources: Resources,
    stop: &AtomicBool,
) -> Resources {
    let mut rng = Rng::new(1);
    let (mut datagram, mut scratch, mut out) =
        ([0; MAX_DATAGRAM], [0; MAX_DATAGRAM], [0; MAX_DATAGRAM]);
    let (mut now, mut lost) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut datagram) else {
            continue;
        };
        let datagram = &datagram[..length];
        let length = match server.receive(now, from, datagram, &mut scratch, &mut rng, &mut out) {
            Incoming::Reply(length) => length,
            Incoming::Ignore => continue,
            Incoming::Request(request) => {
                let old = now - request.proven_ms > HOUR_MS / 2;
                let answer = if old && request.inner.code == Code::PUT {
                    resources.asked += 1;
                    let echo = server.challenge(now, request.session, &mut rng);
                    Answer::Prove(echo.unwrap())
                } else {
                    resources.act(&request.inner)
                };
                let code = match answer {
                    Answer::Prove(_) => Code::UNAUTHORIZED,
                    Answer::Status => Code::CONTENT,
                    Answer::Block(code, _) | Answer::Length(code) | Answer::Empty(code) => code,
                };
                let (_, length) = server
                    .respond(
                        now,
                        request.reply,
                        code,
                        |w| resources.write(&answer, w),
                        &mut out,
                    )
                    .unwrap();
                now = HOUR_MS;
                lost += 1;
                if lost == 3 {
                    // Lost on the way: the client sends its request again.
                    continue;
                }
                length
            }
        };
        socket.send_to(&out[..length], from).unwrap();
    }
    resources
}

fn client(python: &str, own: &Identity, device: &Identity, extra: &[&str]) -> (Output, Resources) {
    let folder = std::env::temp_dir().join(format!(
        "sealift-interop-{}-{}",
        std::process::id(),
        own.credential().subject()
    ));
    std::fs::create_dir_all(&folder).unwrap();
    let (cred, peer) = (folder.join("op.cred"), folder.join("device.pub"));
    std::fs::write(&cred, pem::encode_identity(own).as_bytes()).unwrap();
    std::fs::write(&peer, pem::encode_credential(device.credential())).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let uri = format!("coap://{}", socket.local_addr().unwrap());
    let known = identity(1, "operator").credential().clone();
    let device = Identity::new(device.private_key(), device.credential().clone()).unwrap();
    let server = Server::new(device, &[known]).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = stop.clone();
    let resources = Resources {
        status: b"status of the device".to_vec(),
        body: Vec::new(),
        asked: 0,
    };
    let thread = std::thread::spawn(move || serve(&socket, server, resources, &stopping));
    let output = Command::new(python)
        // Or it leaves compiled files beside the scripts.
        .arg("-B")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/client.py"
        ))
        .args([
            "--cred",
            cred.to_str().unwrap(),
            "--peer",
            peer.to_str().unwrap(),
        ])
        .args(["--uri", &uri])
        .args(extra)
        .output()
        .unwrap();
    stop.store(true, Ordering::Relaxed);
    let resources = thread.join().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    (output, resources)
}

fn python() -> Option<String> {
    let python = std::env::var("SEALIFT_PYTHON").ok();
    if python.is_none() {
        println!("skipped: SEALIFT_PYTHON does not name a Python with aiocoap");
    }
    python
}

#[test]
fn aiocoap_exchanges_keys_and_transfers_blocks() {
    let Some(python) = python() else { return };
    let (own, device) = (identity(1, "operator"), identity(2, "device"));
    let body: Vec<u8> = (0..20_000_u32)
        .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1])
        .collect();
    let body_argument = format!("hex:{}", hex::encode(&body));
    for style in ["by-value", "by-key-id"] {
        let (output, resources) = client(
            &python,
            &own,
            &device,
            &[
                "--style",
                style,
                "get",
                "/vm-control",
                "put",
                "/vm-control/vm1",
                &body_argument,
                "put",
                "/vm-control/vm1",
                &body_argument,
                "get",
                "/vm-control",
            ],
        );
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}{errors}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(
            lines.iter().all(|l| l.contains("\"protected\": true")),
            "{text}"
        );
        assert!(
            lines[0].contains(&hex::encode("status of the device")),
            "{text}"
        );
        assert!(lines[1].contains("\"code\": \"2.04\""), "{text}");
        assert!(lines[1].contains("\"payload\": \"00004e20\""), "{text}");
        assert_eq!(resources.body, body);
        // The first block was asked for again, with an Echo option; the others,
        // which come without one, still belong to it.
        assert_eq!(resources.asked, 1);
    }
}

#[test]
fn aiocoap_with_another_key_is_refused() {
    let Some(python) = python() else { return };
    let (stranger, device) = (identity(66, "stranger"), identity(2, "device"));
    let (output, resources) = client(&python, &stranger, &device, &["get", "/vm-control"]);
    assert!(!output.status.success());
    assert!(!String::from_utf8(output.stdout).unwrap().contains("2.05"));
    assert!(resources.body.is_empty());
}
