//! A capsule around a module: a component whose job makes the calls that its
//! input says, and whose output is their results and the module's state.
//!
//! Devices have no second memory in one core module, so the part that looks
//! into the module's memory, `look`, is another one than the part that writes
//! the output, `adapter`.

use std::fmt::Write as _;

use wasmtime::{FuncType, RefType, ValType};

use crate::calls::Exports;

/// What a module may import, as a module that exports it: as smith
/// has it in its list.
pub const SUPPORT: &str = r#"
(module
  (global $notes (mut i32) (i32.const 0))
  (global (export "seven") i32 (i32.const 7))
  (func (export "note") (param i32)
    (global.set $notes (i32.add (i32.mul (global.get $notes) (i32.const 31)) (local.get 0))))
  (func (export "notes") (result i32) (global.get $notes))
  (func (export "mix") (param i32 i64) (result i64)
    (i64.xor (i64.rotl (local.get 1) (i64.const 7)) (i64.extend_i32_s (local.get 0))))
  (func (export "pair") (param f64) (result f64 i32)
    (f64.abs (local.get 0)) (i32.trunc_sat_f64_s (local.get 0))))
"#;

/// Stands for the module in the text of the component, and has its place: the
/// first. Without a name, which would be in its bytes.
const PLACE: &str = "(core module)";

/// FNV-1a, of eight bytes at a time as far as there are eight.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// The hash of a memory.
pub fn hash(memory: &[u8]) -> u64 {
    let step = |hash: u64, number: u64| (hash ^ number).wrapping_mul(PRIME).rotate_left(29);
    let (words, rest) = memory.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let rest = rest.iter().map(|byte| u64::from(*byte));
    words.chain(rest).fold(OFFSET, step)
}

/// The same in Wasm.
fn look() -> String {
    format!(
        r#"(core module $look
          (import "smith" "memory" (memory $memory 0 (pagesize $PAGE)))
          (func $step (param $hash i64) (param $number i64) (result i64)
            (i64.rotl
              (i64.mul (i64.xor (local.get $hash) (local.get $number)) (i64.const {PRIME}))
              (i64.const 29)))
          (func (export "hash") (param $size i32) (result i64)
            (local $at i32) (local $hash i64)
            (local.set $hash (i64.const {offset}))
            (loop $words
              (if (i32.le_u (i32.add (local.get $at) (i32.const 8)) (local.get $size))
                (then
                  (local.set $hash (call $step (local.get $hash) (i64.load (local.get $at))))
                  (local.set $at (i32.add (local.get $at) (i32.const 8)))
                  (br $words))))
            (loop $bytes
              (if (i32.lt_u (local.get $at) (local.get $size))
                (then
                  (local.set $hash (call $step (local.get $hash) (i64.load8_u (local.get $at))))
                  (local.set $at (i32.add (local.get $at) (i32.const 1)))
                  (br $bytes))))
            (local.get $hash))
          (func (export "pages") (result i32) (memory.size)))"#,
        offset = OFFSET.cast_signed(),
    )
}

/// The memory that a capsule has besides the module's, in bytes.
pub const WRAPPING: usize = 65_536;

/// How arguments are read and results are written; `$in` and `$out` are where.
const READ_AND_WRITE: &str = r#"
  (memory (export "memory") 1)
  (global $in (mut i32) (i32.const 0))
  (global $out (mut i32) (i32.const 32768))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $read (result i64)
    (global.set $in (i32.add (global.get $in) (i32.const 8)))
    (i64.load (i32.sub (global.get $in) (i32.const 8))))
  (func $put_i64 (param i64)
    (i64.store (global.get $out) (local.get 0))
    (global.set $out (i32.add (global.get $out) (i32.const 8))))
  (func $put_i32 (param i32) (call $put_i64 (i64.extend_i32_u (local.get 0))))
  (func $put_f64 (param f64)
    (call $put_i64 (select (i64.reinterpret_f64 (local.get 0)) (i64.const -1)
      (f64.eq (local.get 0) (local.get 0)))))
  (func $put_f32 (param f32)
    (call $put_i64 (select (i64.extend_i32_u (i32.reinterpret_f32 (local.get 0))) (i64.const -1)
      (f32.eq (local.get 0) (local.get 0)))))
  (func $put_ref (param funcref) (call $put_i32 (ref.is_null (local.get 0))))
