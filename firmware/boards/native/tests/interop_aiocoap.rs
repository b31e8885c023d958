//! Somebody else's client against the device: aiocoap, with its own EDHOC and
//! OSCORE.
//!
//! Needs a Python with aiocoap, named by `SEALIFT_PYTHON`; without it the tests
//! say so and do nothing. `cargo xtask test` provides one.

mod common;

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use common::gate::{ACKNOWLEDGEMENT, CONFIRMABLE, Gate, NON_CONFIRMABLE, OPEN, Plan};
use common::{Bench, V1, V2, v2};
use rand_core::OsRng;
use sealift_oscore::client::edhoc_post;
use sealift_oscore::coap::{Code, Header, Kind, Message};
use sealift_oscore::{ClientHandshake, MAX_DATAGRAM, pem};
use serde_json::Value;
use testbed::{Outcome, Sign, Workshop};

const SCRIPTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../oscore/tests/interop/"
);

/// A Python with aiocoap.
struct Python(PathBuf);

impl Python {
    fn find() -> Option<Self> {
        let Some(python) = std::env::var_os("SEALIFT_PYTHON") else {
            println!("skipped: SEALIFT_PYTHON does not name a Python with aiocoap");
            return None;
        };
        Some(Self(python.into()))
    }

    /// Runs a script; what it takes is relative to the workshop.
    fn run(&self, bench: &Bench, script: &str, url: &str, args: &[&str]) -> Outcome {
        let script = format!("{SCRIPTS}{script}");
        // Without -B it leaves compiled files beside the scripts.
        let fixed = ["-B", &script, "--peer", "device.pub", "--uri", url];
        Outcome::of(&self.0, bench.workshop.dir(), &[&fixed[..], args].concat()).unwrap()
    }

    /// Runs a scene of `crowd.py` that waits for something.
    fn scene(&self, bench: &Bench, args: &[&str]) -> Scene {
        let mut child = Command::new(&self.0)
            .args(["-B", &format!("{SCRIPTS}crowd.py"), "--peer", "device.pub"])
            .args(["--uri", &bench.device.url()])
            .args(args)
            .current_dir(bench.workshop.dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Scene { child, said }
    }

    /// Steps over one session, as `client.py` takes them.
    fn client(&self, bench: &Bench, credential: &str, args: &[&str]) -> Outcome {
        let credential = format!("{credential}.cred");
        let args = [&["--cred", &credential][..], args].concat();
        self.run(bench, "client.py", &bench.device.url(), &args)
    }
}

/// A script that stops in between.
struct Scene {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Scene {
    fn next(&mut self) -> Value {
        let line = self.said.next().expect("the script has ended").unwrap();
        response(&line)
    }

    fn go_on(&mut self) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(b"go on\n").unwrap();
    }

    fn end(mut self) {
        assert!(self.said.next().is_none());
        assert!(self.child.wait().unwrap().success());
    }
}

/// What a script said of each response.
#[track_caller]
fn responses(bench: &Bench, outcome: Outcome) -> Vec<Value> {
    let said = match outcome.success() {
        Ok(outcome) => outcome.stdout,
        Err(error) => panic!("{error}\n{}", bench.device.log()),
    };
    said.lines().map(response).collect()
}

/// A line of a script; of a status without what changes by itself.
fn response(line: &str) -> Value {
    let mut response: Value = serde_json::from_str(line).unwrap();
    if let Some(payload) = response["payload"].as_str() {
        let payload = hex::decode(payload).unwrap();
        response["payload"] = hex::encode(common::timeless(&payload)).into();
    }
    response
}

fn text<'a>(response: &'a Value, key: &str) -> &'a str {
    response[key].as_str().unwrap_or_default()
}

fn codes(responses: &[Value]) -> Vec<&str> {
    responses.iter().map(|each| text(each, "code")).collect()
}

#[test]
fn aiocoap_installs_in_blocks_of_every_size() {
    let Some(python) = Python::find() else { return };
    let bench = Bench::new();
    for (sequence, szx) in (1..).zip(["2", "3", "4", "5", "6"]) {
        let sign = Sign {
            sequence,
            ..Sign::default()
        };
        bench.sign("new.suit", &sign);
        let steps = [
            &["--szx", szx, "get", "/vm-control"][..],
            &["put", "/vm-control/vm1", "@new.suit"],
            &["post", "/vm-control/vm1/confirm", "-"],
        ];
        let said = responses(&bench, python.client(&bench, "op", &steps.concat()));
        assert_eq!(codes(&said), ["2.05", "2.04", "2.04"], "{said:?}");
        let status = bench.op(&["status", "vm1", "--json"]);
        let expected = format!("\"sequence\": {sequence},");
        assert!(status.contains(&expected), "{status}");
        assert!(status.contains("confirmed"), "{status}");
    }
    // The same envelope again is done already.
    let steps = ["get", "/vm-control", "put", "/vm-control/vm1", "@new.suit"];
    let said = responses(&bench, python.client(&bench, "op", &steps));
    assert_eq!(codes(&said), ["2.05", "2.03"], "{said:?}");
    bench.answers(V1);
}

