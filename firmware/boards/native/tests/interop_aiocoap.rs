//! Somebody else's client against the device: aiocoap, with its own EDHOC and
//! OSCORE, shakes hands, reads the status and installs a capsule.
//!
//! Needs a Python with aiocoap, named by `SEALIFT_PYTHON`; without it the test
//! says so and does nothing. `cargo xtask test` provides one.

mod common;

use std::path::Path;

use common::{Bench, V1};
use testbed::{Outcome, Sign};

const CLIENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../oscore/tests/interop/client.py"
);

fn aiocoap(bench: &Bench, credential: &str, options: &[&str], steps: &[&str]) -> Option<Outcome> {
    let Ok(python) = std::env::var("SEALIFT_PYTHON") else {
        println!("skipped: SEALIFT_PYTHON does not name a Python with aiocoap");
        return None;
    };
    let credential = format!("{credential}.cred");
    let url = bench.device.url();
    let fixed = [CLIENT, "--cred", &credential, "--peer", "device.pub"];
    let args = [&fixed[..], &["--uri", &url], options, steps].concat();
    Some(Outcome::of(Path::new(&python), bench.workshop.dir(), &args).unwrap())
}

#[test]
fn aiocoap_shakes_hands_reads_the_status_and_installs_blockwise() {
    let bench = Bench::new();
    bench.sign("v1.suit", &Sign::default());
    let steps = [
        "get",
        "/vm-control",
        "put",
        "/vm-control/vm1",
        "@v1.suit",
        "post",
        "/vm-control/vm1/confirm",
        "-",
        "get",
        "/.well-known/core",
        "put",
        "/vm-control/vm1",
        "@v1.suit",
    ];
    let Some(outcome) = aiocoap(&bench, "op", &["--szx", "5"], &steps) else {
        return;
    };
    let said = outcome.success().unwrap().stdout;
    let codes: Vec<&str> = said
        .split("\"code\": \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    // The same envelope again is done already.
    assert_eq!(codes, ["2.05", "2.04", "2.04", "2.05", "2.03"], "{said}");
    bench.answers(V1);
    assert!(bench.op(&["status"]).contains("confirmed"));
}

#[test]
fn aiocoap_is_refused_as_anybody_else() {
    let bench = Bench::with_v1();
    let steps = ["delete", "/vm-control/vm1"];
    let Some(outcome) = aiocoap(&bench, "app", &[], &steps) else {
        return;
    };
    assert_eq!(outcome.status, 1);
    assert!(outcome.stdout.contains("\"4.03\""), "{}", outcome.stdout);
    bench.workshop.credential("stranger").unwrap();
    let Some(outcome) = aiocoap(&bench, "stranger", &["--timeout", "3"], &steps) else {
        return;
    };
    assert_eq!(outcome.status, 1);
    assert!(!outcome.stdout.contains("code"), "{}", outcome.stdout);
    bench.answers(V1);
}
