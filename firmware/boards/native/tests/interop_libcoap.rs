//! Somebody else's CoAP and OSCORE against the device: libcoap, which has no
//! EDHOC, with a security context that a key exchange has given.
//!
//! What is left out: libcoap 4.3.4 answers a protected 4.01 with Echo by itself,
//! but crashes where the request was one of several blocks.
//!
//! Needs libcoap's `coap-client`, with OSCORE, named by `SEALIFT_COAP_CLIENT`;
//! without it the tests say so and do nothing. `cargo xtask test` provides one.

mod common;

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::gate::{ACKNOWLEDGEMENT, CONFIRMABLE, Gate, NON_CONFIRMABLE, OPEN, Plan};
use common::{Bench, V1};
use lakers::{
    ConnId, Credential, CredentialTransfer, EADItem, EDHOCMethod, EDHOCSuite, EdhocBuffer,
    EdhocInitiator, EdhocMessageBuffer,
};
use lakers_crypto_rustcrypto::Crypto;
use rand_core::OsRng;
use sealift_oscore::client::edhoc_post;
use sealift_oscore::coap::{Code, Header, Kind, Message};
use sealift_oscore::{Identity, MAX_DATAGRAM, pem};
use testbed::{Outcome, Sign};

const NO_DATA: &Option<EADItem> = &None;

/// What libcoap is told of a security context.
struct Keys {
    secret: Vec<u8>,
    salt: Vec<u8>,
    sender: ConnId,
    recipient: ConnId,
}

/// A key exchange with the device as `identity`. What comes out of it stays
/// inside our own client, so this one is on lakers alone.
fn exchange_keys(bench: &Bench, identity: &Identity) -> Keys {
    let device = bench.workshop.path("device.pub");
    let device = pem::decode_credential(&std::fs::read_to_string(device).unwrap()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let patience = Duration::from_secs(30);
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.connect(bench.device.address()).unwrap();

    let mut start = EdhocInitiator::new(
        Crypto::new(OsRng),
        EDHOCMethod::StatStat,
        EDHOCSuite::CipherSuite2,
    );
    start.set_identity(*identity.private_key(), for_lakers(identity.credential()));
    let c_i = ConnId::from_slice(&[0x17]).unwrap();
    let (waiting, message_1) = start.prepare_message_1(Some(c_i), NO_DATA).unwrap();
    let message_2 = post(&socket, 1, &[&[0xf5], message_1.as_slice()].concat());
    let message_2 = EdhocMessageBuffer::new_from_slice(&message_2).unwrap();
    let (processing, c_r, _, _) = waiting.parse_message_2(&message_2).unwrap();
    let processed = processing.verify_message_2(for_lakers(&device)).unwrap();
    let (waiting, message_3, _) = processed
        .prepare_message_3(CredentialTransfer::ByValue, NO_DATA)
        .unwrap();
    let mut done = waiting.completed_without_message_4().unwrap();
    let answer = post(&socket, 2, &[c_r.as_cbor(), message_3.as_slice()].concat());
    assert!(answer.is_empty());
    Keys {
        secret: done.edhoc_exporter(0, &[], 16)[..16].to_vec(),
        salt: done.edhoc_exporter(1, &[], 8)[..8].to_vec(),
        sender: c_r,
        recipient: c_i,
    }
}

fn for_lakers(credential: &sealift_oscore::Credential) -> Credential {
    let kid = EdhocBuffer::new_from_slice(credential.kid()).unwrap();
    let bytes = EdhocBuffer::new_from_slice(credential.as_bytes()).unwrap();
    Credential::new_ccs(bytes, *credential.x()).with_kid(kid)
}

/// Posts to the key exchange; returns the payload of the success.
fn post(socket: &UdpSocket, mid: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        kind: Kind::Confirmable,
        mid,
        token: b"k",
    };
    let mut datagram = [0; MAX_DATAGRAM];
    let length = edhoc_post(header, payload, &mut datagram).unwrap();
    socket.send(&datagram[..length]).unwrap();
    let length = socket.recv(&mut datagram).unwrap();
    let answer = Message::parse(&datagram[..length]).unwrap();
    assert_eq!((answer.mid, answer.code), (mid, Code::CHANGED));
    answer.payload.to_vec()
}

