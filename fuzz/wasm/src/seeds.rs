//! Inputs to start from, by target; `write-wasm-seeds` writes them.

use std::path::Path;

use fuzz_harness::Rng;
use rand_core::RngCore;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::oracle::Oracle;
use crate::wrap;

/// Inputs, each with a name.
pub type Seeds = Vec<(String, Vec<u8>)>;

/// The targets of this crate, each with its seeds.
#[must_use]
pub fn all() -> [(&'static str, Seeds); 2] {
    [("translated", translated()), ("signer", signer())]
}

/// Modules of wasm-smith have no other form than bytes that look random: some,
/// from short ones, of which the fuzzer learns the most in a second, to long
/// ones.
fn translated() -> Seeds {
    let of = |number: u64| {
        let mut bytes = vec![0; 192 << (number % 4)];
        Rng::new(number).fill_bytes(&mut bytes);
        (format!("random-{number:02}"), bytes)
    };
    (0..24).map(of).collect()
}

/// A bit of everything that translation has to keep.
const MODULE: &str = r#"(module
  (memory (export "m") 1 2) (table (export "t") 2 9 funcref) (elem (i32.const 0) $f)
  (global $g (export "g") (mut i64) (i64.const 7)) (data (i32.const 8) "data") (data "late")
  (func $f (export "f") (param i32 f64) (result f64)
    (memory.init 1 (i32.const 16) (i32.const 0) (i32.const 4))
    (global.set $g (i64.load32_s (local.get 0)))
    (block $out (loop $again
      (br_if $out (i32.eqz (local.get 0)))
      (local.set 0 (i32.shr_u (local.get 0) (i32.const 1)))
      (br $again)))
    (f64.sqrt (local.get 1)))
  (func (export "all") (result i32)
    (drop (call_indirect (param i32 f64) (result f64)
      (i32.const 3) (f64.const 2) (i32.const 0)))
    (memory.grow (i32.const 1))))"#;

/// The export of a persistent capsule.
const GUEST: &str = "ariel:wasm-bindings/coap-server-guest@0.0.1";

/// What a signer is given: capsules of both kinds for both widths, what is
/// nearly one, and what is none.
fn signer() -> Seeds {
    let module = wat::parse_str(MODULE).expect("valid text");
    let oracle = Oracle::compile(&module).expect("a valid module");
    let job = wrap::component(&module, &oracle.exports(), false);
    let core = persistent();
    let component = ComponentEncoder::default()
        .module(&core)
        .and_then(|mut encoder| encoder.encode())
        .expect("a component");
    let seeds: [(&str, u8, &[u8]); 11] = [
        ("job", 0, &job),
        ("job-32", 2, &job),
        ("job-as-persistent", 1, &job),
        ("beside", 0, &wrap::beside(&module)),
        ("persistent-module", 1, &core),
        ("persistent-component", 1, &component),
        ("persistent-component-32", 3, &component),
        ("module", 0, &module),
        ("elf", 0, b"\x7fELF\x02\x01\x01"),
        ("no-wasm", 0, b"\0asm"),
        ("empty-component", 0, b"\0asm\x0d\0\x01\0"),
    ];
    let named =
        |(name, choices, wasm): (&str, u8, &[u8])| (name.to_owned(), [&[choices], wasm].concat());
    seeds.into_iter().map(named).collect()
}

/// A core module that carries its WIT, with two imports.
fn persistent() -> Vec<u8> {
    let text = format!(
        r#"(module
          (import "ariel:wasm-bindings/log-api@0.0.1" "info" (func $info (param i32 i32)))
          (import "ariel:wasm-bindings/rng-api@0.0.1" "[static]r-n-g.next-u32"
            (func $next (result i32)))
          (memory (export "memory") 2048 (pagesize 1))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
          (func (export "{GUEST}#coap-run") (param i32 i32 i32 i32) (result i32)
            (drop (call $next)) (i32.const 0))
          (func (export "{GUEST}#report") (result i32) (i32.const 0))
          (func (export "{GUEST}#initialize-handler") (result i32)
            (call $info (i32.const 0) (i32.const 4)) (i32.const 0))
          (data (i32.const 0) "here"))"#
    );
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../capsules/wit");
    let (package, _) = resolve.push_dir(wit).expect("the capsule WIT");
    let world = resolve
        .select_world(&[package], Some("persistent"))
        .expect("its world");
    let mut wasm = wat::parse_str(text).expect("valid text");
    embed_component_metadata(&mut wasm, &resolve, world, StringEncoding::UTF8)
        .expect("the metadata");
    wasm
}
