//! The files in `vectors/`: an incompatible change of the format fails here.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{PAYLOAD, anchor, fake_key, spec};
use sealift_manifest::{
    Delivery, Grants, Kind, ManifestSpec, Scan, Sign, Text, build_envelope, inspect, scan_head,
    sever_text, verify,
};

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "vectors", name]
        .iter()
        .collect()
}

fn read(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn text() -> Text {
    let mut text = Text::new("en").expect("is a language tag");
    text.manifest_description = Some("A thermometer that answers in tenths of a degree".into());
    text.vendor_domain = Some("sealift.example".into());
    text.component_version = Some("1.2.3".into());
    text
}

fn ephemeral() -> ManifestSpec {
    let mut spec = spec();
    spec.sequence_number = 0x1_0000_0000;
    spec.component = "job".into();
    spec.invoke.kind = Kind::Ephemeral;
    spec.invoke.grants = Grants::NONE;
    spec.invoke.floor = 0;
    spec
}

/// A manifest that asks for two signatures.
fn required() -> ManifestSpec {
    let mut spec = spec();
    spec.invoke.signatures = 2;
    spec
}

/// Every file, from the code as it is.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let (one, two) = (fake_key(1), fake_key(2));
    let alone: [&dyn Sign; 1] = [&one];
    let build = |spec: &ManifestSpec, keys: &[&dyn Sign], payload, text| {
        build_envelope(spec, keys, payload, text).expect("the specification is good")
    };
    let text = text();
    let with_text = build(&spec(), &alone, None, Some(&text));
    let severed = sever_text(&with_text).expect("is an envelope");
    let mut files = vec![
        ("detached.suit", build(&spec(), &alone, None, None)),
        (
            "integrated.suit",
            build(&spec(), &alone, Some(PAYLOAD), None),
        ),
        (
            "two-signatures.suit",
            build(&spec(), &[&one, &two], None, None),
        ),
        (
            "two-required.suit",
            build(&required(), &[&one, &two], Some(PAYLOAD), None),
        ),
        ("text.suit", with_text),
        ("text-severed.suit", severed),
        (
            "text-integrated.suit",
            build(&spec(), &alone, Some(PAYLOAD), Some(&text)),
        ),
        (
            "ephemeral.suit",
            build(&ephemeral(), &alone, Some(PAYLOAD), None),
        ),
        ("payload.bin", PAYLOAD.to_vec()),
    ];
    for (public, secret, key) in [
        ("FAKE-key-1.pub", "FAKE-key-1.seed", one),
        ("FAKE-key-2.pub", "FAKE-key-2.seed", two),
    ] {
        files.push((public, (hex::encode(&key.pk[..]) + "\n").into()));
        files.push((secret, (hex::encode(&key.sk[..32]) + "\n").into()));
    }
    files
}

#[test]
fn the_encoder_still_makes_the_same_bytes() {
    for (name, bytes) in files() {
        assert!(read(name) == bytes, "{name} is not what it was");
    }
}

#[test]
fn the_decoder_still_reads_the_same() {
    let anchors = [anchor(&fake_key(1)), anchor(&fake_key(2))];
    let payload = read("payload.bin");
    let cases = [
        ("detached.suit", spec(), Delivery::Detached, 1, None),
        ("integrated.suit", spec(), Delivery::Integrated, 1, None),
        ("two-signatures.suit", spec(), Delivery::Detached, 2, None),
        (
            "two-required.suit",
            required(),
            Delivery::Integrated,
            2,
            None,
        ),
        ("text.suit", spec(), Delivery::Detached, 1, Some(text())),
        ("text-severed.suit", spec(), Delivery::Detached, 1, None),
        (
            "text-integrated.suit",
            spec(),
            Delivery::Integrated,
            1,
            Some(text()),
        ),
        ("ephemeral.suit", ephemeral(), Delivery::Integrated, 1, None),
    ];
    for (name, spec, delivery, signatures, text) in cases {
        let envelope = read(name);
        let Ok(Scan::Complete {
            head_len,
            integrated,
        }) = scan_head(&envelope)
        else {
            panic!("{name} is not an envelope");
        };
        let (head, rest) = envelope.split_at(head_len);
        let manifest = verify(head, &anchors).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(ManifestSpec::from(&*manifest), spec, "{name}");
        assert_eq!(manifest.delivery, delivery, "{name}");
        assert!(manifest.admit(&payload).is_ok(), "{name}");
        if integrated.is_some() {
            assert!(rest == payload, "{name}");
        }
        let inspected = inspect(&envelope).unwrap_or_else(|error| panic!("{name}: {error}"));
        let inspected = inspected.untrusted();
        assert_eq!(inspected.key_ids.len(), signatures, "{name}");
        assert_eq!(inspected.text, text, "{name}");
        assert_eq!(inspected.problems, [], "{name}");
    }
}

#[test]
#[ignore = "writes the files in vectors/; only for a deliberate change of the format"]
fn regenerate() {
    for (name, bytes) in files() {
        fs::write(path(name), bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
