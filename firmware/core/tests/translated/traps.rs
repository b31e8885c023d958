//! The comparison of `smith.rs` on modules that were written for it:
//! it holds for every kind of trap, and it sees every kind of difference.

use arbitrary::Unstructured;
use fuzz_wasm::oracle::Oracle;
use fuzz_wasm::{Tally, compare, compare_with};
use wasmtime::Trap;

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {text})")).expect("valid text")
}

/// No bytes: every argument is zero.
fn zeros() -> Unstructured<'static> {
    Unstructured::new(&[])
}

fn alike(text: &str) -> Tally {
    compare(&wasm(text), &mut zeros()).unwrap_or_else(|difference| panic!("{text}: {difference}"))
}

/// Runs one as a device does and the other as machine code.
fn apart(device: &str, oracle: &str) -> Result<Tally, String> {
    let oracle = Oracle::compile(&wasm(oracle)).expect("valid");
    compare_with(&wasm(device), &oracle, &mut zeros())
}

#[test]
fn every_kind_of_trap_is_the_same_on_both_sides() {
    let div = "(drop (i32.div_s (i32.const 1) (i32.const 0)))";
    let overflow = "(drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1)))";
    for (what, trap) in [
        ("(unreachable)", Trap::UnreachableCodeReached),
        (div, Trap::IntegerDivisionByZero),
        (
            "(drop (i64.rem_u (i64.const 1) (i64.const 0)))",
            Trap::IntegerDivisionByZero,
        ),
        (overflow, Trap::IntegerOverflow),
        (
            "(drop (i32.trunc_f32_s (f32.const 1e20)))",
            Trap::IntegerOverflow,
        ),
        (
            "(drop (i32.trunc_f64_u (f64.const nan)))",
            Trap::BadConversionToInteger,
        ),
        (
            "(i64.store offset=65529 (i32.const 0) (i64.const 1))",
            Trap::MemoryOutOfBounds,
        ),
        (
            "(drop (i32.load8_u (i32.const -1)))",
            Trap::MemoryOutOfBounds,
        ),
        (
            "(memory.fill (i32.const 65536) (i32.const 0) (i32.const 1))",
            Trap::MemoryOutOfBounds,
        ),
        (
            "(memory.init 0 (i32.const 0) (i32.const 3) (i32.const 2))",
            Trap::MemoryOutOfBounds,
        ),
        ("(drop (table.get (i32.const 4)))", Trap::TableOutOfBounds),
        ("(call_indirect (i32.const 4))", Trap::TableOutOfBounds),
        ("(call_indirect (i32.const 3))", Trap::IndirectCallToNull),
        ("(call_indirect (i32.const 0))", Trap::BadSignature),
    ] {
        let body = format!(
            r#"(memory (export "m") 1) (data "four")
               (table (export "t") 4 funcref) (elem (i32.const 0) $other)
               (func $other (param i32))
               (func (export "f") (param i32) (result i32) {what} (local.get 0))"#
        );
        let tally = alike(&body);
        assert!(tally.traps_of(trap) > 0, "{what}: {tally:?}");
        assert_eq!(tally.outputs, 0, "{what}: {tally:?}");
    }
}

#[test]
fn so_are_traps_at_the_start() {
    for (what, trap) in [
        (
            "(func $s (unreachable)) (start $s)",
            Trap::UnreachableCodeReached,
        ),
        (
            "(memory 1) (data (i32.const 65536) \"x\")",
            Trap::MemoryOutOfBounds,
        ),
        (
            "(table 1 funcref) (elem (i32.const 1) $f)",
            Trap::TableOutOfBounds,
        ),
    ] {
        let tally = alike(&format!("{what} (func $f (export \"f\"))"));
        assert!(tally.traps_of(trap) > 0, "{what}: {tally:?}");
    }
}

#[test]
fn so_are_exhaustion_and_refused_growth() {
    for what in [
        "(func (export \"f\") (loop (br 0)))",
        "(func $f (export \"f\") (call $f))",
        "(func $f (loop (br 0))) (start $f) (func (export \"f\"))",
        "(func $f (export \"f\") (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1)))",
    ] {
        let tally = alike(what);
        assert!(tally.exhausted > 0, "{what}: {tally:?}");
    }
    // One page more can be had; two cannot, and a trap after that is not just
    // any trap.
    let grows = |pages: u32, then: &str| {
        format!(
            r#"(memory (export "m") 1)
               (func (export "f") (result i32) (memory.grow (i32.const {pages})) {then})"#
        )
    };
    assert_eq!(alike(&grows(1, "")).outputs, 2);
    assert_eq!(alike(&grows(2, "")).outputs, 2);
    assert_eq!(alike(&grows(1, "(unreachable)")).growth, 0);
    assert_eq!(alike(&grows(2, "(unreachable)")).growth, 2);

    // Elements of a table: a device gives 4,096.
    let table = |elements: u32| {
        format!(
            r#"(table (export "t") 1 funcref)
               (func (export "f") (result i32)
                 (table.grow (ref.null func) (i32.const {elements})))"#
        )
    };
    for elements in [4095, 4096] {
        assert_eq!(alike(&table(elements)).outputs, 2);
    }
}

