//! What is translated under the translator's settings loads under the
//! device's, and nothing else does.
#![allow(
    unsafe_code,
    reason = "deserializes what this test has compiled itself"
)]

use sealift_engine::{
    DEFAULT_CLASS, DEFAULT_CLASS_ID, DEFAULT_STACK, DEFAULT_VENDOR, DEFAULT_VENDOR_ID, HOST,
    Target, UnknownTarget, config, translator_config,
};
use uuid::Uuid;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store, Trap};

const STACK: usize = DEFAULT_STACK as usize;

/// `add` returns the sum; `spin` never returns; `dig` recurses without end;
/// `grow` asks for one more byte of memory.
const COMPONENT: &str = r#"
(component
  (core module $m
    (memory 2048 (pagesize 1))
    (func (export "add") (param i32 i32) (result i32)
      (i32.add (local.get 0) (local.get 1)))
    (func (export "spin") (loop (br 0)))
    (func $dig (export "dig") (call $dig))
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (func (export "poke") (i32.store (i32.const 2045) (i32.const 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32)
    (canon lift (core func $i "add")))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "dig") (canon lift (core func $i "dig")))
  (func (export "grow") (result s32) (canon lift (core func $i "grow")))
  (func (export "poke") (canon lift (core func $i "poke"))))
"#;

fn translate(target: Target, text: &str) -> wasmtime::Result<Vec<u8>> {
    let wasm = wat::parse_str(text).expect("valid text");
    Engine::new(&translator_config(target))?.precompile_component(&wasm)
}

fn load(engine: &Engine, artifact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: every artifact in this file was compiled by `translate`, in this process.
    unsafe { Component::deserialize(engine, artifact) }
}

#[test]
fn what_the_translator_compiles_the_device_loads_and_runs() {
    let artifact = translate(HOST, COMPONENT).expect("translates");
    let engine = Engine::new(&config(HOST, STACK)).expect("engine");
    let component = load(&engine, &artifact).expect("loads");

    let mut store = Store::new(&engine, ());
    store.set_fuel(1000).expect("fuel is on");
    let instance = Linker::new(&engine)
        .instantiate(&mut store, &component)
        .expect("instantiates");
    let add = instance
        .get_typed_func::<(u32, u32), (u32,)>(&mut store, "add")
        .expect("add");
    assert_eq!(add.call(&mut store, (2, 40)).expect("runs"), (42,));
    assert!(store.get_fuel().expect("fuel is on") < 1000);
}

#[test]
fn runaway_code_traps() {
    let artifact = translate(HOST, COMPONENT).expect("translates");
    let engine = Engine::new(&config(HOST, STACK)).expect("engine");
    let component = load(&engine, &artifact).expect("loads");
    for (name, trap) in [
        ("spin", Trap::OutOfFuel),
        ("dig", Trap::StackOverflow),
        ("poke", Trap::MemoryOutOfBounds),
    ] {
        let mut store = Store::new(&engine, ());
        store.set_fuel(100_000).expect("fuel is on");
        let instance = Linker::new(&engine)
            .instantiate(&mut store, &component)
            .expect("instantiates");
        let run = instance
            .get_typed_func::<(), ()>(&mut store, name)
            .expect(name);
        let error = run.call(&mut store, ()).expect_err(name);
        assert_eq!(error.downcast_ref::<Trap>(), Some(&trap), "{name}");
    }
}

#[test]
fn memory_grows() {
    let artifact = translate(HOST, COMPONENT).expect("translates");
    let engine = Engine::new(&config(HOST, STACK)).expect("engine");
    let component = load(&engine, &artifact).expect("loads");
    let mut store = Store::new(&engine, ());
    store.set_fuel(1000).expect("fuel is on");
    let instance = Linker::new(&engine)
        .instantiate(&mut store, &component)
        .expect("instantiates");
    let mut call = |name| {
        let function = instance.get_func(&mut store, name).expect(name);
        let grown = function.typed::<(), (i32,)>(&store);
        match grown {
            Ok(grow) => grow.call(&mut store, ()).map(|(size,)| size),
            Err(_) => function
                .typed::<(), ()>(&store)
                .expect(name)
                .call(&mut store, ())
                .map(|()| 0),
        }
    };
    // One page of a byte more: what was out of bounds is in bounds then.
    assert_eq!(call("grow").expect("returns"), 2048);
    assert_eq!(call("poke").expect("in bounds"), 0);
}

