//! The folders in `attacks/`: one for each attack on an envelope, for any
//! implementation to run. They are made here, compared byte by byte, and held
//! against this crate; `firmware/core/tests/attacks` sends them to a device.
//!
//! Each table is a module, with one line for each attack.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

#[path = "../common/mod.rs"]
mod common;

#[macro_use]
mod tables;
mod attack;
mod encodings;
mod envelopes;
mod fields;
mod good;
mod manifests;
mod others;
mod payloads;
mod signatures;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use attack::{Attack, TRUSTED, key};
use common::anchor;
use common::craft::{Layers, bstr, set, signed};
use sealift_manifest::{Error, Scan, Sign, build_envelope, scan_head, verify};
use tables::List;

/// Every attack, in the order of the index.
fn attacks() -> Vec<Attack> {
    let mut list = List::default();
    good::list(&mut list);
    fields::list(&mut list);
    signatures::list(&mut list);
    envelopes::list(&mut list);
    manifests::list(&mut list);
    encodings::list(&mut list);
    others::list(&mut list);
    payloads::list(&mut list);
    list.0
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "attacks"].iter().collect()
}

/// Every file that is made, by its path in `attacks/`.
fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let attacks = attacks();
    for attack in &attacks {
        let mut add = |file: &str, bytes: Vec<u8>| {
            let path = format!("{}/{file}", attack.name);
            assert_eq!(files.insert(path, bytes), None, "{} twice", attack.name);
        };
        add("envelope.suit", attack.envelope.clone());
        add("attack.toml", attack.to_toml().into());
        if let Some(payload) = &attack.payload {
            add("payload.bin", payload.clone());
        }
    }
    for number in 1..=4 {
        let public = hex::encode(&key(number).pk[..]) + "\n";
        files.insert(format!("FAKE-key-{number}.pub"), public.into());
    }
    files.insert("INDEX.md".into(), attack::index(&attacks).into());
    files
}

/// Files of `attacks/` that are not made here: words, and the payloads.
const GIVEN: [&str; 3] = ["README.md", "running.cwasm", "update.cwasm"];

/// The paths of all files in a folder.
fn found(folder: &Path, prefix: &str, paths: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let entry = entry.expect("can be read");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found(&entry.path(), &format!("{name}/"), paths);
        } else {
            paths.insert(name);
        }
    }
}

#[test]
fn the_folders_are_what_the_tables_make() {
    let files = files();
    let mut there = BTreeSet::new();
    found(&folder(), "", &mut there);
    for given in GIVEN {
        assert!(there.remove(given), "{given} is missing");
    }
    let made: BTreeSet<String> = files.keys().cloned().collect();
    let missing: Vec<_> = made.difference(&there).collect();
    let unknown: Vec<_> = there.difference(&made).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    assert!(unknown.is_empty(), "nothing makes: {unknown:?}");
    for (path, bytes) in &files {
        let there = fs::read(folder().join(path)).expect("can be read");
        assert!(there == *bytes, "{path} is not what it was");
    }
}

/// What a device checks, without what it knows of itself.
fn examine(envelope: &[u8], payload: Option<&[u8]>) -> Result<(), Error> {
    let anchors = TRUSTED.map(|number| anchor(&key(number)));
    let (head, rest) = match scan_head(envelope)? {
        Scan::NeedMore => (envelope, None),
        Scan::Complete {
            head_len,
            integrated,
        } => {
            let (head, rest) = envelope.split_at(head_len);
            (head, integrated.map(|_| rest))
        }
    };
    let manifest = verify(head, &anchors)?;
    match rest.or(payload) {
        Some(payload) => manifest.admit(payload).map(|_| ()),
        None => Ok(()),
    }
}

/// Threat: OP-3, OP-4, NET-17, NET-18, NET-21, NET-22, NET-23, NET-24, NET-25
#[test]
fn each_attack_is_refused_for_its_own_reason() {
    let mut wrong = Vec::new();
    for attack in attacks() {
        let (mut envelope, mut payload) = (attack.envelope.clone(), attack.payload.clone());
        let mut found = examine(&envelope, payload.as_deref()).err();
        if let Some(flip) = attack.flip {
            assert_eq!(found, None, "{}, before the bit is flipped", attack.name);
            let bytes = match flip.in_payload {
                true => payload.as_mut().expect("has a payload"),
                false => &mut envelope,
            };
            bytes[flip.byte] ^= 1 << flip.bit;
            found = examine(&envelope, payload.as_deref()).err();
        }
        if found != attack.error() {
            wrong.push((attack.name, found));
        }
    }
    assert!(wrong.is_empty(), "refused otherwise: {wrong:?}");
}

#[test]
fn every_error_has_an_attack() {
    let errors: BTreeSet<u8> = attacks()
        .iter()
        .filter_map(Attack::error)
        .map(Error::code)
        .collect();
    // Of what a device was told of its translators, which the folders' device was
    // not: tests/thresholds.rs.
    let elsewhere = [Error::BelowThreshold, Error::OutOfScope];
    for error in Error::ALL {
        if elsewhere.contains(error) {
            continue;
        }
        assert!(errors.contains(&error.code()), "{error:?} has no folder");
    }
}

#[test]
fn crafted_and_built_envelopes_are_the_same_bytes() {
    let mut layers = Layers::new(common::PAYLOAD);
    let spec = common::spec();
    set(&mut layers.parameters, 1, bstr(&spec.vendor_id));
    set(&mut layers.parameters, 2, bstr(&spec.class_id));
    let built = build_envelope(&spec, &[&key(1) as &dyn Sign], None, None).expect("is good");
    assert_eq!(signed(&key(1), &layers.encode()), built);
}

#[test]
#[ignore = "writes the folders in attacks/; after a deliberate change of a table or the format"]
fn regenerate() {
    let files = files();
    let mut there = BTreeSet::new();
    found(&folder(), "", &mut there);
    for path in there {
        if !files.contains_key(&path) && !GIVEN.contains(&path.as_str()) {
            fs::remove_file(folder().join(path)).expect("can be removed");
        }
    }
    for (path, bytes) in files {
        let path = folder().join(path);
        fs::create_dir_all(path.parent().expect("is in a folder")).expect("can be made");
        fs::write(path, bytes).expect("can be written");
    }
    for entry in fs::read_dir(folder()).expect("the folder is there") {
        // Only one that has become empty can be removed.
        let _ = fs::remove_dir(entry.expect("can be read").path());
    }
}
