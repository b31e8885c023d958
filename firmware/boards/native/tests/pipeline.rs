//! The main job, with separate real processes: signer, updater, device.

mod common;

use common::{Bench, V1, V2, v2};
use testbed::{Board, Sign};

#[test]
fn a_capsule_is_installed_runs_and_is_confirmed() {
    let bench = Bench::new();
    bench.sign("v1.suit", &Sign::default());
    bench.op(&["push", "v1.suit"]);
    let celsius = bench.run("app", &["call", "GET", "/vm1/temperature"]);
    assert!(celsius.trim().ends_with("\u{b0}C"), "{celsius}");
    let fahrenheit = bench.run("app", &["call", "GET", "/vm1/temperature/fahrenheit"]);
    assert!(fahrenheit.trim().ends_with("\u{b0}F"), "{fahrenheit}");
    assert!(bench.op(&["status"]).contains("trial"));
    bench.op(&["confirm", "vm1"]);
    assert!(bench.op(&["status"]).contains("confirmed"));
    bench.answers(V1);
}

#[test]
fn every_block_size_installs() {
    let bench = Bench::with_v1();
    for (sequence, size) in (2..).zip(["16", "32", "64", "128", "256", "512", "1024"]) {
        let out = format!("{size}.suit");
        bench.sign(&out, &v2(sequence));
        bench.op(&["push", &out, "--block-size", size]);
        bench.answers(V2);
        bench.op(&["confirm", "vm1"]);
    }
}

#[test]
fn an_interrupted_transfer_goes_on_where_it_stood() {
    let bench = Bench::with_v1();
    let detached = Sign {
        extra: &["--detached"],
        ..v2(2)
    };
    bench.sign("detached.suit", &detached);
    bench.sign("integrated.suit", &v2(3));
    for envelope in ["detached.suit", "integrated.suit"] {
        let stop = [
            "push",
            envelope,
            "--block-size",
            "128",
            "--stop-after",
            "5000",
        ];
        bench.refused("op", &stop);
        let said = bench.op(&["push", envelope, "--block-size", "128"]);
        let at = said
            .split("resuming at ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .expect("a line that says where it resumes");
        assert!(at.parse::<u32>().unwrap() >= 4864, "{said}");
        bench.answers(V2);
        bench.op(&["confirm", "vm1"]);
    }
}

#[test]
fn a_transfer_survives_a_kill_of_the_device_from_its_last_whole_page() {
    let bench = Bench::with_v1();
    bench.sign("v2.suit", &v2(2));
    let stop = [
        "push",
        "v2.suit",
        "--block-size",
        "256",
        "--stop-after",
        "8000",
    ];
    bench.refused("op", &stop);
    let bench = bench.restart();
    bench.answers(V1);
    let said = bench.op(&["push", "v2.suit", "--block-size", "256"]);
    // 1,024 bytes for the envelope's head, then payload, in pages: of 4,096
    // bytes, or such that the first is not full yet.
    match Board::chosen().unwrap().page() {
        4096 => assert!(said.contains("resuming at 7168"), "{said}"),
        _ => assert!(!said.contains("resuming"), "{said}"),
    }
    bench.answers(V2);
}

#[test]
fn the_same_envelope_again_changes_nothing() {
    let bench = Bench::with_v1();
    let before = bench.state();
    let said = bench.op(&["push", "v1.suit"]);
    assert!(said.contains("already"), "{said}");
    assert_eq!(before, bench.state());
}

#[test]
fn roll_back_puts_the_previous_capsule_back_and_forth() {
    let bench = Bench::with_v1();
    bench.sign("v2.suit", &v2(2));
    bench.op(&["push", "v2.suit"]);
    bench.answers(V2);
    // From a trial.
    bench.op(&["rollback", "vm1"]);
    bench.answers(V1);
    bench.sign("v3.suit", &v2(3));
    bench.op(&["push", "v3.suit"]);
    bench.op(&["confirm", "vm1"]);
    // From a confirmed capsule, and back again.
    bench.op(&["rollback", "vm1"]);
    bench.answers(V1);
    bench.op(&["rollback", "vm1"]);
    bench.answers(V2);
}

#[test]
fn a_confirmed_floor_shuts_the_way_back() {
    let bench = Bench::with_v1();
    let sign = Sign {
        extra: &["--floor", "2"],
        ..v2(2)
    };
    bench.sign("v2.suit", &sign);
    bench.op(&["push", "v2.suit"]);
    bench.op(&["confirm", "vm1"]);
    let said = bench.refused("op", &["rollback", "vm1"]);
    assert!(said.contains("roll") || said.contains("previous"), "{said}");
    bench.answers(V2);
}

#[test]
fn a_killed_device_comes_back_with_the_same_capsule() {
    let bench = Bench::with_v1();
    // The table; below it is what changes with each start.
    let table = |bench: &Bench| {
        let status = bench.op(&["status", "vm1"]);
        let lines: Vec<_> = status.lines().take(2).map(str::to_owned).collect();
        lines
    };
    let before = table(&bench);
    let bench = bench.restart();
    assert_eq!(before, table(&bench));
    bench.answers(V1);
}

#[test]
fn a_trial_that_is_never_confirmed_is_given_up_after_its_tries() {
    let mut bench = Bench::with_v1();
    bench.sign("v2.suit", &v2(2));
    bench.op(&["push", "v2.suit"]);
    let mut restarts = 0;
    while bench.version("vm1") == V2 {
        restarts += 1;
        assert!(restarts < 10, "the trial is never given up");
        bench = bench.restart();
    }
    assert!(restarts > 1, "a trial survives a reset");
    bench.answers(V1);
}

#[test]
fn a_removed_capsule_is_gone_and_its_sequence_number_is_not_forgotten() {
    let bench = Bench::with_v1();
    bench.op(&["remove", "vm1"]);
    let said = bench.refused("app", &["call", "GET", "/vm1/temperature"]);
    assert!(said.contains("no running capsule"), "{said}");
    let said = bench.refused("op", &["push", "v1.suit"]);
    assert!(said.contains("sequence number"), "{said}");
    bench.sign("v2.suit", &v2(2));
    bench.op(&["push", "v2.suit"]);
    bench.answers(V2);
}

#[test]
fn an_ephemeral_capsule_takes_input_and_gives_output() {
    let bench = Bench::new();
    let sign = Sign {
        capsule: "hello",
        component: "vm-run",
        grants: &[],
        extra: &["--ephemeral"],
        ..Sign::default()
    };
    bench.sign("hello.suit", &sign);
    let said = bench.op(&["run", "hello.suit", "--input", "world"]);
    assert!(said.contains("world"), "{said}");
    // Nothing of it is stored.
    assert!(bench.op(&["status"]).contains("empty"));
}

#[test]
fn discovery_lists_what_there_is() {
    let bench = Bench::with_v1();
    let said = bench.run("app", &["discover"]);
    for path in ["</vm-control>", "</vm-run>", "</vm1/temperature>"] {
        assert!(said.contains(path), "{said}");
    }
}

#[test]
fn two_components_are_independent() {
    let bench = Bench::with_v1();
    let sign = Sign {
        component: "vm2",
        ..v2(7)
    };
    bench.sign("other.suit", &sign);
    bench.op(&["push", "other.suit"]);
    assert_eq!(bench.version("vm2"), V2);
    bench.answers(V1);
    bench.op(&["remove", "vm2"]);
    bench.answers(V1);
}