#[test]
fn the_updater_goes_on_with_what_aiocoap_has_begun_in_small_blocks() {
    let Some(python) = Python::find() else { return };
    let bench = Bench::with_v1();
    for (sequence, szx) in (2..).zip(["0", "1"]) {
        let sign = Sign {
            extra: &["--detached"],
            ..v2(sequence)
        };
        bench.sign("v2.suit", &sign);
        let steps = [
            &["--szx", szx, "get", "/vm-control"][..],
            &["put", "/vm-control/vm1", "@v2.suit"],
        ];
        let said = responses(&bench, python.client(&bench, "op", &steps.concat()));
        assert_eq!(codes(&said), ["2.05", "2.04"], "{said:?}");
        bench.op(&["push", "v2.suit"]);
        bench.op(&["confirm", "vm1"]);
        bench.answers(V2);
    }
}

#[test]
fn aiocoap_reads_in_blocks_of_every_size() {
    let Some(python) = Python::find() else { return };
    let bench = Bench::with_v1();
    let job = Sign {
        capsule: "hello",
        component: "vm-run",
        grants: &[],
        extra: &["--ephemeral"],
        ..Sign::default()
    };
    bench.sign("job.suit", &job);
    let name = "a long name, ".repeat(90);
    bench.write("job", &[&bench.read("job.suit"), name.as_bytes()].concat());
    let steps = [
        &["get", "/.well-known/core"][..],
        &["get", "/vm-control"],
        &["get", "/vm-control/vm1"],
        &["post", "/vm-run", "@job"],
    ];
    let steps = steps.concat();
    let whole = responses(&bench, python.client(&bench, "op", &steps));
    assert_eq!(codes(&whole), ["2.05", "2.05", "2.05", "2.04"], "{whole:?}");
    let said = text(&whole[3], "payload");
    assert!(said.len() > 2 * 1024, "longer than a block");
    assert!(said.contains(&hex::encode("from a capsule")), "{said}");
    for szx in ["0", "1", "2", "3", "4", "5", "6"] {
        let steps = [&["--szx2", szx][..], &steps].concat();
        let blocks = responses(&bench, python.client(&bench, "op", &steps));
        assert_eq!(blocks, whole, "{szx}");
    }
}

#[test]
fn twenty_requests_of_aiocoap_in_flight_are_all_answered() {
    const COUNT: usize = 20;
    let Some(python) = Python::find() else { return };
    let bench = Bench::with_a_slow_capsule();
    let paths = ["/vm-control", "/vm1/version", "/.well-known/core", "/vm9"];
    let expected = ["2.05", "2.05", "2.05", "4.04"];
    for seed in 0..4 {
        // message_1; message_3 with the first request.
        let plan = Plan {
            through: 2,
            hold: COUNT,
            seed,
            ..OPEN
        };
        let gate = Gate::to(bench.device.address(), plan);
        let count = COUNT.to_string();
        let scene = ["in-flight", "--cred", "op.cred", "--count", &count];
        let args = [&scene[..], &paths].concat();
        let outcome = python.run(&bench, "crowd.py", &gate.url(), &args);
        let said = responses(&bench, outcome);
        assert_eq!(gate.close().together, COUNT, "seed {seed}: not at once");
        assert_eq!(said.len(), 1 + COUNT);
        for (n, response) in said[1..].iter().enumerate() {
            let expected = expected[n % paths.len()];
            assert_eq!(text(response, "code"), expected, "seed {seed}: {response}");
            assert_eq!(response["protected"], true, "seed {seed}: {response}");
            // Each answer is that to its own question.
            let same = &said[1 + n % paths.len()];
            assert_eq!(response["payload"], same["payload"], "seed {seed}");
        }
        assert_ne!(said[1]["payload"], said[3]["payload"]);
        assert_eq!(text(&said[2], "payload"), hex::encode(V1));
    }
}

