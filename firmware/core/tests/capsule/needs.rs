//! How many core instances, memories and tables a capsule may have: what the
//! signer signs starts, and what would not start is not signed.

use crate::capsule_common::{Board, Capsule, Parts, component, core};
use sealift_engine::{HOST, MAX_INSTANCES, MAX_MEMORIES, MAX_TABLE, MAX_TABLES};
use sealift_manifest::Kind;

/// A section of a component.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut section = vec![id];
    let mut length = content.len();
    while length >= 0x80 {
        section.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    section.push(u8::try_from(length).unwrap());
    section.extend(content);
    section
}

/// A persistent capsule that instantiates a second module so many times.
fn with(module: &str, times: u8) -> Vec<u8> {
    let mut wasm = component(&core(Parts::default()), "persistent", None);
    wasm.extend(section(1, &wat::parse_str(module).unwrap()));
    // Module 1, with no arguments.
    let mut instances = vec![times];
    for _ in 0..times {
        instances.extend([0, 1, 0]);
    }
    wasm.extend(section(2, &instances));
    wasm
}

/// Whether a device starts it, and why the signer does not sign it.
fn judged(wasm: &[u8]) -> (bool, Option<String>) {
    let capsule = Capsule::of_component(wasm, Kind::Persistent);
    let started = capsule.start(&Board::default());
    let signed = signer::translate(wasm, HOST, Kind::Persistent);
    (started.is_ok(), signed.err().map(|error| error.to_string()))
}

/// Up to `most` times the module is signed and starts, once more it is neither.
#[track_caller]
fn at_most(module: &str, most: usize, reason: &str) {
    for times in 1..=most + 2 {
        let (started, refused) = judged(&with(module, u8::try_from(times).unwrap()));
        assert_eq!(started, times <= most, "{times}: {refused:?}");
        assert_eq!(refused.is_none(), started, "{times}: {refused:?}");
        if let Some(said) = refused {
            assert!(said.contains(reason), "{said}");
        }
    }
}

#[test]
fn instances() {
    // The capsule's own module is one.
    at_most("(module)", MAX_INSTANCES - 1, "core instances");
}

#[test]
fn memories() {
    at_most("(module (memory 0))", MAX_MEMORIES - 1, "memories");
}

#[test]
fn tables() {
    let module = "(module (table 1 funcref) (table 1 funcref))";
    at_most(module, MAX_TABLES / 2, "tables");
}

#[test]
fn elements_of_a_table() {
    for (elements, fits) in [(MAX_TABLE, true), (MAX_TABLE + 1, false)] {
        let module = format!("(module (table {elements} funcref))");
        let (started, refused) = judged(&with(&module, 1));
        assert_eq!((started, refused.is_none()), (fits, fits), "{refused:?}");
    }
}
