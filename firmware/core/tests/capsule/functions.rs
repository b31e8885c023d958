//! Ephemeral capsules that export plain functions, as treVM's do.

use crate::capsule_common::{Board, Capsule, LOG, SLEEP, TOGGLE, functions, nowhere};
use sealift_core::capsule::{Fault, MAX_OUTPUT, Progress, TrapReason};
use sealift_manifest::Grants;
use wasmtime::Trap;

/// One function of this type; `body` is its code.
fn one(ty: &str, core: &str, body: &str) -> Capsule {
    let module = format!(
        r#"(module
            (memory (export "memory") 1)
            (func (export "f") {core} {body})
            (data (i32.const 0) "\10\00\00\00\05\00\00\00")
            (data (i32.const 16) "h\c3\a4llo"))"#
    );
    functions(&module, &format!("export f: {ty};"))
}

fn run(capsule: &Capsule, input: &str) -> Result<String, Fault> {
    assert_eq!(capsule.check(), Ok(()));
    let output = capsule.run(&Board::default(), input.as_bytes());
    output.map(|output| String::from_utf8(output).unwrap())
}

#[test]
fn fibonacci() {
    let fibonacci = one(
        "func(n: u32) -> u32",
        "(param i32) (result i32)",
        "(local $a i32) (local $b i32)
        (local.set $b (i32.const 1))
        (loop $more (if (local.get 0) (then
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (local.get $b)
            (local.set $b (i32.add (local.get $a) (local.get $b)))
            (local.set $a)
            (br $more))))
        (local.get $a)",
    );
    assert_eq!(run(&fibonacci, "f 10").as_deref(), Ok("55"));
    assert_eq!(
        run(&fibonacci, "f 0\nf 1\nf 47\n").as_deref(),
        Ok("0\n1\n2971215073")
    );
    // The fuel is for all calls together.
    let Err(fault) = run(&fibonacci, &"f 40000\n".repeat(100)) else {
        panic!("it had more fuel than it should");
    };
    assert_eq!(fault, Fault::OutOfFuel);
}

#[test]
fn integers_keep_their_size_and_their_sign() {
    for (ty, core, inputs) in [
        ("u8", "i32", &["0", "255"][..]),
        ("s8", "i32", &["-128", "127"]),
        ("u16", "i32", &["65535"]),
        ("s16", "i32", &["-32768", "32767"]),
        ("u32", "i32", &["4294967295"]),
        ("s32", "i32", &["-2147483648", "2147483647"]),
        ("u64", "i64", &["18446744073709551615"]),
        (
            "s64",
            "i64",
            &["-9223372036854775808", "9223372036854775807"],
        ),
    ] {
        let same = one(
            &format!("func(n: {ty}) -> {ty}"),
            &format!("(param {core}) (result {core})"),
            "(local.get 0)",
        );
        for input in inputs {
            assert_eq!(
                run(&same, &format!("f {input}")).as_deref(),
                Ok(*input),
                "{ty}"
            );
        }
        let fault = run(&same, "f 18446744073709551616").unwrap_err();
        let text = format!("`18446744073709551616` is no {ty}; calls, one a line, are f {ty}");
        assert_eq!(fault, Fault::BadInput(text));
    }
}

#[test]
fn text_and_bytes_come_back_as_they_are() {
    let body = "(i32.store8 (i32.const 4) (i32.const 6)) (i32.const 0)";
    let text = one("func() -> string", "(result i32)", body);
    assert_eq!(run(&text, "").as_deref(), Ok("hällo"));
    assert_eq!(run(&text, "f\nf").as_deref(), Ok("hällo\nhällo"));
    let bytes = one("func() -> list<u8>", "(result i32)", "(i32.const 0)");
    assert_eq!(
        bytes.run(&Board::default(), b""),
        Ok(b"h\xc3\xa4ll".to_vec())
    );
    let nothing = one("func()", "", "");
    assert_eq!(run(&nothing, "").as_deref(), Ok(""));
    // Cut in the midst of a character, and outside of memory.
    let cut = one(
        "func() -> string",
        "(result i32)",
        "(i32.store8 (i32.const 4) (i32.const 2)) (i32.const 0)",
    );
    assert!(matches!(run(&cut, ""), Err(Fault::Trapped(_))));
    for ty in ["func() -> string", "func() -> list<u8>"] {
        for length in ["65521", "0x80000000", "0xffffffff"] {
            let body = format!("(i32.store (i32.const 4) (i32.const {length})) (i32.const 0)");
            let outside = one(ty, "(result i32)", &body);
            assert!(
                matches!(run(&outside, ""), Err(Fault::Trapped(_))),
                "{ty} {length}"
            );
        }
    }
}

