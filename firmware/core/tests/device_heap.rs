//! A device whose capsules fail a thousand times, each time in another way,
//! answers throughout, and its heap is as it was.

mod device_common;
mod heap_common;

use device_common::capsules::{self, Capsule};
use device_common::{Rig, Session, answering, envelope};
use heap_common::{SLEEPS_MS, in_a_call, in_the_start, in_use, mappings, most_in};
use sealift_oscore::coap::{Code, number};
use sealift_wire::Refusal;

/// Calls of each capsule before the next one takes its place.
const CALLS: usize = 8;

struct Failing {
    rig: Rig,
    op: Session,
    app: Session,
    /// Of the last capsule that was sent.
    sequence: u64,
    failures: usize,
}

impl Failing {
    fn new() -> Self {
        let mut rig = Rig::new();
        // What a test prints is kept on the heap.
        log::set_max_level(log::LevelFilter::Off);
        rig.install(&answering("tame"), 1);
        let mut op = rig.op();
        let other = envelope(&answering("other"), 1, |spec| spec.component = "vm2".into());
        let answer = rig.put(&mut op, "/vm-control/vm2", &other).unwrap();
        assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
        let app = rig.app();
        Self {
            rig,
            op,
            app,
            sequence: 1,
            failures: 0,
        }
    }

    fn send(&mut self, capsule: &Capsule) -> (bool, String) {
        self.sequence += 1;
        let envelope = envelope(capsule, self.sequence, |spec| {
            spec.invoke.fuel = capsule.fuel;
        });
        let answer = self.rig.put(&mut self.op, "/vm-control/vm1", &envelope);
        let answer = answer.unwrap();
        let text = String::from_utf8_lossy(&answer.payload).into_owned();
        (answer.code == Code::CHANGED, text)
    }

    /// The device and the other capsule are as they were.
    fn goes_on(&mut self) {
        self.failures += 1;
        let status = self.rig.simple(&mut self.op, Code::GET, "/vm-control");
        assert_eq!(status.code, Code::CONTENT);
        let other = self.rig.simple(&mut self.app, Code::GET, "/vm2/path");
        assert_eq!(other.payload, b"other");
        let mut services = self.rig.board.services();
        services.log = Vec::new();
        services.random = Vec::new();
        services.measured = Vec::new();
        services.sent = Vec::new();
    }

    /// Sends a capsule that does not start.
    fn start(&mut self, capsule: &Capsule) {
        let (taken, said) = self.send(capsule);
        assert!(!taken, "{said}");
        assert_eq!(said, Refusal::InitFailed.to_string());
        self.goes_on();
    }

    /// Sends one that starts, and calls it.
    fn call(&mut self, capsule: &Capsule) {
        let (taken, said) = self.send(capsule);
        assert!(taken, "{said}");
        self.rig
            .simple(&mut self.op, Code::POST, "/vm-control/vm1/confirm");
        for _ in 0..CALLS {
            let (datagram, sent) = self
                .app
                .protect(Code::GET, |writer| writer.uri_path("/vm1/path"));
            let from = self.app.address();
            let mut response = self.rig.hand(from, &datagram);
            if self.app.unprotect(&sent, &response).is_none() {
                // It takes more than a moment, or sleeps.
                response = match self.rig.sent() {
                    Some((_, response)) => response,
                    None => {
                        self.rig.pass(SLEEPS_MS);
                        self.rig.sent().expect("a response").1
                    }
                };
                let [_, _, high, low, ..] = response[..] else {
                    panic!("{response:?}");
                };
                self.rig.hand(from, &[0x60, 0, high, low]);
            }
            let answer = self.app.unprotect(&sent, &response).unwrap();
            assert_eq!(answer.code.0 >> 5, 5, "{answer:?}");
            self.goes_on();
        }
    }
}

#[test]
fn after_a_thousand_failures_the_device_is_as_it_was() {
    let (starts, calls) = (in_the_start(), in_a_call());
    let mut device = Failing::new();
    let mut round = || {
        for capsule in &starts {
            device.start(capsule);
        }
        for capsule in &calls {
            device.call(capsule);
        }
        // The latest answer is kept for who asks again: one without numbers
        // in it, which get longer.
        let links = device
            .rig
            .simple(&mut device.op, Code::GET, "/.well-known/core");
        assert_eq!(links.code, Code::CONTENT);
        device.failures
    };
    // Whatever is made once.
    let first = round();
    let before = (in_use(), mappings());
    let mut failures = first;
    while failures - first < 1000 {
        failures = round();
    }
    let after = (in_use(), mappings());
    assert_eq!(before.0, after.0, "bytes on the heap");
    assert!(after.1 <= before.1 + 1, "{before:?} {after:?}");
}

/// What a request may take that starts no capsule, in bytes: it is the same on a board
/// of which all heap has 128 kB.
const MAX_FOR_ONE: usize = 8 * 1024;

#[test]
fn no_request_takes_more_memory_than_a_board_has() {
    let mut rig = Rig::new();
    let (mut op, mut app) = (rig.op(), rig.app());
    let options = [
        (number::URI_PATH, 1_000),
        (number::URI_QUERY, 1_000),
        (number::ETAG, 1_000),
    ];
    for (session, paths) in [
        (&mut op, ["/vm-control", "/vm-run"]),
        (&mut app, ["/vm1/path", "/.well-known/core"]),
    ] {
        for path in paths {
            for code in [Code::GET, Code::POST, Code::PUT, Code::DELETE] {
                for later in [false, true] {
                    for (option, times) in options {
                        let (datagram, _) = session.protect(code, |writer| {
                            for _ in 0..times * usize::from(option < number::URI_PATH) {
                                writer.option(option, &[])?;
                            }
                            writer.uri_path(path)?;
                            for _ in 0..times * usize::from(option >= number::URI_PATH) {
                                writer.option(option, &[])?;
                            }
                            // The second block of the answer.
                            writer.uint(number::BLOCK2, 0x16 * u32::from(later))
                        });
                        let most = most_in(|| drop(rig.hand(session.address(), &datagram)));
                        assert!(most <= MAX_FOR_ONE, "{code} {path}, {option}: {most} bytes");
                    }
                }
            }
        }
    }
}
