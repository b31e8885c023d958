//! Hostile capsules: they get an error response, the device goes on.

mod common;

use common::{Bench, V1};
use testbed::Sign;

/// Installs and confirms a hostile capsule as vm2, beside version 1 as vm1.
fn hostile(capsule: &'static str) -> Bench {
    let bench = Bench::with_v1();
    let sign = Sign {
        capsule,
        component: "vm2",
        grants: &["log", "rng"],
        extra: &["--fuel", "3000000"],
        ..Sign::default()
    };
    bench.sign("hostile.suit", &sign);
    bench.op(&["push", "hostile.suit"]);
    bench.op(&["confirm", "vm2"]);
    bench
}

#[test]
fn spinning_allocating_recursing_and_trapping_are_contained() {
    let bench = hostile("hostile");
    let cases = [
        ("spin", "fuel"),
        ("alloc", "memory"),
        ("grow", "fuel"),
        ("recurse", "stack"),
        ("stack", "trapped"),
        ("trap", "trapped"),
        ("flood", "fuel"),
        ("random", "trapped"),
        ("junk", "invalid answer"),
        ("huge", "invalid answer"),
    ];
    for (path, reason) in cases {
        let path = format!("/vm2/{path}");
        // Twice: the capsule is started anew after each fault.
        for _ in 0..2 {
            let said = bench.refused("app", &["call", "GET", &path]);
            assert!(said.contains(reason), "{path}: {said}");
            bench.answers(V1);
        }
    }
}

#[test]
fn a_capsule_that_fails_to_start_is_put_back_at_once() {
    let bench = Bench::with_v1();
    for (sequence, capsule) in (2..).zip(["crasher-init", "hostile-init"]) {
        let sign = Sign {
            capsule,
            sequence,
            grants: &["log"],
            extra: &["--fuel", "3000000"],
            ..Sign::default()
        };
        bench.sign("bad.suit", &sign);
        let said = bench.refused("op", &["push", "bad.suit"]);
        assert!(said.contains("failed to start"), "{capsule}: {said}");
        bench.answers(V1);
    }
}

#[test]
fn a_trial_that_keeps_crashing_is_given_up() {
    let bench = Bench::with_v1();
    let sign = Sign {
        capsule: "crasher",
        sequence: 2,
        grants: &["log"],
        ..Sign::default()
    };
    bench.sign("bad.suit", &sign);
    bench.op(&["push", "bad.suit"]);
    for _ in 0..3 {
        let said = bench.refused("app", &["call", "GET", "/vm1/crash"]);
        assert!(said.contains("trapped"), "{said}");
    }
    bench.answers(V1);
}