#[test]
fn every_kind_of_value_comes_back() {
    let tally = alike(
        r#"(memory (export "memory") 70001 (pagesize 1))
           (data (i32.const 69989) "the last ten")
           (global (export "g") (mut i64) (i64.const -5))
           (global (export "n") f32 (f32.const nan:0x200001))
           (global (export "z") f64 (f64.const -0))
           (table (export "t") 3 9 funcref)
           (elem declare func $all)
           (func $all (export "all \22\5c") (param i32 i64 f32 f64 funcref)
             (result funcref f64 f32 i64 i32 funcref)
             (global.set 0 (i64.add (global.get 0) (i64.const 1)))
             (drop (table.grow 0 (ref.null func) (i32.const 2)))
             (ref.func $all) (f64.const nan:0x4000000000001) (f32.const -1.5)
             (i64.const 0x8000000000000001) (i32.const 0x80000001) (local.get 4))"#,
    );
    assert_eq!(tally.outputs, 2, "{tally:?}");
}

#[test]
fn a_difference_is_seen_wherever_it_is() {
    let module = |body: &str, more: &str| {
        format!(
            r#"(memory (export "m") 1 2) (table (export "t") 1 9 funcref)
               (global $g (export "g") (mut i32) (i32.const 0)) {more}
               (func $f (export "f") (param f32) (result f32) {body})"#
        )
    };
    let base = "(local.get 0)";
    let same = module(base, "");
    apart(&same, &same).expect("the same");
    for (what, other) in [
        ("the result", module("(f32.const 1)", "")),
        ("its sign", module("(f32.neg (local.get 0))", "")),
        ("a NaN", module("(f32.div (local.get 0) (local.get 0))", "")),
        ("a trap", module("(unreachable)", "")),
        (
            "a global",
            module("(global.set $g (i32.const 1)) (local.get 0)", ""),
        ),
        (
            "the last byte",
            module(
                "(i32.store8 (i32.const 65535) (i32.const 1)) (local.get 0)",
                "",
            ),
        ),
        (
            "the size of the memory",
            module("(drop (memory.grow (i32.const 1))) (local.get 0)", ""),
        ),
        (
            "the size of the table",
            module(
                "(drop (table.grow (ref.null func) (i32.const 1))) (local.get 0)",
                "",
            ),
        ),
        (
            "the start",
            module(base, "(func $s (unreachable)) (start $s)"),
        ),
        ("fuel", module("(loop (br 0)) (local.get 0)", "")),
    ] {
        assert!(apart(&same, &other).is_err(), "{what}");
        assert!(apart(&other, &same).is_err(), "{what}, the other way round");
    }
    // Two traps.
    let one = module("(unreachable)", "");
    let other = module("(drop (i32.load (i32.const -1))) (local.get 0)", "");
    assert!(apart(&one, &other).is_err());
    let at_start = module(base, "(func $s (unreachable)) (start $s)");
    assert!(apart(&one, &at_start).is_err());
    // Memory that was refused on one side only.
    let refused = module("(drop (memory.grow (i32.const 2))) (unreachable)", "");
    assert!(apart(&one, &refused).is_err());
    assert!(apart(&refused, &one).is_err());
}

#[test]
fn what_the_profile_has_not_is_refused_with_a_reason() {
    for (what, body) in [
        ("simd", "(func (drop (v128.const i64x2 0 0)))"),
        ("threads", "(memory 1 1 shared)"),
        ("memory64", "(memory i64 1)"),
        ("multi-memory", "(memory 1) (memory 1)"),
        ("tail calls", "(func $f (return_call $f))"),
        ("exceptions", "(tag)"),
        ("gc", "(type (struct))"),
        ("externref", "(func (param externref))"),
    ] {
        let tally = alike(body);
        assert_eq!((tally.refused, tally.run), (1, 0), "{what}");
    }
}
