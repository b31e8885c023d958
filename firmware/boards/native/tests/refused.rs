//! Bad input: each refused with one clear reason, the running capsule
//! untouched.

mod common;

use common::{Bench, V1, v2};
use testbed::Sign;

#[test]
fn an_altered_envelope_is_refused() {
    let bench = Bench::with_v1();
    let sign = Sign {
        extra: &["--detached", "--fuel", "1000007"],
        ..v2(2)
    };
    bench.sign("bad.suit", &sign);
    let mut envelope = bench.read("bad.suit");
    let fuel = 1_000_007_u32.to_be_bytes();
    let at = envelope.windows(4).position(|w| w == fuel).unwrap();
    envelope[at..at + 4].copy_from_slice(&2_000_007_u32.to_be_bytes());
    bench.write("bad.suit", &envelope);
    bench.refuses(&["push", "bad.suit"], "altered after it was signed");
}

#[test]
fn an_altered_payload_is_refused() {
    let bench = Bench::with_v1();
    bench.sign("bad.suit", &v2(2));
    let mut envelope = bench.read("bad.suit");
    let last = envelope.len() - 9;
    envelope[last] ^= 1;
    bench.write("bad.suit", &envelope);
    bench.refuses(&["push", "bad.suit"], "does not match the signed digest");
}

#[test]
fn an_older_sequence_number_is_refused() {
    let bench = Bench::with_v1();
    bench.sign("same.suit", &v2(1));
    bench.refuses(&["push", "same.suit"], "sequence number");
    let newer = Sign {
        sequence: 3,
        ..Sign::default()
    };
    bench.sign("newer.suit", &newer);
    bench.op(&["push", "newer.suit"]);
    bench.op(&["confirm", "vm1"]);
    bench.sign("older.suit", &v2(2));
    bench.refuses(&["push", "older.suit"], "sequence number");
}

#[test]
fn a_key_that_the_device_does_not_trust_is_refused() {
    let bench = Bench::with_v1();
    bench.workshop.translator_key("other").unwrap();
    let sign = Sign {
        key: "other",
        ..v2(2)
    };
    bench.sign("other.suit", &sign);
    bench.refuses(
        &["push", "other.suit"],
        "not signed by a trusted translator",
    );
}

#[test]
fn unsigned_bytecode_is_refused() {
    let bench = Bench::with_v1();
    let sign = Sign {
        extra: &["--detached"],
        ..v2(2)
    };
    bench.sign("v2.suit", &sign);
    let raw = "@v2.suit.payload";
    bench.refuses(
        &["call", "PUT", "/vm-control/vm1", "--payload", raw],
        "not a well-formed envelope",
    );
    bench.refuses(
        &["call", "PUT", "/vm-control/vm1/payload", "--payload", raw],
        "no transfer is open",
    );
}

#[test]
fn another_component_vendor_class_or_profile_is_refused() {
    let bench = Bench::with_v1();
    let cases: [(&str, &[&str], &str); 4] = [
        ("vendor", &["--vendor", "other.example"], "another vendor"),
        ("class", &["--class", "other"], "another vendor or class"),
        ("target", &[], "engine profile"),
        ("memory", &["--memory", "4000000000"], "more memory"),
    ];
    for (name, extra, reason) in cases {
        let out = format!("{name}.suit");
        // For another target, and a second --target would be one too many:
        // signed by hand.
        let mut args = vec!["sign"];
        let wasm = bench.workshop.wasm("thermometer-v2");
        args.extend([wasm.to_str().unwrap(), "--key", "translator.key"]);
        args.extend(["--component", "vm1", "--seq", "2", "--out", &out]);
        args.extend(["--grant", "log", "--grant", "rng", "--grant", "sensors"]);
        let board = bench.workshop.board();
        args.push("--target");
        args.push(match name {
            "target" => board.other_target(),
            _ => board.target(),
        });
        args.extend(extra);
        bench.workshop.signer(&args).unwrap().success().unwrap();
        bench.refuses(&["push", &out], reason);
    }
    let sign = Sign {
        component: "vm7",
        ..v2(2)
    };
    bench.sign("vm7.suit", &sign);
    bench.refuses(&["push", "vm7.suit"], "no component of this name");
    bench.refuses(
        &["call", "PUT", "/vm-control/vm2", "--payload", "@v1.suit"],
        "for another component",
    );
}

