//! Real programs on a link that loses, doubles, delays and mixes up datagrams.

mod common;

use common::{Bench, V1, V2, v2};
use testbed::{Outcome, Proxy, Sign, Weather, most_transmissions};

use std::time::Duration;

/// On the loopback interface an answer takes a millisecond; the first guess of the
/// updater may be short here, and with 11 doublings it is given up after a minute.
const QUICK: [&str; 4] = ["--ack-timeout", "0.03", "--retries", "11"];

/// What a message has besides a block of the payload: header, token, options, tag.
const OVERHEAD: u64 = 70;

/// Lengths of a detached envelope and its payload.
fn lengths(bench: &Bench, name: &str) -> (usize, usize) {
    let payload = format!("{name}.payload");
    (bench.read(name).len(), bench.read(&payload).len())
}

/// Pushes `name` over `proxy`; it must succeed.
fn push_over(bench: &Bench, proxy: &Proxy, name: &str, block_size: &str) {
    let push = [&QUICK[..], &["push", name, "--block-size", block_size]].concat();
    let updater = bench
        .workshop
        .updater_over(proxy, &bench.device, "op", &push)
        .unwrap();
    if let Err(error) = Outcome::of_child(updater).unwrap().success() {
        panic!("{error}\n{}", bench.device.log());
    }
}

#[test]
fn an_update_arrives_although_a_third_is_lost_each_way() {
    let bench = Bench::with_v1();
    let workshop = &bench.workshop;
    // Of which the translator makes a little more.
    workshop.enlarge("thermometer-v2", "large", 30_000).unwrap();
    for (seed, sequence) in (1..=2).zip(2..) {
        let sign = Sign {
            capsule: "large",
            extra: &["--detached"],
            ..v2(sequence)
        };
        bench.sign("v2.suit", &sign);
        let (head, payload) = lengths(&bench, "v2.suit");
        assert!(payload > 40_000, "{payload} bytes");
        let loss = 30;
        let proxy = Proxy::start(bench.device.address(), Weather::losing(loss), seed).unwrap();
        push_over(&bench, &proxy, "v2.suit", "1024");
        // The key exchange, the status twice, the envelope, the payload.
        let messages = 4 + head.div_ceil(1024) + payload.div_ceil(1024);
        let most = most_transmissions(messages, loss);
        let up = proxy.sent_up();
        println!(
            "seed {seed}: {} bytes in {} datagrams sent for a payload of {payload}, {} lost",
            up.bytes, up.datagrams, up.lost
        );
        assert!(up.lost > 10, "seed {seed}: {up:?}");
        assert!(up.datagrams <= most, "seed {seed}: {up:?}, at most {most}");
        assert!(up.bytes <= most * (1024 + OVERHEAD), "seed {seed}: {up:?}");
        // Each block was made once, and all else was the same bytes again.
        assert_eq!(proxy.different_above(1060), payload / 1024, "seed {seed}");
        bench.answers(V2);
        bench.op(&["rollback", "vm1"]);
        bench.answers(V1);
    }
}

#[test]
fn an_update_arrives_in_any_weather() {
    let bench = Bench::with_v1();
    for (seed, sequence) in (1..=2).zip(2..) {
        bench.sign("v2.suit", &v2(sequence));
        let weather = Weather {
            loss: 15,
            twice: 20,
            delay: Duration::from_millis(1),
            jitter: Duration::from_millis(5),
            late: 20,
            hold: Duration::from_millis(40),
        };
        let proxy = Proxy::start(bench.device.address(), weather, seed).unwrap();
        push_over(&bench, &proxy, "v2.suit", "1024");
        bench.answers(V2);
        // The capsule is asked over the same link, and each answer belongs to its
        // question.
        for query in ["GET /vm1/version", "GET /vm1/temperature"] {
            let (method, path) = query.split_once(' ').unwrap();
            let call = [&QUICK[..], &["call", method, path]].concat();
            let over = bench
                .workshop
                .updater_over(&proxy, &bench.device, "app", &call)
                .unwrap();
            let said = Outcome::of_child(over).unwrap().success().unwrap().stdout;
            let version = said.trim() == V2;
            assert_eq!(version, path == "/vm1/version", "seed {seed}: {said}");
        }
        bench.op(&["rollback", "vm1"]);
        bench.answers(V1);
    }
}
