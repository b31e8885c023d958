//! Keys come and go, with the real programs: a translator and an operator are
//! replaced by signed records, and the old ones are refused.

mod common;

use common::{Bench, V1, V2, v2};
use testbed::{Sign, Workshop};

/// Makes a trust record, signed by `root`.
fn record(workshop: &Workshop, out: &str, sequence: &str, rest: &[&str]) {
    let mut args = vec!["trust", "--root-key", "root.key", "--seq", sequence];
    args.extend(["--out", out]);
    args.extend(rest);
    workshop.signer(&args).unwrap().success().unwrap();
}

fn bench() -> Bench {
    let workshop = Workshop::furnished().unwrap();
    for key in ["root", "next", "third"] {
        workshop.translator_key(key).unwrap();
    }
    workshop.credential("op2").unwrap();
    let root = workshop.path("root.pub");
    let device = workshop.device_with(|options| options.root.push(root));
    let bench = Bench {
        workshop,
        device: device.unwrap(),
    };
    bench.sign("v1.suit", &Sign::default());
    bench.op(&["push", "v1.suit"]);
    bench.op(&["confirm", "vm1"]);
    bench.answers(V1);
    bench
}

#[test]
fn a_translator_and_an_operator_are_replaced_and_the_old_ones_refused() {
    let bench = bench();
    assert!(bench.op(&["status"]).contains("trust: as provisioned"));

    // First the new ones beside the old ones.
    let use_by_app = ["--allow", "use=app.pub"];
    let both = [
        &["--translator", "translator.pub", "--translator", "next.pub"][..],
        &["--allow", "deploy=op.pub", "--allow", "deploy=op2.pub"],
        &use_by_app,
    ];
    record(&bench.workshop, "both.suit", "1", &both.concat());
    let said = bench.op(&["push", "both.suit"]);
    assert!(said.contains("trust record 1 is in force"), "{said}");
    let again = bench.op(&["push", "both.suit"]);
    assert!(again.contains("already installed"), "{again}");
    bench.answers(V1);
    let sign = Sign {
        key: "next",
        ..v2(2)
    };
    bench.sign("v2.suit", &sign);
    bench.run("op2", &["push", "v2.suit"]);
    bench.run("op2", &["confirm", "vm1"]);
    bench.answers(V2);

    // Then without the old ones, by the new operator and nobody else.
    let only_new = [
        &["--translator", "next.pub", "--allow", "deploy=op2.pub"][..],
        &use_by_app,
    ];
    record(&bench.workshop, "new.suit", "2", &only_new.concat());
    let said = bench.refused("op", &["push", "new.suit"]);
    assert!(said.contains("lock somebody out"), "{said}");
    bench.run("op2", &["push", "new.suit"]);

    let check = |bench: &Bench| {
        bench.answers(V2);
        bench.refused("op", &["--retries", "1", "status"]);
        let said = bench.run("op2", &["status"]);
        assert!(said.contains("trust: record 2"), "{said}");
        let said = bench.refused("op2", &["push", "old.suit"]);
        assert!(said.contains("not signed by a trusted"), "{said}");
        let said = bench.refused("op2", &["rollback", "vm1"]);
        assert!(said.contains("not signed by a trusted"), "{said}");
        let said = bench.refused("op2", &["push", "both.suit"]);
        assert!(said.contains("sequence number"), "{said}");
    };
    bench.sign("old.suit", &v2(3));
    check(&bench);
    let bench = bench.restart();
    check(&bench);
}

#[test]
fn two_translators_where_the_record_asks_for_two() {
    let bench = bench();
    let two = [
        &["--translator", "next.pub", "--translator", "third.pub=vm1"][..],
        &["--translator", "translator.pub=vm2", "--threshold", "2"],
        &["--allow", "deploy=op.pub", "--allow", "use=app.pub"],
    ];
    // One of those for vm2 and one for all make two there; for others, one.
    let outcome = bench.workshop.signer(
        &[
            &[
                "trust",
                "--root-key",
                "root.key",
                "--seq",
                "1",
                "--out",
                "t.suit",
            ][..],
            &two.concat(),
        ]
        .concat(),
    );
    let said = outcome.unwrap();
    assert!(said.refusal().unwrap().contains("fewer keys"), "{said:?}");
    let two = [
        &[
            "--translator",
            "next.pub=vm1",
            "--translator",
            "third.pub=vm1",
        ][..],
        &["--threshold", "2"],
        &["--allow", "deploy=op.pub", "--allow", "use=app.pub"],
    ];
    record(&bench.workshop, "two.suit", "1", &two.concat());
    bench.op(&["push", "two.suit"]);
    // Its only translator is none any more.
    let said = bench.refused("app", &["call", "GET", "/vm1/version"]);
    assert!(said.contains("no running capsule"), "{said}");

    let sign = Sign {
        key: "next",
        extra: &["--signatures", "2"],
        ..v2(2)
    };
    bench.sign("alone.suit", &sign);
    let said = bench.refused("op", &["push", "alone.suit"]);
    assert!(said.contains("not signed by a trusted"), "{said}");
    let cosign = |key: &str, capsule: &str| {
        let wasm = bench.workshop.wasm(capsule);
        let wasm = wasm.to_str().unwrap();
        let args = ["cosign", "alone.suit", "--key", key, "--source", wasm];
        let args = [&args[..], &["--out", "v2.suit"]].concat();
        bench.workshop.signer(&args).unwrap()
    };
    // Whoever signs, too, translates again.
    let other = cosign("third.key", "thermometer");
    assert!(other.refusal().unwrap().contains("not the source"));
    let twice = cosign("next.key", "thermometer-v2");
    assert!(twice.refusal().unwrap().contains("signed this already"));
    cosign("third.key", "thermometer-v2").success().unwrap();
    bench.op(&["push", "v2.suit"]);
    bench.answers(V2);
}