#[test]
fn the_output_is_bounded() {
    let length = 6000;
    let body = format!("(i32.store (i32.const 4) (i32.const {length})) (i32.const 0)");
    let text = one("func() -> string", "(result i32)", &body);
    assert_eq!(
        run(&text, "f\nf").map(|text| text.len()),
        Ok(2 * length + 1)
    );
    assert!(3 * length > MAX_OUTPUT);
    assert_eq!(run(&text, "f\nf\nf"), Err(Fault::OutputTooLong));
    // Each value of a list takes more than its byte while it is moved.
    let bytes = one("func() -> list<u8>", "(result i32)", &body);
    assert!(matches!(run(&bytes, ""), Err(Fault::Trapped(_))));
    let body = "(i32.store (i32.const 4) (i32.const 256)) (i32.const 0)";
    let bytes = one("func() -> list<u8>", "(result i32)", body);
    let output = bytes.run(&Board::default(), b"");
    assert_eq!(output.map(|output| output.len()), Ok(256));
}

#[test]
fn types_that_are_no_text_are_refused_before_anything_runs() {
    for (ty, core) in [
        ("func(a: u32, b: u32)", "(param i32 i32)"),
        ("func(n: f32)", "(param f32)"),
        ("func(n: bool)", "(param i32)"),
        ("func(n: char)", "(param i32)"),
        ("func(n: option<u32>)", "(param i32 i32)"),
        ("func() -> f64", "(result f64)"),
        ("func() -> bool", "(result i32)"),
        ("func() -> list<u16>", "(result i32)"),
        ("func() -> tuple<u8, u8>", "(result i32)"),
    ] {
        let capsule = one(ty, core, "unreachable");
        let fault = Fault::FunctionType("f".into());
        assert_eq!(capsule.check(), Err(fault.clone()), "{ty}");
        assert_eq!(capsule.run(&Board::default(), b"f 1"), Err(fault), "{ty}");
    }
}

#[test]
fn a_wrong_input_runs_nothing_and_says_what_would_be_right() {
    let board = Board::default();
    let capsule = functions(
        &format!(
            r#"(module {LOG}
            (memory (export "memory") 1)
            (func $say (call $info (i32.const 0) (i32.const 2)))
            (func (export "bind-socket") (param i32) (call $say))
            (func (export "run") (call $say))
            (data (i32.const 0) "hi"))"#
        ),
        "import ariel:wasm-bindings/log-api@0.0.1;
        export bind-socket: func(port: u16); export run: func();",
    )
    .grant(Grants::LOG);
    for input in [
        "",
        "run\nwalk",
        "run\nbind-socket",
        "bind-socket 65536",
        "run 1",
        "\u{1b}[2J",
    ] {
        let fault = capsule.run(&board, input.as_bytes()).unwrap_err();
        assert!(
            fault.to_string().ends_with("are bind-socket u16, run"),
            "{fault}"
        );
        assert!(!fault.to_string().contains('\u{1b}'));
        assert_eq!(fault.detail(), Some(&fault.to_string()[..]));
    }
    assert_eq!(board.log(), [""; 0]);
    capsule.run(&board, b"bind-socket 1234\nrun\nrun").unwrap();
    assert_eq!(board.log(), ["vm1: hi"; 3]);
}

#[test]
fn a_function_that_waits_lets_others_in() {
    let board = Board::default();
    board.services().light = Some(false);
    let blinky = functions(
        &format!(
            r#"(module {SLEEP} {TOGGLE}
            (memory (export "memory") 1)
            (func (export "blinky")
                (loop (drop (call $toggle)) (call $sleep (i64.const 100)) (br 0))))"#
        ),
        "import ariel:wasm-bindings/time-api@0.0.1; import ariel:wasm-bindings/gpio-api@0.0.1;
        export blinky: func();",
    )
    .grant(Grants::TIME.union(Grants::GPIO));
    let mut running = blinky.running(&board, b"").unwrap();
    for turn in 0..90 {
        assert!(
            matches!(running.poll(), Progress::Waits(Some(until)) if until == (turn + 1) * 100)
        );
        assert_eq!(board.services().light, Some(turn % 2 == 0));
        board.services().clock += 100;
    }
    // 10 s of waiting is all that its fuel is good for.
    board.services().clock += 100_000;
    let fault = loop {
        if let Progress::Done(result) = running.poll() {
            break nowhere(result.unwrap_err());
        }
        board.services().clock += 100;
    };
    assert_eq!(fault, Fault::OutOfFuel);
    assert!(board.services().clock < 200_000);
}

#[test]
fn faults_are_those_of_any_capsule() {
    let spin = one("func()", "", "(loop br 0)");
    assert_eq!(run(&spin, ""), Err(Fault::OutOfFuel));
    let trap = one("func()", "", "unreachable");
    let unreachable = Fault::Trapped(TrapReason::Wasm(Trap::UnreachableCodeReached));
    assert_eq!(run(&trap, "f"), Err(unreachable));
}