/// What takes long is acknowledged first and answered later (RFC 7252, 5.2.2).
#[test]
fn aiocoap_waits_for_a_slow_capsule() {
    let Some(python) = Python::find() else { return };
    let bench = Bench::with_a_slow_capsule();
    let steps = ["get", "/vm2/fine", "get", "/vm2/spin", "get", "/vm2/fine"];
    for (options, lose, kind) in [
        (&[][..], 0, CONFIRMABLE),
        // The answer is lost once, and sent again.
        (&[], 1, CONFIRMABLE),
        (&["--non"], 0, NON_CONFIRMABLE),
    ] {
        let gate = Gate::to(bench.device.address(), Plan { lose, ..OPEN });
        let fixed = ["--cred", "op.cred"];
        let args = [&fixed[..], options, &steps].concat();
        let outcome = python.run(&bench, "client.py", &gate.url(), &args);
        // It says that there was an error, which there was.
        assert_eq!(outcome.status, 1, "{outcome:?}");
        let said: Vec<Value> = outcome.stdout.lines().map(response).collect();
        assert_eq!(codes(&said), ["2.05", "5.00", "2.05"], "{said:?}");
        assert!(
            said[1]["payload"]
                .as_str()
                .unwrap()
                .contains(&hex::encode("fuel"))
        );
        let seen = gate.close();
        let acknowledged = seen.count(ACKNOWLEDGEMENT, true) > 0;
        assert_eq!(acknowledged, kind == CONFIRMABLE, "{:02x?}", seen.answers);
        assert!(seen.count(kind, false) > lose, "{:02x?}", seen.answers);
    }
}

/// The limits and choices that a device tells its clients of.
#[test]
fn aiocoap_is_told_how_much_in_which_format_and_when_to_try_again() {
    let Some(python) = Python::find() else { return };
    let workshop = Workshop::furnished().unwrap();
    let rival = workshop.credential("rival").unwrap();
    let device = workshop
        .device_with(|options| options.allow.push(("deploy".into(), rival)))
        .unwrap();
    let bench = Bench { workshop, device };
    bench.write("large", &[0xd8; 200_000]);
    let steps = ["get", "/vm-control", "put", "/vm-control/vm1", "@large"];
    let outcome = python.client(&bench, "op", &steps);
    let said: Vec<Value> = outcome.stdout.lines().map(response).collect();
    assert_eq!(codes(&said), ["2.05", "4.13"], "{said:?}");
    let limit = said[1]["size1"].as_u64().unwrap();
    assert!((100_000..200_000).contains(&limit), "{said:?}");

    for (format, code) in [("60", "2.05"), ("40", "4.06"), ("0", "4.06")] {
        let steps = ["--accept", format, "get", "/vm-control"];
        let outcome = python.client(&bench, "op", &steps);
        let said: Vec<Value> = outcome.stdout.lines().map(response).collect();
        assert_eq!(codes(&said), [code], "{format}: {said:?}");
    }

    // Two deployers and one component.
    let detached = Sign {
        extra: &["--detached"],
        ..Sign::default()
    };
    bench.sign("v1.suit", &detached);
    let steps = ["get", "/vm-control", "put", "/vm-control/vm1", "@v1.suit"];
    let said = responses(&bench, python.client(&bench, "op", &steps));
    assert_eq!(codes(&said), ["2.05", "2.04"], "{said:?}");
    let other = Sign {
        extra: &["--detached"],
        ..v2(2)
    };
    bench.sign("v2.suit", &other);
    let steps = ["get", "/vm-control", "put", "/vm-control/vm1", "@v2.suit"];
    let outcome = python.client(&bench, "rival", &steps);
    let said: Vec<Value> = outcome.stdout.lines().map(response).collect();
    assert_eq!(codes(&said), ["2.05", "5.03"], "{said:?}");
    assert!(said[1]["max_age"].as_u64().unwrap() > 0, "{said:?}");
    bench.op(&["push", "v1.suit"]);
    bench.answers(V1);
}

#[test]
fn one_aiocoap_uploads_while_another_reads_the_status() {
    let Some(python) = Python::find() else { return };
    let workshop = Workshop::furnished().unwrap();
    let watcher = workshop.credential("watcher").unwrap();
    let device = workshop
        .device_with(|options| options.allow.push(("observe".into(), watcher)))
        .unwrap();
    let bench = Bench { workshop, device };
    bench.sign("v1.suit", &Sign::default());
    let scene = ["watch", "--cred", "op.cred", "--watcher", "watcher.cred"];
    let what = [
        "--szx",
        "3",
        "/vm-control/vm1",
        "v1.suit",
        "/vm-control/vm1",
    ];
    let args = [scene, what].concat();
    let outcome = python.run(&bench, "crowd.py", &bench.device.url(), &args);
    let said = responses(&bench, outcome);
    let (last, polls) = said.split_last().unwrap();
    assert_eq!(text(last, "code"), "2.04", "{last}");
    assert!(polls.iter().all(|poll| text(poll, "code") == "2.05"));
    // The watcher has seen the transfer grow: each of them got their turns.
    let mut seen: Vec<&str> = polls.iter().map(|poll| text(poll, "payload")).collect();
    seen.dedup();
    assert!(seen.len() > 3, "{seen:?}");
    bench.op(&["confirm", "vm1"]);
    bench.answers(V1);
}

