//! Runs `interop.py` on the golden envelopes: cwt and cbor2 read and verify
//! what we write, and refuse it once it is damaged.
//!
//! The interpreter is named by the environment variable `SEALIFT_PYTHON`; it
//! needs the packages in `interop/requirements.txt`.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{PAYLOAD, spec};

/// The interpreter, or `None` with a line that says so.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("SEALIFT_PYTHON").map(PathBuf::from);
    if python.is_none() {
        println!("SKIPPED: SEALIFT_PYTHON is not set, nothing was run");
    }
    python
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(python: &Path, envelope: &Path, keys: &[&str], payload: bool) -> Output {
    let vectors = root().join("vectors");
    let mut command = Command::new(python);
    command.arg(root().join("tests/interop.py")).arg(envelope);
    command.args(keys.iter().map(|key| vectors.join(key)));
    if payload {
        command.arg("--payload").arg(vectors.join("payload.bin"));
    }
    command
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()))
}

#[test]
fn python_reads_and_verifies_the_golden_envelopes() {
    let Some(python) = python() else { return };
    let spec = spec();
    let both = ["FAKE-key-1.pub", "FAKE-key-2.pub"];
    for (name, delivery) in [
        ("detached.suit", "detached"),
        ("integrated.suit", "integrated"),
        ("two-signatures.suit", "detached"),
        ("text.suit", "detached"),
        ("text-severed.suit", "detached"),
        ("text-integrated.suit", "integrated"),
    ] {
        let output = run(&python, &root().join("vectors").join(name), &both, true);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {stderr}");
        let json = String::from_utf8(output.stdout).expect("prints UTF-8");
        for line in [
            format!("\"sequence_number\": {}", spec.sequence_number),
            format!("\"component\": \"{}\"", spec.component),
            format!(
                "\"payload_digest\": \"{}\"",
                hex::encode(spec.payload_digest)
            ),
            format!("\"payload_size\": {}", PAYLOAD.len()),
            "\"payload_checked\": true".into(),
            format!("\"delivery\": \"{delivery}\""),
            format!("\"profile\": \"{}\"", spec.invoke.profile),
            format!("\"fuel\": {}", spec.invoke.fuel),
            format!("\"memory\": {}", spec.invoke.memory),
            format!("\"stack\": {}", spec.invoke.stack),
            "\"kind\": \"persistent\"".into(),
            format!("\"floor\": {}", spec.invoke.floor),
            format!(
                "\"source_digest\": \"{}\"",
                hex::encode(spec.invoke.source_digest)
            ),
            "\"log\",\n    \"rng\"\n  ]".into(),
        ] {
            assert!(json.contains(&line), "{name}: no {line} in {json}");
        }
    }
}

#[test]
fn python_refuses_what_is_not_signed_like_that() {
    let Some(python) = python() else { return };
    let refused = |envelope: &Path, keys: &[&str], why: &str| {
        let output = run(&python, envelope, keys, false);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{why}");
        assert!(stderr.starts_with("refused: "), "{why}: {stderr}");
    };
    let vectors = root().join("vectors");
    refused(
        &vectors.join("detached.suit"),
        &["FAKE-key-2.pub"],
        "signed by another key",
    );
    refused(
        &vectors.join("two-signatures.suit"),
        &["FAKE-key-1.pub"],
        "one of two signatures is by an unknown key",
    );
    let good = std::fs::read(vectors.join("integrated.suit")).expect("is there");
    let damaged = Path::new(env!("CARGO_TARGET_TMPDIR")).join("damaged.suit");
    // In the digest, the signature, the manifest and the payload.
    for place in [20, 100, 200, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        std::fs::write(&damaged, bytes).expect("can be written");
        refused(&damaged, &["FAKE-key-1.pub"], &format!("byte {place}"));
    }
}
