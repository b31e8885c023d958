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

/// A capsule that runs once, of two components, one of which calls the other one,
/// and so many more core modules. Both have types of the same names, and `more`
/// stands in the one that calls.
fn composed(more: &str, modules: usize) -> Vec<u8> {
    let modules = "(core instance (instantiate $empty))".repeat(modules);
    let text = format!(
        r#"(component
            (core module $empty)
            {modules}
            (component $maker
                (type $e (enum "first" "second"))
                (export $kind "kind" (type $e))
                (core module $m (func (export "next") (param i32) (result i32)
                    (i32.add (local.get 0) (i32.const 1))))
                (core instance $i (instantiate $m))
                (func (export "next") (param "from" $kind) (result u32)
                    (canon lift (core func $i "next"))))
            (component $user
                (import "maker" (instance $maker
                    (type $e (enum "first" "second"))
                    (export "kind" (type $kind (eq $e)))
                    (export "next" (func (param "from" $kind) (result u32)))))
                (core module $m
                    (import "maker" "next" (func $next (param i32) (result i32)))
                    (memory (export "memory") 0)
                    (func (export "f") (result i32) (call $next (i32.const 1))))
                (core func $next (canon lower (func $maker "next")))
                (core instance $i (instantiate $m
                    (with "maker" (instance (export "next" (func $next))))))
                (alias core export $i "memory" (core memory $memory))
                {more}
                (func (export "f") (result u32) (canon lift (core func $i "f"))))
            (instance $made (instantiate $maker))
            (instance $used (instantiate $user (with "maker" (instance $made))))
            (alias export $used "f" (func $f))
            (export "f" (func $f)))"#
    );
    wat::parse_str(text).unwrap()
}

/// What calls the other component once more, with a memory that is there only
/// after the first call was made possible.
const ONCE_MORE: &str = r#"
    (core func $again (canon lower (func $maker "next") (memory $memory)))
    (core module $other (import "maker" "next" (func (param i32) (result i32))))
    (core instance (instantiate $other
        (with "maker" (instance (export "next" (func $again))))))"#;

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

#[test]
fn modules_between_components() {
    // Each of the two has a module, and there is one more between them.
    for (more, own) in [("", 3), (ONCE_MORE, 5)] {
        for modules in 0..=MAX_INSTANCES {
            let wasm = composed(more, modules);
            let answer = Capsule::of_component(&wasm, Kind::Ephemeral).run(&Board::default(), b"f");
            let fits = own + modules <= MAX_INSTANCES;
            match answer {
                Ok(answer) => assert!(fits && answer == b"2", "{modules}: {answer:?}"),
                Err(fault) => assert!(!fits, "{modules}: {fault:?}"),
            }
            match signer::translate(&wasm, HOST, Kind::Ephemeral) {
                Ok(_) => assert!(fits, "{modules}"),
                Err(error) => {
                    assert!(!fits, "{modules}: {error}");
                    assert!(error.to_string().contains("core instances"), "{error}");
                }
            }
        }
    }
}