"#;

/// The name of a type in text, and of the function that writes it.
fn text(ty: &ValType) -> (&'static str, &'static str) {
    match ty {
        ValType::I32 => ("i32", "$put_i32"),
        ValType::I64 => ("i64", "$put_i64"),
        ValType::F32 => ("f32", "$put_f32"),
        ValType::F64 => ("f64", "$put_f64"),
        _ => ("funcref", "$put_ref"),
    }
}

fn read(ty: &ValType) -> &'static str {
    match ty {
        ValType::I32 => "(i32.wrap_i64 (call $read))",
        ValType::I64 => "(call $read)",
        ValType::F32 => "(f32.reinterpret_i32 (i32.wrap_i64 (call $read)))",
        ValType::F64 => "(f64.reinterpret_i64 (call $read))",
        _ => "(drop (call $read)) (ref.null func)",
    }
}

/// A string of the text format.
fn quoted(name: &str) -> String {
    let escaped = name.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\{byte:02x}");
        text
    });
    format!("\"{escaped}\"")
}

fn signature(ty: &FuncType) -> String {
    let mut signature = String::new();
    for param in ty.params() {
        let _ = write!(signature, " (param {})", text(&param).0);
    }
    for result in ty.results() {
        let _ = write!(signature, " (result {})", text(&result).0);
    }
    signature
}

/// The core module that reads calls, makes them and writes what came out.
fn adapter(exports: &Exports) -> String {
    let mut imports = String::new();
    let mut functions = String::new();
    let mut dispatch = String::new();
    let mut state = String::new();
    for (index, (_, ty)) in exports.functions.iter().enumerate() {
        let _ = writeln!(
            imports,
            "(import \"smith\" \"f{index}\" (func $f{index}{}))",
            signature(ty)
        );
        let _ = write!(functions, "(func $call{index}");
        for (at, result) in ty.results().enumerate() {
            let _ = write!(functions, " (local $r{at} {})", text(&result).0);
        }
        for param in ty.params() {
            let _ = write!(functions, "\n  {}", read(&param));
        }
        let _ = write!(functions, "\n  call $f{index}");
        for at in (0..ty.results().len()).rev() {
            let _ = write!(functions, " local.set $r{at}");
        }
        for (at, result) in ty.results().enumerate() {
            let _ = write!(
                functions,
                "\n  (call {} (local.get $r{at}))",
                text(&result).1
            );
        }
        let _ = writeln!(functions, ")");
        let _ = writeln!(
            dispatch,
            "(if (i32.eq (local.get $which) (i32.const {index})) (then (call $call{index})))"
        );
    }
    for (index, (_, ty)) in exports.globals.iter().enumerate() {
        let (name, put) = text(ty.content());
        let ty = match ty.mutability() {
            wasmtime::Mutability::Const => name.to_owned(),
            wasmtime::Mutability::Var => format!("(mut {name})"),
        };
        let _ = writeln!(
            imports,
            "(import \"smith\" \"g{index}\" (global $g{index} {ty}))"
        );
        let _ = writeln!(state, "(call {put} (global.get $g{index}))");
    }
    for (index, (_, ty)) in exports.tables.iter().enumerate() {
        assert!(RefType::eq(ty.element(), &RefType::FUNCREF));
        let _ = writeln!(
            imports,
            "(import \"smith\" \"t{index}\" (table $t{index} 0 funcref))"
        );
        let _ = writeln!(state, "(call $put_i32 (table.size $t{index}))");
    }
    if exports.memory.is_some() {
        imports.push_str(
            r#"(import "look" "hash" (func $hash (param i32) (result i64)))
               (import "look" "pages" (func $pages (result i32)))"#,
        );
        state.push_str(
            "(local.set $size (i32.mul (call $pages) (i32.const $PAGE)))
             (call $put_i32 (local.get $size))
             (call $put_i64 (call $hash (local.get $size)))",
        );
    }
    format!(
        r#"(core module $adapter
          {imports}
          {READ_AND_WRITE}
          {functions}
          (func (export "run") (param $at i32) (param $len i32) (result i32)
            (local $which i32) (local $end i32) (local $size i32)
            (global.set $in (local.get $at))
            (local.set $end (i32.add (local.get $at) (local.get $len)))
            (loop $calls
              (if (i32.lt_u (global.get $in) (local.get $end))
                (then
                  (local.set $which (i32.load8_u (global.get $in)))
                  (global.set $in (i32.add (global.get $in) (i32.const 1)))
                  {dispatch}
                  (br $calls))))
            {state}
            ;; ok, and a list
            (i32.store (i32.const 20) (i32.const 32768))
            (i32.store (i32.const 24) (i32.sub (global.get $out) (i32.const 32768)))
            (i32.const 16)))"#
    )
}

