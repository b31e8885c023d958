//! A capsule imports what its manifest grants, and nothing else; and what does
//! not fit together is refused before any of its code runs.

use crate::capsule_common::{
    BIND, Board, Capsule, LOG, NEXT_U32, NOW, Parts, TOGGLE, TRIGGER, component, core, persistent,
};
use sealift_core::capsule::{Fault, Persistent, Quota, check};
use sealift_manifest::{Grants, Kind};

const LOG_API: &str = "ariel:wasm-bindings/log-api@0.0.1";

#[test]
fn an_import_needs_its_grant() {
    for (import, call, grant, name) in [
        (
            LOG,
            "(call $info (i32.const 0) (i32.const 0))",
            Grants::LOG,
            LOG_API,
        ),
        (
            NEXT_U32,
            "(drop (call $next))",
            Grants::RNG,
            "ariel:wasm-bindings/rng-api@0.0.1",
        ),
        (
            NOW,
            "(drop (call $now))",
            Grants::TIME,
            "ariel:wasm-bindings/time-api@0.0.1",
        ),
        (
            TRIGGER,
            "(drop (call $trigger (i32.const 0) (i32.const 0)))",
            Grants::SENSORS,
            "ariel:wasm-bindings/sensors-api@0.0.1",
        ),
        (
            TOGGLE,
            "(drop (call $toggle))",
            Grants::GPIO,
            "ariel:wasm-bindings/gpio-api@0.0.1",
        ),
        (
            BIND,
            "(drop (call $bind (i32.const 7)))",
            Grants::UDP,
            "ariel:wasm-bindings/udp-api@0.0.1",
        ),
    ] {
        let board = Board::default();
        let mut capsule = persistent(Parts {
            head: import,
            init: call,
            ..Parts::default()
        });
        for grants in [Grants::NONE, without(grant)] {
            capsule.grants = grants;
            assert_eq!(capsule.check(), Err(Fault::Ungranted(name)));
            assert_eq!(capsule.start(&board).err(), Some(Fault::Ungranted(name)));
        }
        capsule.grants = grant;
        assert_eq!(capsule.check(), Ok(()));
        capsule.start(&board).unwrap();
    }
}

/// Everything but `grant`.
fn without(grant: Grants) -> Grants {
    Grants::from_bits(Grants::ALL.bits() & !grant.bits()).unwrap()
}

#[test]
fn nothing_of_an_ungranted_capsule_runs() {
    let board = Board::default();
    let capsule = persistent(Parts {
        head: &format!("{LOG}{NEXT_U32}"),
        init: "(call $info (i32.const 24) (i32.const 4)) (drop (call $next))",
        ..Parts::default()
    });
    let half = capsule.grant(Grants::LOG);
    assert!(half.start(&board).is_err());
    assert_eq!(board.log(), [""; 0]);
    half.grant(Grants::RNG).start(&board).unwrap();
    assert_eq!(board.log(), ["vm1: path"]);
    assert_eq!(board.services().random, [4]);
}

#[test]
fn an_unknown_interface_is_refused_even_with_all_grants() {
    let wit = "
        package evil:thing;
        interface flash { erase: func(); }
        interface job { run: func(); }
        world w { import flash; export run: func(); }";
    let module = r#"(module
        (import "evil:thing/flash" "erase" (func $erase))
        (func (export "run") (call $erase)))"#;
    let component = component(module, "w", Some(wit));
    let capsule = Capsule::of_component(&component, Kind::Ephemeral).grant(Grants::ALL);
    let unknown = Fault::UnknownImport("evil:thing/flash".into());
    assert_eq!(capsule.check(), Err(unknown.clone()));
    assert_eq!(capsule.run(&Board::default(), b""), Err(unknown));

    let wit = "
        package sealift:capsule@0.1.0;
        interface flash { erase: func(); }
        interface job { run: func(input: list<u8>) -> result<list<u8>, string>; }
        world w { import flash; export job; }";
    let module = r#"(module
        (import "sealift:capsule/flash@0.1.0" "erase" (func $erase))
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
        (func (export "sealift:capsule/job@0.1.0#run") (param i32 i32) (result i32)
            (call $erase) i32.const 0))"#;
    let component = component_of(module, wit);
    let capsule = Capsule::of_component(&component, Kind::Ephemeral).grant(Grants::ALL);
    let unknown = Fault::UnknownImport("sealift:capsule/flash@0.1.0".into());
    assert_eq!(capsule.check(), Err(unknown.clone()));
    assert_eq!(capsule.run(&Board::default(), b""), Err(unknown));
}