/// libcoap with the context of one key exchange.
struct Libcoap<'a> {
    program: PathBuf,
    bench: &'a Bench,
    context: String,
    /// Where the device is reached.
    url: String,
}

impl<'a> Libcoap<'a> {
    /// As the credential `NAME.cred`, or nothing where there is no libcoap.
    fn connect(bench: &'a Bench, name: &str) -> Option<Self> {
        let Some(program) = std::env::var_os("SEALIFT_COAP_CLIENT") else {
            println!("skipped: SEALIFT_COAP_CLIENT does not name libcoap's client");
            return None;
        };
        let own = std::fs::read_to_string(bench.workshop.path(&format!("{name}.cred"))).unwrap();
        let keys = exchange_keys(bench, &pem::decode_identity(&own).unwrap());
        // A device has no use for the recovery of a lost replay window.
        let text = format!(
            "master_secret,hex,\"{}\"\nmaster_salt,hex,\"{}\"\nsender_id,hex,\"{}\"\n\
             recipient_id,hex,\"{}\"\nrfc8613_b_1_2,bool,false\n",
            hex::encode(&keys.secret),
            hex::encode(&keys.salt),
            hex::encode(keys.sender.as_slice()),
            hex::encode(keys.recipient.as_slice()),
        );
        bench.write(&format!("{name}.oscore"), text.as_bytes());
        Some(Self {
            program: program.into(),
            bench,
            url: bench.device.url(),
            // The sequence number goes on from one run to the next.
            context: format!("{name}.oscore,{name}.sequence"),
        })
    }

    fn run(&self, args: &[&str], path: &str) -> Outcome {
        let url = format!("{}{path}", self.url);
        let fixed = ["-E", &self.context, "-o", "answer", "-B", "60"];
        let args = [&fixed[..], args, &[&url]].concat();
        let _ = std::fs::remove_file(self.bench.workshop.path("answer"));
        Outcome::of(Path::new(&self.program), self.bench.workshop.dir(), &args).unwrap()
    }

    /// The payload of a success; of a status without what changes by itself.
    #[track_caller]
    fn good(&self, args: &[&str], path: &str) -> Vec<u8> {
        let outcome = self.run(args, path);
        assert!(
            outcome.status == 0 && outcome.stderr.is_empty(),
            "{path}: {outcome:?}\n{}",
            self.bench.device.log()
        );
        let answer = std::fs::read(self.bench.workshop.path("answer"));
        common::timeless(&answer.unwrap_or_default())
    }
}

/// Block sizes that CoAP has.
const SIZES: [&str; 7] = ["16", "32", "64", "128", "256", "512", "1024"];

#[test]
fn libcoap_installs_and_reads_in_blocks_of_every_size() {
    let bench = Bench::new();
    let Some(libcoap) = Libcoap::connect(&bench, "op") else {
        return;
    };
    for (sequence, size) in (1..).zip(SIZES) {
        // The smallest blocks carry an envelope without its payload, to be done
        // sooner; the updater sends the rest.
        let small = matches!(size, "16" | "32");
        let sign = Sign {
            sequence,
            extra: if small { &["--detached"] } else { &[] },
            ..Sign::default()
        };
        bench.sign("new.suit", &sign);
        let put = ["-m", "put", "-b", size, "-f", "new.suit"];
        libcoap.good(&put, "/vm-control/vm1");
        if small {
            bench.op(&["push", "new.suit"]);
        }
        libcoap.good(&["-m", "post"], "/vm-control/vm1/confirm");
        let status = bench.op(&["status", "vm1", "--json"]);
        let expected = format!("\"sequence\": {sequence},");
        assert!(status.contains(&expected), "{status}");
        assert!(status.contains("confirmed"), "{status}");
    }
    bench.answers(V1);
    for path in ["/.well-known/core", "/vm-control", "/vm-control/vm1"] {
        let whole = libcoap.good(&[], path);
        for size in SIZES {
            assert_eq!(libcoap.good(&["-b", size], path), whole, "{path} {size}");
        }
    }
}

