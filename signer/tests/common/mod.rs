//! Capsules to sign, written by hand, so that no test waits for a Wasm build.
#![allow(dead_code, reason = "each test binary uses some of what is in here")]

pub(crate) mod desk;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The export that makes a persistent capsule.
pub(crate) const GUEST: &str = "ariel:wasm-bindings/coap-server-guest@0.0.1";

/// A core module that carries the WIT of a capsule world: what
/// `cargo build --target wasm32v1-none` leaves.
pub(crate) fn module(world: &str, text: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../capsules/wit");
    let (package, _) = resolve.push_dir(folder).expect("the capsule WIT");
    let world = resolve
        .select_world(&[package], Some(world))
        .expect("the world");
    let mut wasm = wat::parse_str(text).expect("valid text");
    embed_component_metadata(&mut wasm, &resolve, world, StringEncoding::UTF8)
        .expect("the metadata");
    wasm
}

/// A persistent capsule whose core module has `extra` items, imports first.
pub(crate) fn persistent_with(extra: &str, memory: &str) -> Vec<u8> {
    let text = format!(
        r#"(module $capsule
          {extra}
          (memory (export "memory") {memory})
          (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            i32.const 1024)
          (func (export "{GUEST}#coap-run") (param i32 i32 i32 i32) (result i32) i32.const 0)
          (func (export "{GUEST}#report") (result i32) i32.const 0)
          (func (export "{GUEST}#initialize-handler") (result i32) i32.const 0))"#
    );
    module("persistent", &text)
}

/// A persistent capsule that imports nothing.
pub(crate) fn persistent() -> Vec<u8> {
    persistent_with("", "2048 (pagesize 1)")
}

/// A persistent capsule that imports log and rng.
pub(crate) fn chatty() -> Vec<u8> {
    persistent_with(
        r#"(import "ariel:wasm-bindings/log-api@0.0.1" "info" (func $info (param i32 i32)))
           (import "ariel:wasm-bindings/rng-api@0.0.1" "[static]r-n-g.next-u32"
             (func $next (result i32)))
           (func (export "use") (drop (call $next)) (call $info (i32.const 0) (i32.const 0)))"#,
        "2048 (pagesize 1)",
    )
}

/// The component of a core module.
pub(crate) fn component(module: &[u8]) -> Vec<u8> {
    ComponentEncoder::default()
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .expect("a component")
}

/// A component in text that exports the job interface, with `before` in front,
/// `code` in its core module, and this as the type of the job's error.
pub(crate) fn job_with(before: &str, code: &str, error: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
          {before}
          (core module $m
            (memory (export "memory") 4096 (pagesize 1))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
            (func (export "run") (param i32 i32) (result i32) i32.const 0)
            {code})
          (core instance $i (instantiate $m))
          (alias core export $i "memory" (core memory $memory))
          (alias core export $i "realloc" (core func $realloc))
          (func $run (param "input" (list u8)) (result (result (list u8) (error {error})))
            (canon lift (core func $i "run") (memory $memory) (realloc $realloc)))
          (instance $job (export "run" (func $run)))
          (export "sealift:capsule/job@0.1.0" (instance $job)))"#
    );
    wat::parse_str(text).expect("valid text")
}

/// A section of a component or module.
pub(crate) fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut section = vec![id];
    let mut length = content.len();
    while length >= 0x80 {
        section.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    section.push(u8::try_from(length).expect("seven bits"));
    section.extend(content);
    section
}

/// An ephemeral capsule that imports nothing.
pub(crate) fn job() -> Vec<u8> {
    job_with("", "", "string")
}
