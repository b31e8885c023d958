//! Two components of one device, each with a capsule: what happens to one is
//! nothing to the other.

mod common;

use common::Bench;
use sealift_oscore::coap::{BlockOption, Code};
use testbed::{Answer, RawPeer, Sign};

const VM1: &str = "/vm1/count";
const VM2: &str = "/vm2/count";

/// A counter.
fn counter(component: &'static str, sequence: u64) -> Sign<'static> {
    Sign {
        capsule: "probe-counter",
        component,
        sequence,
        grants: &[],
        ..Sign::default()
    }
}

/// A counter in each component, the first at three and the second at five.
fn two() -> (Bench, RawPeer) {
    let bench = Bench::new();
    bench.install(&counter("vm1", 1));
    bench.install(&counter("vm2", 1));
    let mut app = bench.peer("app");
    for _ in 0..3 {
        post(&mut app, VM1);
    }
    for _ in 0..5 {
        post(&mut app, VM2);
    }
    is_at(&mut app, VM1, 3);
    is_at(&mut app, VM2, 5);
    (bench, app)
}

fn ask(peer: &mut RawPeer, code: Code, path: &str) -> Answer {
    peer.request(code, path, None, &[]).unwrap()
}

fn post(peer: &mut RawPeer, path: &str) -> Answer {
    ask(peer, Code::POST, path)
}

#[track_caller]
fn is_at(app: &mut RawPeer, path: &str, count: u32) {
    let answer = ask(app, Code::GET, path);
    let found = (answer.code, answer.text());
    assert_eq!(found, (Code::CONTENT, count.to_string()), "{path}");
}

#[test]
fn a_crash_costs_the_other_nothing() {
    let (bench, mut app) = two();
    let crashed = post(&mut app, "/vm1/crash");
    assert!(crashed.text().contains("trapped"), "{}", crashed.text());
    is_at(&mut app, VM2, 5);
    // What crashed begins anew, with new memory.
    is_at(&mut app, VM1, 0);
    is_at(&mut app, VM2, 5);
    assert_eq!(bench.status("vm1")["starts"], 2);
    assert_eq!(bench.status("vm2")["starts"], 1);
    assert_eq!(bench.status("vm2")["last_fault"], serde_json::Value::Null);
}

#[test]
fn during_an_update_the_old_one_answers_and_the_other_one_notices_nothing() {
    let (bench, mut app) = two();
    bench.sign("new.suit", &counter("vm1", 2));
    let envelope = bench.read("new.suit");
    let mut op = bench.peer("op");
    let blocks: Vec<_> = envelope.chunks(512).collect();
    let mut count = 0;
    for (num, part) in (0..).zip(&blocks) {
        let block = BlockOption {
            num,
            more: num as usize + 1 < blocks.len(),
            szx: 5,
        };
        let path = "/vm-control/vm1";
        let answer = op.request(Code::PUT, path, Some(block), part).unwrap();
        count += 1;
        assert_eq!(post(&mut app, VM2).text(), (5 + count).to_string());
        if block.more {
            assert_eq!(answer.code, Code::CONTINUE);
            // With what it had in memory, and it goes on.
            assert_eq!(post(&mut app, VM1).text(), (3 + count).to_string());
        } else {
            assert_eq!(answer.code, Code::CHANGED, "{}", answer.text());
        }
    }
    assert!(count > 10);
    // From its activation on the new one answers, with memory of its own.
    is_at(&mut app, VM1, 0);
    is_at(&mut app, VM2, 5 + count);
    // And back to the one before, which is not what it was in memory.
    bench.op(&["rollback", "vm1"]);
    is_at(&mut app, VM1, 0);
    is_at(&mut app, VM2, 5 + count);
    let (one, other) = (bench.status("vm1"), bench.status("vm2"));
    assert_eq!((&one["sequence"], &one["highest"]), (&1.into(), &2.into()));
    assert_eq!(
        (&other["sequence"], &other["highest"], &other["starts"]),
        (&1.into(), &1.into(), &1.into())
    );
}

#[test]
fn removal_ends_one_and_its_resources() {
    let (bench, mut app) = two();
    let listed = |app: &mut RawPeer| ask(app, Code::GET, "/.well-known/core").text();
    let links = listed(&mut app);
    for path in ["count", "grow", "spin", "crash"] {
        for vm in ["vm1", "vm2"] {
            assert!(links.contains(&format!("</{vm}/{path}>")), "{links}");
        }
    }
    // A crash takes none of them away: the next call starts it.
    post(&mut app, "/vm1/crash");
    assert_eq!(listed(&mut app), links);

    let removed = ask(&mut bench.peer("op"), Code::DELETE, "/vm-control/vm1");
    assert_eq!(removed.code, Code::DELETED);
    let gone = ask(&mut app, Code::GET, VM1);
    assert_eq!(gone.code, Code::NOT_FOUND, "{}", gone.text());
    assert!(gone.text().contains("no running capsule"));
    let links = listed(&mut app);
    assert!(!links.contains("</vm1/"), "{links}");
    assert!(links.contains("</vm2/count>"), "{links}");
    is_at(&mut app, VM2, 5);
    let one = bench.status("vm1");
    assert_eq!(one["state"], "empty");
    assert_eq!(one["fuel_last"], serde_json::Value::Null);
    // A restart brings back what was not removed.
    let bench = bench.restart();
    let mut app = bench.peer("app");
    is_at(&mut app, VM2, 0);
    assert_eq!(ask(&mut app, Code::GET, VM1).code, Code::NOT_FOUND);
}

#[test]
fn each_has_fuel_and_memory_of_its_own() {
    let bench = Bench::new();
    let small = Sign {
        extra: &["--fuel", "400000", "--memory", "32768"],
        ..counter("vm1", 1)
    };
    let large = Sign {
        extra: &["--fuel", "2000000", "--memory", "131072"],
        ..counter("vm2", 1)
    };
    bench.install(&small);
    bench.install(&large);
    let mut app = bench.peer("app");
    for (vm, fuel, memory) in [("vm1", 400_000, 32_768), ("vm2", 2_000_000, 131_072)] {
        let before = bench.status(vm)["memory"].as_u64().unwrap();
        assert!(before < memory);
        for _ in 0..memory / 4096 {
            assert_eq!(post(&mut app, &format!("/{vm}/grow")).code, Code::CONTENT);
        }
        let grown = bench.status(vm)["memory"].as_u64().unwrap();
        assert!(grown <= memory && grown + 4096 > memory, "{grown}");
        let spun = post(&mut app, &format!("/{vm}/spin"));
        assert!(spun.text().contains("fuel"), "{}", spun.text());
        assert_eq!(bench.status(vm)["fuel_last"], fuel);
    }
    // The first one has not grown by what the second one may.
    is_at(&mut app, VM1, 0);
    assert!(bench.status("vm1")["memory"].as_u64().unwrap() < 32_768);
}

#[test]
fn one_that_spins_with_all_the_fuel_there_is_holds_nobody_up() {
    let bench = Bench::new();
    let endless = Sign {
        extra: &["--fuel", "1000000000"],
        ..counter("vm1", 1)
    };
    bench.install(&endless);
    bench.install(&counter("vm2", 1));
    let (mut app, mut op) = (bench.peer("app"), bench.peer("op"));
    let before = bench.status("vm1")["fuel_last"].clone();
    // Four of them, from a session of their own.
    let spinner = &mut bench.peer("app");
    for _ in 0..4 {
        let (spin, _) = spinner
            .protect(Code::POST, |writer| writer.uri_path("/vm1/spin"))
            .unwrap();
        spinner.send(&spin).unwrap();
    }
    for count in 1..=20 {
        assert_eq!(post(&mut app, VM2).text(), count.to_string());
        let status = ask(&mut op, Code::GET, "/vm-control/vm2");
        assert_eq!(status.code, Code::CONTENT);
    }
    // The first of the four calls has not ended meanwhile: that would count.
    assert_eq!(bench.status("vm1")["fuel_last"], before);
    let removed = ask(&mut op, Code::DELETE, "/vm-control/vm1");
    assert_eq!(removed.code, Code::DELETED);
    is_at(&mut app, VM2, 20);
}