#[test]
fn the_other_pointer_width_translates_and_is_refused_here() {
    for target in Target::ALL {
        let artifact = translate(target, COMPONENT).expect("translates");
        let engine = Engine::new(&config(target, STACK)).expect("engine");
        assert_eq!(load(&engine, &artifact).is_ok(), target == HOST, "{target}");
        let host = Engine::new(&config(HOST, STACK)).expect("engine");
        assert_eq!(load(&host, &artifact).is_ok(), target == HOST, "{target}");
    }
}

#[test]
fn settings_that_differ_are_refused() {
    let artifact = translate(HOST, COMPONENT).expect("translates");
    type Change = fn(&mut wasmtime::Config);
    let changes: [(&str, Change); 4] = [
        ("fuel", |c| {
            c.consume_fuel(false);
        }),
        ("symbols", |c| {
            c.debug_symbols(true);
        }),
        ("page sizes", |c| {
            c.wasm_custom_page_sizes(false);
        }),
        ("memory stays in place", |c| {
            c.memory_may_move(false);
        }),
    ];
    for (name, change) in changes {
        let mut changed = config(HOST, STACK);
        change(&mut changed);
        let engine = Engine::new(&changed).expect("engine");
        assert!(load(&engine, &artifact).is_err(), "{name}");
    }
}

#[test]
fn the_stack_is_not_part_of_the_artifact() {
    let artifact = translate(HOST, COMPONENT).expect("translates");
    for stack in [4 * 1024, 1024 * 1024, 8 * 1024 * 1024] {
        let engine = Engine::new(&config(HOST, stack)).expect("engine");
        load(&engine, &artifact).expect("loads");
    }
}

#[test]
fn a_device_cannot_compile() {
    let engine = Engine::new(&config(HOST, STACK)).expect("engine");
    assert!(engine.precompile_component(b"\0asm\x0d\0\x01\0").is_err());
}

#[test]
fn features_outside_the_profile_are_refused() {
    for (name, body) in [
        ("simd", "(func (drop (v128.const i64x2 0 0)))"),
        ("threads", "(memory 1 1 shared)"),
        ("memory64", "(memory i64 1)"),
        ("multi-memory", "(memory 1) (memory 1)"),
        ("tail calls", "(func $f (return_call $f))"),
        ("exceptions", "(tag)"),
        ("gc", "(type (struct))"),
        ("externref", "(func (param externref))"),
    ] {
        for target in Target::ALL {
            let refused = translate(target, &format!("(component (core module {body}))"));
            assert!(refused.is_err(), "{name} for {target}");
        }
    }
}

#[test]
fn names_and_profiles_lead_back_to_the_target() {
    for target in Target::ALL {
        assert_eq!(Target::from_name(target.name()), Some(target));
        assert_eq!(target.name().parse(), Ok(target));
        assert_eq!(Target::from_profile(target.profile()), Some(target));
        assert!(target.profile().contains(target.name()));
    }
    assert_eq!(Target::from_name("pulley"), None);
    assert_eq!("x86_64".parse::<Target>(), Err(UnknownTarget));
    assert_eq!(Target::from_profile("wasmtime48/pulley32/0"), None);
}

#[test]
fn the_profile_names_the_wasmtime_it_is_for() {
    // Wasmtime writes its major version into what it compiles.
    let artifact = translate(HOST, COMPONENT).expect("translates");
    let major = HOST
        .profile()
        .strip_prefix("wasmtime")
        .and_then(|rest| rest.split('/').next())
        .expect("a major version");
    let marked = [&[0, 2], major.as_bytes()].concat();
    assert!(artifact.windows(marked.len()).any(|w| w == marked));
}

#[test]
fn default_identifiers_are_derived_from_their_names() {
    let vendor = Uuid::new_v5(&Uuid::NAMESPACE_DNS, DEFAULT_VENDOR.as_bytes());
    assert_eq!(vendor.as_bytes(), &DEFAULT_VENDOR_ID);
    let class = Uuid::new_v5(&vendor, DEFAULT_CLASS.as_bytes());
    assert_eq!(class.as_bytes(), &DEFAULT_CLASS_ID);
}
