//! Ephemeral capsules that export plain functions, as treVM's do.

mod common;

use common::{GUEST, component};
use signer::{Error, Grants, Kind, Target, Translation, translate};
use wit_component::{StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

const BINDINGS: &str = "ariel:wasm-bindings";

/// A core module of a world with these items, as a guest's compiler leaves it:
/// it imports all that the world imports. Every function traps.
fn capsule(items: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../capsules/wit");
    resolve.push_dir(folder).expect("the capsule WIT");
    let text = format!("package example:example; world capsule {{ {items} }}");
    let package = resolve.push_str("capsule.wit", &text).expect(items);
    let world = resolve
        .select_world(&[package], Some("capsule"))
        .expect("the world");
    let mangling = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut wasm = dummy_module(&resolve, world, mangling);
    embed_component_metadata(&mut wasm, &resolve, world, StringEncoding::UTF8)
        .expect("the metadata");
    wasm
}

fn imports(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("import {BINDINGS}/{name}-api@0.0.1; "))
        .collect()
}

fn ephemeral(items: &str) -> Result<Translation, Error> {
    let module = capsule(items);
    let of_module = translate(&module, Target::Pulley32, Kind::Ephemeral);
    let of_component = translate(&component(&module), Target::Pulley32, Kind::Ephemeral);
    match (&of_module, &of_component) {
        (Ok(one), Ok(other)) => assert_eq!(one.payload, other.payload, "{items}"),
        (Err(one), Err(other)) => assert_eq!(one.code(), other.code(), "{items}"),
        _ => panic!("{items}: as a module {of_module:?}, as a component {of_component:?}"),
    }
    of_module
}

#[test]
fn the_worlds_of_trevms_examples_are_capsules() {
    let all = |grants: &[Grants]| grants.iter().copied().fold(Grants::NONE, Grants::union);
    let (log, rng, time) = (Grants::LOG, Grants::RNG, Grants::TIME);
    let cases: [(&[&str], &str, Grants); 7] = [
        (&[], "export fibonacci: func(n: u32) -> u32;", Grants::NONE),
        (
            &["sensors", "log", "rng"],
            "export mess-with-temperature: func();",
            all(&[Grants::SENSORS, log, rng]),
        ),
        (&[], "export run: func() -> string;", Grants::NONE),
        (
            &["log", "time", "rng"],
            "export run: func();",
            all(&[log, time, rng]),
        ),
        (
            &["log", "gpio", "time"],
            "export blinky: func();",
            all(&[log, Grants::GPIO, time]),
        ),
        (
            &["sensors", "log", "time"],
            "export monitor-temperature: func();",
            all(&[Grants::SENSORS, log, time]),
        ),
        (
            &["log", "udp"],
            "export bind-socket: func(port: u16); export run: func();",
            all(&[log, Grants::UDP]),
        ),
    ];
    for (imported, exports, grants) in cases {
        let items = imports(imported) + exports;
        let translation = ephemeral(&items).expect(exports);
        assert_eq!(translation.imports, grants, "{exports}");
    }
}

#[test]
fn every_type_that_a_line_of_text_can_carry_is_taken() {
    let integers = ["u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64"];
    let functions: String = integers
        .iter()
        .map(|ty| format!("export f-{ty}: func(n: {ty}) -> {ty}; "))
        .collect();
    ephemeral(&functions).expect("integers");
    ephemeral("export f: func(n: u32) -> list<u8>;").expect("bytes");
}

#[test]
fn other_types_are_refused_by_the_name_of_the_function() {
    for function in [
        "func(a: u32, b: u32)",
        "func(text: string)",
        "func(bytes: list<u8>)",
        "func(n: f32)",
        "func(n: bool)",
        "func(n: char)",
        "func(n: option<u32>)",
        "func() -> bool",
        "func() -> f64",
        "func() -> char",
        "func() -> result",
        "func() -> option<u32>",
        "func() -> list<u16>",
        "func() -> list<string>",
        "func() -> tuple<u8, u8>",
        "func() -> result<string, string>",
    ] {
        let items = format!("export good: func(n: u32) -> u32; export bad: {function};");
        match ephemeral(&items) {
            Err(Error::FunctionType(name)) => assert_eq!(name, "bad", "{function}"),
            other => panic!("{function}: {other:?}"),
        }
    }
}

#[test]
fn functions_beside_anything_else_are_refused() {
    for other in [
        "sealift:capsule/job@0.1.0;",
        "ariel:wasm-bindings/coap-server-guest@0.0.1;",
        "other: interface { f: func(); }",
    ] {
        let items = format!("export run: func(); export {other}");
        let error = ephemeral(&items).expect_err(other);
        assert!(matches!(error, Error::OtherExport(_)), "{other}: {error}");
    }
    let items = format!("export sealift:capsule/job@0.1.0; export {GUEST};");
    match ephemeral(&items) {
        Err(Error::OtherExport(name)) => assert_eq!(name, GUEST),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_type_beside_the_functions_is_refused() {
    let text = r#"(component
        (type $t (record (field "a" u8)))
        (export "t" (type $t))
        (core module $m (func (export "run")))
        (core instance $i (instantiate $m))
        (func $run (canon lift (core func $i "run")))
        (export "run" (func $run)))"#;
    let wasm = wat::parse_str(text).expect("valid text");
    let error = translate(&wasm, Target::Pulley32, Kind::Ephemeral).expect_err("a type");
    assert!(matches!(error, Error::NotACapsule(_)), "{error}");
}

#[test]
fn a_capsule_without_exports_is_refused() {
    for items in ["", "export other: interface { f: func(); }"] {
        let error = ephemeral(items).expect_err(items);
        assert!(
            matches!(error, Error::MissingExport { .. }),
            "{items}: {error}"
        );
    }
}

#[test]
fn functions_do_not_make_a_persistent_capsule() {
    let wasm = capsule("export run: func();");
    let error = translate(&wasm, Target::Pulley32, Kind::Persistent).expect_err("no server");
    assert!(matches!(error, Error::MissingExport { .. }), "{error}");
}

#[test]
fn imports_are_held_to_the_wit_all_the_same() {
    let items = "import uppercase: func(input: string) -> string; export run: func();";
    match ephemeral(items) {
        Err(Error::UnknownImport(name)) => assert_eq!(name, "uppercase"),
        other => panic!("{other:?}"),
    }
    let text = r#"(component
        (import "ariel:wasm-bindings/log-api@0.0.1" (instance
            (export "info" (func (param "input" u32)))))
        (core module $m (func (export "run")))
        (core instance $i (instantiate $m))
        (func $run (canon lift (core func $i "run")))
        (export "run" (func $run)))"#;
    let wasm = wat::parse_str(text).expect("valid text");
    let error = translate(&wasm, Target::Pulley32, Kind::Ephemeral).expect_err("another type");
    assert!(matches!(error, Error::WrongTypes(_)), "{error}");
}