#[test]
fn libcoap_sends_what_the_updater_does_not() {
    let bench = Bench::with_v1();
    let Some(libcoap) = Libcoap::connect(&bench, "op") else {
        return;
    };
    let status = libcoap.good(&[], "/vm-control");
    // Non-confirmable, long tokens, an unknown elective option, a hop limit,
    // no Uri-Host, a format that the resource has.
    for args in [
        &["-N"][..],
        &["-T", "8 bytes!"],
        &["-O", "9998,0x01"],
        &["-H", "7"],
        &["-U"],
        &["-A", "60"],
    ] {
        assert_eq!(libcoap.good(args, "/vm-control"), status, "{args:?}");
    }
    for (args, path, said) in [
        (&["-O", "9999,0x01"][..], "/vm-control", "4.02 "),
        (&["-m", "fetch", "-e", "?"], "/vm-control", "4.05 "),
        (&[], "/vm9", "4.04 "),
        (&["-m", "put", "-e", "x"], "/vm-control/vm1", "4.00 "),
        (&[], "/vm1/version", "4.03 "),
        (&["-A", "40"], "/vm-control", "4.06 "),
    ] {
        let outcome = libcoap.run(args, path);
        assert!(outcome.stderr.starts_with(said), "{path}: {outcome:?}");
    }
    assert_eq!(libcoap.good(&[], "/vm-control"), status);
}

#[test]
fn a_repeated_number_or_another_key_is_refused_and_costs_libcoap_nothing() {
    let bench = Bench::with_v1();
    let Some(libcoap) = Libcoap::connect(&bench, "op") else {
        return;
    };
    libcoap.good(&[], "/vm-control");
    let sequence = bench.read("op.sequence");
    bench.write("op.sequence", b"0");
    let replayed = libcoap.run(&[], "/vm-control");
    assert_eq!(replayed.stderr.trim(), "4.01", "{replayed:?}");
    bench.write("op.sequence", &sequence);

    let keys = String::from_utf8(bench.read("op.oscore")).unwrap();
    let wrong = keys.replacen("master_secret,hex,\"", "master_secret,hex,\"00", 1);
    bench.write("op.oscore", wrong.as_bytes());
    let forged = libcoap.run(&[], "/vm-control");
    assert_eq!(forged.stderr.trim(), "4.00", "{forged:?}");
    bench.write("op.oscore", keys.as_bytes());
    bench.write("op.sequence", &sequence);
    libcoap.good(&[], "/vm-control");
}

/// What takes long is acknowledged first and answered later (RFC 7252, 5.2.2);
/// output of more than a block comes in blocks, which libcoap asks for with the
/// options of its request and new tokens.
#[test]
fn libcoap_waits_for_a_slow_capsule_and_gathers_the_output_of_a_job() {
    let bench = Bench::with_a_slow_capsule();
    let Some(mut libcoap) = Libcoap::connect(&bench, "op") else {
        return;
    };
    for (options, lose, kind) in [
        (&[][..], 0, CONFIRMABLE),
        (&[], 1, CONFIRMABLE),
        (&["-N"], 0, NON_CONFIRMABLE),
    ] {
        let gate = Gate::to(bench.device.address(), Plan { lose, ..OPEN });
        libcoap.url = gate.url();
        let outcome = libcoap.run(options, "/vm2/spin");
        assert!(outcome.stderr.starts_with("5.00 "), "{outcome:?}");
        assert!(outcome.stderr.contains("fuel"), "{outcome:?}");
        let seen = gate.close();
        let acknowledged = seen.count(ACKNOWLEDGEMENT, true) > 0;
        assert_eq!(acknowledged, kind == CONFIRMABLE, "{:02x?}", seen.answers);
        assert!(seen.count(kind, false) > lose, "{:02x?}", seen.answers);
    }
    libcoap.url = bench.device.url();
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
    let expected = format!("hello, {}, from a capsule", name.trim());
    for size in ["64", "1024"] {
        let said = libcoap.good(&["-m", "post", "-b", size, "-f", "job"], "/vm-run");
        assert_eq!(String::from_utf8_lossy(&said), expected, "{size}");
    }
}