#[test]
fn aiocoap_shakes_hands_again_with_a_device_that_was_restarted() {
    let Some(python) = Python::find() else { return };
    let bench = Bench::with_v1();
    let mut scene = python.scene(&bench, &["restart", "--cred", "op.cred", "/vm-control/vm1"]);
    let before = scene.next();
    let bench = bench.restart();
    scene.go_on();
    // 4.01, unprotected: the session is gone.
    let refused = scene.next();
    assert_eq!(text(&refused, "error"), "NotAProtectedMessage", "{refused}");
    let after = scene.next();
    assert_eq!(text(&after, "code"), "2.05", "{after}");
    assert_eq!(before["payload"], after["payload"]);
    scene.end();
    bench.answers(V1);
}

/// A device that has many half-open key exchanges asks for an Echo. aiocoap
/// answers that by itself inside a session, and not in a key exchange: then it
/// fails, and at once. With a few lines more it succeeds.
#[test]
fn aiocoap_meets_a_device_that_asks_who_shakes_hands_for_an_echo() {
    let Some(python) = Python::find() else { return };
    let bench = Bench::with_v1();
    let mut scene = python.scene(&bench, &["pressed", "--cred", "op.cred", "/vm-control/vm1"]);
    let before = scene.next();
    let crowd: Vec<UdpSocket> = std::iter::repeat_with(|| half_open(&bench))
        .take(40)
        .map_while(|(socket, code)| (code == Code::CHANGED).then_some(socket))
        .collect();

    assert!(crowd.len() < 40, "the device asked nobody");
    scene.go_on();
    // The session that was there goes on.
    assert_eq!(scene.next(), before);
    let refused = scene.next();
    assert_eq!(text(&refused, "error"), "4.01", "{refused}");
    assert_eq!(scene.next(), before);
    scene.end();
}

/// Begins a key exchange, and says how it was answered.
fn half_open(bench: &Bench) -> (UdpSocket, Code) {
    let read = |name| std::fs::read_to_string(bench.workshop.path(name)).unwrap();
    let own = pem::decode_identity(&read("op.cred")).unwrap();
    let device = pem::decode_credential(&read("device.pub")).unwrap();
    let (_, message_1) = ClientHandshake::start(&own, &device, &mut OsRng).unwrap();
    let header = Header {
        kind: Kind::Confirmable,
        mid: 1,
        token: &[],
    };
    let mut datagram = [0; MAX_DATAGRAM];
    let length = edhoc_post(header, &message_1, &mut datagram).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let patience = Duration::from_secs(30);
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.connect(bench.device.address()).unwrap();
    socket.send(&datagram[..length]).unwrap();
    let length = socket.recv(&mut datagram).unwrap();
    let code = Message::parse(&datagram[..length]).unwrap().code;
    (socket, code)
}

/// aiocoap puts message_3 and its first request into one message, and cuts it
/// where it gets too long for that (RFC 9668, 3.2.2, would have it sent apart). It
/// hears so, and a smaller request first will do.
#[test]
fn aiocoap_cannot_begin_a_session_with_a_large_block() {
    let Some(python) = Python::find() else { return };
    let bench = Bench::with_v1();
    bench.sign("v2.suit", &v2(2));
    let gate = Gate::to(bench.device.address(), OPEN);
    let steps = ["--cred", "op.cred", "put", "/vm-control/vm1", "@v2.suit"];
    let outcome = python.run(&bench, "client.py", &gate.url(), &steps);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    let answers = gate.close().answers;
    let last = answers.last().map(|answer| Code(answer[1]));
    assert_eq!(last, Some(Code::TOO_LARGE), "{answers:02x?}");
    bench.answers(V1);
    let steps = ["get", "/vm-control", "put", "/vm-control/vm1", "@v2.suit"];
    let said = responses(&bench, python.client(&bench, "op", &steps));
    assert_eq!(codes(&said), ["2.05", "2.04"], "{said:?}");
    bench.answers(V2);
}

#[test]
fn aiocoap_is_refused_as_anybody_else() {
    let Some(python) = Python::find() else { return };
    let bench = Bench::with_v1();
    let outcome = python.client(&bench, "app", &["delete", "/vm-control/vm1"]);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.stdout.contains("4.03"), "{outcome:?}");
    bench.answers(V1);
}