/// The job that all these capsules are, once `$adapter` is an instance `$job`.
const JOB: &str = r#"
  (alias core export $job "memory" (core memory $memory))
  (alias core export $job "realloc" (core func $realloc))
  (func $run (param "input" (list u8)) (result (result (list u8) (error string)))
    (canon lift (core func $job "run") (memory $memory) (realloc $realloc)))
  (instance $exports (export "run" (func $run)))
  (export "sealift:capsule/job@0.1.0" (instance $exports))
"#;

/// A capsule around a module that exports this, and perhaps imports from
/// [`SUPPORT`].
pub fn component(wasm: &[u8], exports: &Exports, imports: bool) -> Vec<u8> {
    let mut instances = String::new();
    if imports {
        let support = SUPPORT.replace("(module", "(core module $support");
        let _ = writeln!(
            instances,
            "{support} (core instance $support (instantiate $support))"
        );
        instances.push_str(
            "(core instance $smith (instantiate 0 (with \"support\" (instance $support))))",
        );
    } else {
        instances.push_str("(core instance $smith (instantiate 0))");
    }

    let mut bag = String::new();
    let mut expose = |kind: &str, short: String, name: &str| {
        let _ = writeln!(
            instances,
            "(alias core export $smith {} (core {kind} $its-{short}))",
            quoted(name)
        );
        let _ = write!(bag, " (export \"{short}\" ({kind} $its-{short}))");
    };
    for (index, (name, _)) in exports.functions.iter().enumerate() {
        expose("func", format!("f{index}"), name);
    }
    for (index, (name, _)) in exports.globals.iter().enumerate() {
        expose("global", format!("g{index}"), name);
    }
    for (index, (name, _)) in exports.tables.iter().enumerate() {
        expose("table", format!("t{index}"), name);
    }
    let mut page = 1;
    if let Some((name, size)) = &exports.memory {
        page = *size;
        expose("memory", "memory".into(), name);
    }
    let _ = writeln!(instances, "(core instance $bag{bag})");
    let with_look = if exports.memory.is_some() {
        let _ = writeln!(
            instances,
            "{} (core instance $look (instantiate $look (with \"smith\" (instance $bag))))",
            look()
        );
        "(with \"look\" (instance $look))"
    } else {
        ""
    };
    let text = format!(
        "(component {PLACE} {instances} {adapter}
           (core instance $job (instantiate $adapter
             (with \"smith\" (instance $bag)) {with_look}))
           {JOB})",
        adapter = adapter(exports),
    );
    put_in_place(&text.replace("$PAGE", &page.to_string()), wasm)
}

/// A capsule that has a module in it and does nothing with it.
pub fn beside(wasm: &[u8]) -> Vec<u8> {
    let adapter = adapter(&Exports::default());
    let text =
        format!("(component {PLACE} {adapter} (core instance $job (instantiate $adapter)) {JOB})");
    put_in_place(&text, wasm)
}

/// The component of a text, with this module in place of its first one.
fn put_in_place(text: &str, wasm: &[u8]) -> Vec<u8> {
    const HEADER: usize = 8;
    /// The section of a core module: its number, the size, an empty module.
    const EMPTY: [u8; 10] = [1, 8, b'\0', b'a', b's', b'm', 1, 0, 0, 0];

    let shell = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let (header, rest) = shell.split_at(HEADER);
    let rest = rest.strip_prefix(&EMPTY).expect("the empty module");
    let mut component = header.to_vec();
    component.push(EMPTY[0]);
    let mut size = wasm.len();
    while size >= 0x80 {
        component.push(size as u8 | 0x80);
        size >>= 7;
    }
    component.push(size as u8);
    component.extend_from_slice(wasm);
    component.extend_from_slice(rest);
    component
}