fn component_of(module: &str, wit: &str) -> Vec<u8> {
    component(module, "w", Some(wit))
}

#[test]
fn a_function_that_an_interface_does_not_have_is_not_linked() {
    // The name of `log-api`, and another content.
    let wit = "
        package ariel:wasm-bindings@0.0.1;
        interface log-api { erase-all: func(); }
        world w { import log-api; export run: func(); }";
    let module = r#"(module
        (import "ariel:wasm-bindings/log-api@0.0.1" "erase-all" (func $erase))
        (func (export "run") (call $erase)))"#;
    let component = component_of(module, wit);
    let capsule = Capsule::of_component(&component, Kind::Ephemeral).grant(Grants::ALL);
    assert!(capsule.run(&Board::default(), b"").is_err());
}

#[test]
fn a_host_function_of_another_type_is_not_linked() {
    let wit = "
        package ariel:wasm-bindings@0.0.1;
        interface log-api { info: func(input: list<u32>); }
        interface coap-server-guest {
            enum coap-err { not-found, internal-server-error, handler-not-built }
            coap-run: func(code: u8, observed-len: u32, message: list<u8>)
                -> result<tuple<u8, list<u8>>, coap-err>;
            report: func() -> result<list<string>, coap-err>;
            initialize-handler: func() -> result;
        }
        world w { import log-api; export coap-server-guest; }";
    let module = core(Parts {
        head: LOG,
        init: "(call $info (i32.const 24) (i32.const 4))",
        ..Parts::default()
    });
    let component = component_of(&module, wit);
    let capsule = Capsule::of_component(&component, Kind::Persistent).grant(Grants::LOG);
    let board = Board::default();
    assert!(matches!(capsule.start(&board).err(), Some(Fault::Init(_))));
    assert_eq!(board.log(), [""; 0]);
}

#[test]
fn an_export_of_another_type_is_no_capsule() {
    let wit = "
        package sealift:capsule@0.1.0;
        interface job { run: func() -> u32; }
        world w { export job; }";
    let module = r#"(module
        (func (export "sealift:capsule/job@0.1.0#run") (result i32) unreachable))"#;
    let capsule = Capsule::of_component(&component_of(module, wit), Kind::Ephemeral);
    let fault = capsule.run(&Board::default(), b"");
    assert_eq!(fault, Err(Fault::NotACapsule("run")));
}

#[test]
fn the_kind_has_to_be_the_one_that_is_needed() {
    let mut capsule = persistent(Parts::default());
    assert_eq!(capsule.run(&Board::default(), b""), Err(Fault::WrongKind));
    // Signed as a job, and none.
    capsule.kind = Kind::Ephemeral;
    assert_eq!(capsule.check(), Err(Fault::NotACapsule("run")));
    assert_eq!(
        capsule.start(&Board::default()).err(),
        Some(Fault::WrongKind)
    );
}

#[test]
fn a_payload_runs_under_its_own_manifest_only() {
    let modest = persistent(Parts::default());
    let greedy = persistent(Parts {
        head: LOG,
        init: "(call $info (i32.const 24) (i32.const 4))",
        ..Parts::default()
    });
    modest.with(|_, payload| {
        greedy.with(|manifest, _| {
            assert_eq!(check(manifest, &payload), Err(Fault::OtherPayload));
            let started = Persistent::start(manifest, payload, Board::default(), &Quota::default());
            assert_eq!(started.err(), Some(Fault::OtherPayload));
        });
    });
}

#[test]
fn signed_junk_does_not_load() {
    let mut capsule = persistent(Parts::default());
    capsule.artifact = b"signed by mistake".to_vec();
    assert_eq!(capsule.check(), Err(Fault::Unsealed));
}