#[test]
fn a_transfer_that_is_too_short_too_long_or_out_of_order_is_refused() {
    let bench = Bench::with_v1();
    let sign = Sign {
        extra: &["--detached"],
        ..v2(2)
    };
    bench.sign("v2.suit", &sign);
    bench.op(&["call", "PUT", "/vm-control/vm1", "--payload", "@v2.suit"]);
    let payload = bench.read("v2.suit.payload");

    bench.write("short", &payload[..payload.len() - 1]);
    let put = ["call", "PUT", "/vm-control/vm1/payload", "--payload"];
    let said = bench.refused("op", &[&put[..], &["@short"]].concat());
    assert!(said.contains("fewer bytes"), "{said}");
    bench.answers(V1);

    let long = [&payload[..], &[0; 2000]].concat();
    bench.write("long", &long);
    let said = bench.refused("op", &[&put[..], &["@long"]].concat());
    assert!(said.contains("more bytes"), "{said}");
    bench.answers(V1);

    // The transfer is still there, and ends well.
    bench.op(&["push", "v2.suit"]);
}

#[test]
fn a_truncated_envelope_is_refused() {
    let bench = Bench::with_v1();
    bench.sign("v2.suit", &v2(2));
    let envelope = bench.read("v2.suit");
    for length in [1, 2, 100, 300] {
        bench.write("short.suit", &envelope[..length]);
        bench.refuses(
            &["call", "PUT", "/vm-control/vm1", "--payload", "@short.suit"],
            "not a well-formed envelope",
        );
    }
    bench.write("short.suit", &envelope[..envelope.len() - 1]);
    let said = bench.refused(
        "op",
        &["call", "PUT", "/vm-control/vm1", "--payload", "@short.suit"],
    );
    assert!(said.contains("fewer bytes"), "{said}");
    bench.answers(V1);
}

#[test]
fn a_stranger_is_refused_and_roles_are_kept_apart() {
    let bench = Bench::with_v1();
    bench.workshop.credential("stranger").unwrap();
    let said = bench.refused("stranger", &["status"]);
    assert!(said.contains("credential"), "{said}");
    bench.sign("v2.suit", &v2(2));
    let cases: [(&str, &[&str]); 5] = [
        ("app", &["push", "v2.suit"]),
        ("app", &["rollback", "vm1"]),
        ("app", &["remove", "vm1"]),
        ("app", &["status"]),
        ("op", &["call", "GET", "/vm1/temperature"]),
    ];
    for (who, args) in cases {
        let said = bench.refused(who, args);
        assert!(said.contains("no role"), "{who} {args:?}: {said}");
    }
    bench.answers(V1);
}

#[test]
fn the_updater_refuses_a_device_that_is_not_the_one_it_was_told_of() {
    let bench = Bench::with_v1();
    let wrong = bench.workshop.path("app.pub");
    let outcome = testbed::Outcome::of(
        &bench.workshop.programs().updater,
        bench.workshop.dir(),
        &[
            "--device",
            &bench.device.url(),
            "--cred",
            "op.cred",
            "--peer",
            wrong.to_str().unwrap(),
            "status",
        ],
    )
    .unwrap();
    let said = outcome.refusal().unwrap();
    assert!(said.contains("device"), "{said}");
}

#[test]
fn confirm_and_roll_back_without_a_reason_are_refused() {
    let bench = Bench::with_v1();
    bench.refuses(&["confirm", "vm1"], "no trial");
    bench.refuses(&["rollback", "vm1"], "no previous capsule");
    bench.refuses(&["confirm", "vm9"], "no component");
}

#[test]
fn a_second_update_waits_for_the_trial() {
    let bench = Bench::with_v1();
    bench.sign("v2.suit", &v2(2));
    bench.sign("v3.suit", &v2(3));
    bench.op(&["push", "v2.suit"]);
    let said = bench.refused("op", &["push", "v3.suit"]);
    assert!(said.contains("trial is pending"), "{said}");
}
