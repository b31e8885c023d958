//! Capsules that break the rules of the component model, trap in every way
//! there is, and never end. Each is stopped; nothing panics, nothing hangs,
//! and the next one works.

use crate::capsule_common::{
    Board, Capsule, LOG, Parts, RANDOM_BYTES, Running, TRIGGER, WAIT, altered, nowhere, persistent,
    with_realloc,
};
use sealift_core::capsule::{Fault, Progress, TrapReason};
use sealift_manifest::Grants;
use wasmtime::Trap;

const GET: u8 = 1;

fn call(capsule: &Capsule) -> Result<u8, Fault> {
    let mut running = capsule.start(&Board::default())?;
    running.call(GET, b"\xb4path").map(|answer| answer.code)
}

/// Ended by a check of Wasmtime's that has no trap code.
fn is_refused(result: &Result<u8, Fault>) -> bool {
    matches!(result, Err(Fault::Trapped(TrapReason::Other(_))))
}

#[test]
fn realloc_that_returns_a_bad_pointer() {
    // The request's buffer has 1280 bytes, of the 64 KiB of memory.
    for pointer in ["64257", "65536", "-1", "0x80000000"] {
        let result = call(&with_realloc(
            Parts::default(),
            &format!("i32.const {pointer}"),
        ));
        assert!(is_refused(&result), "{pointer}: {result:?}");
    }
    for pointer in ["64256", "4097", "4099"] {
        let result = call(&with_realloc(
            Parts::default(),
            &format!("i32.const {pointer}"),
        ));
        assert_eq!(result, Ok(0x45), "{pointer}");
    }
    // Over what it answers with: its own loss. Only what it says is judged.
    let result = call(&with_realloc(Parts::default(), "i32.const 0"));
    assert!(result.is_err() || result == Ok(0x45));
}

#[test]
fn realloc_that_returns_a_misaligned_pointer() {
    // Readings are records that are aligned to 4 bytes.
    let parts = Parts {
        head: &format!("{TRIGGER}{WAIT}"),
        run: "(drop (call $trigger (i32.const 0) (i32.const 0)))
            (call $wait (i32.const 0) (i32.const 0) (i32.const 1024))
            (if (i32.load8_u (i32.const 1024)) (then unreachable))
            (if (i32.ne (i32.load (i32.const 1032)) (i32.const 1)) (then unreachable))",
        ..Parts::default()
    };
    assert_eq!(call(&with_realloc(parts, "i32.const 8192")), Ok(0x45));
    for pointer in ["8193", "8194", "65532", "-4"] {
        let result = call(&with_realloc(parts, &format!("i32.const {pointer}")));
        assert!(is_refused(&result), "{pointer}: {result:?}");
    }
    // Not where the result is to be put, either.
    for area in ["1025", "65532", "-4"] {
        let run = parts
            .run
            .replace("(i32.const 1024))\n", &format!("(i32.const {area}))\n"));
        let result = call(&with_realloc(
            Parts { run: &run, ..parts },
            "i32.const 8192",
        ));
        assert!(is_refused(&result), "{area}: {result:?}");
    }
}

#[test]
fn realloc_that_does_something_else() {
    let realloc = |body: &str| {
        let parts = Parts {
            head: LOG,
            functions: "(func $dig (result i32) (i32.add (call $dig) (i32.const 1)))",
            ..Parts::default()
        };
        call(&with_realloc(parts, body))
    };
    assert_eq!(realloc("(loop (br 0)) unreachable"), Err(Fault::OutOfFuel));
    assert_eq!(realloc("(call $dig)"), Err(Fault::StackOverflow));
    assert_eq!(
        realloc("unreachable"),
        Err(Fault::Trapped(TrapReason::Wasm(
            Trap::UnreachableCodeReached
        )))
    );
    // While the device hands over an argument, nobody calls it.
    let result = realloc("(call $info (i32.const 24) (i32.const 4)) (i32.const 4096)");
    assert!(
        matches!(
            result,
            Err(Fault::Trapped(TrapReason::Wasm(Trap::CannotLeaveComponent)))
        ),
        "{result:?}"
    );
    // Memory that moves under the device's hands.
    assert_eq!(
        realloc("(drop (memory.grow (i32.const 0))) (i32.const 4096)"),
        Ok(0x45)
    );
    let grow = "(i32.shl (memory.grow (i32.const 1)) (i32.const 16))";
    let mut capsule = with_realloc(Parts::default(), grow);
    capsule.memory = 10 << 16;
    let mut running = capsule.start(&Board::default()).unwrap();
    for _ in 0..9 {
        assert!(running.call(GET, b"\xb4path").is_ok());
    }
    assert_eq!(running.memory(), 10 << 16);
    assert!(running.call(GET, b"\xb4path").is_err());
}

#[test]
fn realloc_in_the_midst_of_a_host_call() {
    let random = |body: &str| {
        let parts = Parts {
            head: RANDOM_BYTES,
            run: "(call $bytes (i32.const 1024) (i32.const 64))",
            ..Parts::default()
        };
        call(&with_realloc(parts, body))
    };
    assert_eq!(random("i32.const 8192"), Ok(0x45));
    assert!(is_refused(&random("i32.const 65000")));
    let parts_of_both = "(if (result i32) (i32.eq (local.get 3) (i32.const 1024))
        (then (loop (br 0)) unreachable) (else (i32.const 8192)))";
    assert_eq!(random(parts_of_both), Err(Fault::OutOfFuel));
}

#[test]
fn an_answer_that_is_not_where_it_says() {
    let area = |pointer: &str| {
        let from = "i32.const 32)";
        call(&altered(
            Parts::default(),
            from,
            &format!("i32.const {pointer})"),
        ))
    };
    assert_eq!(area("32"), Ok(0x45));
    // Misaligned, behind the end, half behind the end.
    for pointer in ["33", "34", "65536", "-4", "65532"] {
        assert!(is_refused(&area(pointer)), "{pointer}");
    }
    let with = |run: &str| {
        call(&persistent(Parts {
            run,
            ..Parts::default()
        }))
    };
    // A third kind of result, a fourth kind of error.
    assert!(is_refused(&with(
        "(i32.store8 (i32.const 32) (i32.const 2))"
    )));
    assert!(is_refused(&with(
        "(i32.store8 (i32.const 32) (i32.const 1)) (i32.store8 (i32.const 36) (i32.const 3))"
    )));
    assert_eq!(
        with("(i32.store8 (i32.const 32) (i32.const 1)) (i32.store8 (i32.const 36) (i32.const 2))"),
        Ok(0xa3)
    );
    // Lists that are longer than memory, and than any memory.
    for length in ["65025", "0x7fffffff", "0x80000000", "0xffffffff"] {
        let run = format!("(i32.store (i32.const 44) (i32.const {length}))");
        assert!(is_refused(&with(&run)), "{length}");
    }
}

#[test]
fn a_body_of_a_megabyte() {
    let run = "(i32.store (i32.const 44) (i32.const 0x100000))";
    let mut capsule = persistent(Parts {
        run,
        pages: 20,
        ..Parts::default()
    });
    capsule.memory = 2 << 20;
    assert!(is_refused(&call(&capsule)));
}

#[test]
fn a_report_that_is_none() {
    let report = |init: &str| {
        let capsule = persistent(Parts {
            init,
            ..Parts::default()
        });
        match capsule.start(&Board::default()) {
            Ok(running) => Ok(running.resources().to_vec()),
            Err(Fault::Init(fault)) => Err(*fault),
            Err(fault) => panic!("{fault}"),
        }
    };
    let refused = |init: &str| matches!(report(init), Err(Fault::Trapped(TrapReason::Other(_))));
    assert_eq!(report("").unwrap(), ["path"]);
    // The list: at 4 its pointer, at 8 its length; its strings at 16.
    for length in [
        "0x2000",
        "0x10000000",
        "0x20000000",
        "0x80000000",
        "0xffffffff",
    ] {
        assert!(
            refused(&format!("(i32.store (i32.const 8) (i32.const {length}))")),
            "{length}"
        );
    }
    for pointer in ["17", "65532", "0xfffffff8"] {
        assert!(
            refused(&format!("(i32.store (i32.const 4) (i32.const {pointer}))")),
            "{pointer}"
        );
    }
    // Of a string: not UTF-8, behind the end, longer than is moved.
    assert!(refused("(i32.store8 (i32.const 25) (i32.const 0xff))"));
    assert!(refused("(i32.store (i32.const 16) (i32.const 65533))"));
    assert!(refused("(i32.store (i32.const 20) (i32.const 0x80000000))"));
    assert!(refused("(i32.store (i32.const 20) (i32.const 4097))"));
    // Lists that overlap themselves are lists: the string is its own length.
    assert!(report("(i32.store (i32.const 16) (i32.const 16))").is_ok());
    // Many times the same string: all in all more than is moved.
    let many = "(local $i i32)
        (loop
            (i64.store offset=8192 (local.get $i) (i64.const 0x0000040000002000))
            (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8)))
                               (i32.const 8000))))
        (i32.store (i32.const 4) (i32.const 8192)) (i32.store (i32.const 8) (i32.const 1000))";
    assert!(refused(many));
    // An error instead of a list.
    assert!(matches!(
        persistent(Parts {
            init: "(i32.store8 (i32.const 0) (i32.const 1)) (i32.store8 (i32.const 4) (i32.const 0))",
            ..Parts::default()
        })
        .start(&Board::default()),
        Err(Fault::Declined)
    ));
}

#[test]
fn a_start_that_says_neither_yes_nor_no() {
    let started = persistent(Parts {
        init_result: 2,
        ..Parts::default()
    })
    .start(&Board::default());
    assert!(matches!(started, Err(Fault::Init(_))));
}

#[test]
fn traps_of_every_kind() {
    let head = "(type $none (func)) (table $t 4 8 funcref)
        (elem $e func $taker) (elem (i32.const 1) $taker) (data $d \"data\")
        (func $taker (param i32))";
    for (run, trap) in [
        ("unreachable", Trap::UnreachableCodeReached),
        (
            "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
            Trap::IntegerDivisionByZero,
        ),
        (
            "(drop (i64.rem_s (i64.const 1) (i64.const 0)))",
            Trap::IntegerDivisionByZero,
        ),
        (
            "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
            Trap::IntegerOverflow,
        ),
        (
            "(drop (i32.trunc_f32_s (f32.const nan)))",
            Trap::BadConversionToInteger,
        ),
        (
            "(drop (i64.trunc_f64_u (f64.const 1e30)))",
            Trap::IntegerOverflow,
        ),
        (
            "(drop (i32.load (i32.const 65533)))",
            Trap::MemoryOutOfBounds,
        ),
        (
            "(drop (i32.load offset=0xffffffff (i32.const -1)))",
            Trap::MemoryOutOfBounds,
        ),
        (
            "(memory.fill (i32.const 1) (i32.const 0) (i32.const 65536))",
            Trap::MemoryOutOfBounds,
        ),
        (
            "(memory.copy (i32.const 0) (i32.const 1) (i32.const 65536))",
            Trap::MemoryOutOfBounds,
        ),
        (
            "(memory.init $d (i32.const 0) (i32.const 1) (i32.const 4))",
            Trap::MemoryOutOfBounds,
        ),
        (
            "(data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))",
            Trap::MemoryOutOfBounds,
        ),
        (
            "(call_indirect (type $none) (i32.const 0))",
            Trap::IndirectCallToNull,
        ),
        (
            "(call_indirect (type $none) (i32.const 1))",
            Trap::BadSignature,
        ),
        (
            "(call_indirect (type $none) (i32.const 4))",
            Trap::TableOutOfBounds,
        ),
        (
            "(drop (table.get $t (i32.const -1)))",
            Trap::TableOutOfBounds,
        ),
        (
            "(table.fill $t (i32.const 1) (ref.null func) (i32.const 4))",
            Trap::TableOutOfBounds,
        ),
        (
            "(table.copy (i32.const 2) (i32.const 0) (i32.const 3))",
            Trap::TableOutOfBounds,
        ),
        (
            "(table.init $e (i32.const 0) (i32.const 1) (i32.const 1))",
            Trap::TableOutOfBounds,
        ),
    ] {
        let parts = Parts {
            head: "",
            functions: head,
            run,
            ..Parts::default()
        };
        let result = call(&persistent(parts));
        assert_eq!(result, Err(Fault::Trapped(TrapReason::Wasm(trap))), "{run}");
    }
}

#[test]
fn recursion_of_every_kind() {
    let functions = "(type $f (func (param i64) (result i64)))
        (table funcref (elem $through))
        (func $through (param i64) (result i64)
            (i64.add (call_indirect (type $f) (local.get 0) (i32.const 0)) (i64.const 1)))
        (func $ping (param i64) (result i64) (i64.add (call $pong (local.get 0)) (i64.const 1)))
        (func $pong (param i64) (result i64) (i64.mul (call $ping (local.get 0)) (i64.const 3)))
        (func $many (param i64 i64 i64 i64 i64 i64 i64 i64) (result i64)
            (i64.add (call $many (local.get 7) (local.get 0) (local.get 1) (local.get 2)
                (local.get 3) (local.get 4) (local.get 5) (local.get 6)) (local.get 3)))";
    for run in [
        "(drop (call $through (i64.const 1)))",
        "(drop (call $ping (i64.const 1)))",
        "(drop (call $many (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)
            (i64.const 5) (i64.const 6) (i64.const 7) (i64.const 8)))",
    ] {
        for stack in [512, 1024, 8192, 1 << 20] {
            let mut capsule = persistent(Parts {
                functions,
                run,
                ..Parts::default()
            });
            capsule.stack = stack;
            let fault = call(&capsule).unwrap_err();
            let overflow = matches!(fault.what(), Fault::StackOverflow);
            let in_init = matches!(&fault, Fault::Init(fault) if **fault == Fault::StackOverflow);
            assert!(overflow || in_init, "{run} {stack}: {fault}");
        }
    }
}

#[test]
fn tables_grow_no_further_than_they_may() {
    let grow = |by: &str| {
        call(&persistent(Parts {
            functions: "(table $t 0 funcref)",
            run: &format!(
                "(if (i32.eq (table.grow $t (ref.null func) (i32.const {by})) (i32.const -1))
                    (then unreachable))"
            ),
            ..Parts::default()
        }))
    };
    assert_eq!(grow("4096"), Ok(0x45));
    assert_eq!(grow("4097"), Err(Fault::OutOfMemory));
    // Each element costs fuel, too.
    for by in ["0x7fffffff", "-1"] {
        assert_eq!(grow(by), Err(Fault::OutOfFuel), "{by}");
    }
    let without_end = persistent(Parts {
        functions: "(table $t 0 funcref)",
        run: "(loop (drop (table.grow $t (ref.null func) (i32.const 1))) br 0)",
        ..Parts::default()
    });
    let mut running = without_end.start(&Board::default()).unwrap();
    assert_eq!(running.call(GET, &[]), Err(Fault::OutOfFuel));
    let tables = running.usage().memory_max - running.usage().memory;
    assert_eq!(tables as usize, 4096 * size_of::<usize>());
}

#[test]
fn bulk_operations_cost_what_they_do() {
    let used = |run: &str| {
        let capsule = persistent(Parts {
            run,
            ..Parts::default()
        });
        let mut running = capsule.start(&Board::default()).unwrap();
        running.call(GET, &[]).map(|_| running.fuel_used())
    };
    for run in [
        "(memory.fill (i32.const 0x1000) (i32.const 0) (i32.const 0xf000))",
        "(memory.copy (i32.const 0x1000) (i32.const 0x1000) (i32.const 0xf000))",
    ] {
        assert!(used(run).unwrap() > 0xf000);
        let forever = format!("(loop {run} (br 0))");
        assert_eq!(used(&forever), Err(Fault::OutOfFuel));
    }
}

/// Capsules that spin in every place where code of theirs runs.
fn spinners() -> Vec<Capsule> {
    const SPIN: &str = "(loop (br 0))";
    let spin_and_trap = format!("{SPIN} unreachable");
    let post = format!(
        "(func (export \"cabi_post_ariel:wasm-bindings/coap-server-guest@0.0.1#coap-run\")
            (param i32) {SPIN})"
    );
    let random = Parts {
        head: RANDOM_BYTES,
        run: "(call $bytes (i32.const 1024) (i32.const 64))",
        ..Parts::default()
    };
    vec![
        persistent(Parts {
            run: SPIN,
            ..Parts::default()
        }),
        persistent(Parts {
            functions: &post,
            ..Parts::default()
        }),
        with_realloc(Parts::default(), &spin_and_trap),
        with_realloc(random, &spin_and_trap),
        persistent(Parts {
            head: LOG,
            run: "(loop (call $info (i32.const 24) (i32.const 4)) (br 0))",
            ..Parts::default()
        })
        .grant(Grants::LOG),
    ]
}

#[test]
fn whoever_spins_lets_others_in_wherever_it_is() {
    let board = Board::default();
    for (which, capsule) in spinners().iter().enumerate() {
        let mut call = capsule.start(&board).unwrap().calling(GET, b"\xb4path");
        let mut polls = 0;
        let fault = loop {
            match call.poll() {
                Progress::Done(called) => break nowhere(called.answer.unwrap_err()),
                Progress::Again => polls += 1,
                Progress::Waits(_) => panic!("{which}: waits for nothing"),
            }
        };
        assert_eq!(fault, Fault::OutOfFuel, "{which}");
        assert!(polls > 50, "{which}: {polls} polls");
        // And can be dropped there.
        for polls in [1, 2, 3, 50] {
            let mut call = capsule.start(&board).unwrap().calling(GET, b"\xb4path");
            for _ in 0..polls {
                assert!(matches!(call.poll(), Progress::Again), "{which}");
            }
        }
    }
    let mut good = persistent(Parts::default()).start(&board).unwrap();
    assert!(good.call(GET, &[]).is_ok());
}

#[test]
fn a_capsule_that_traps_after_its_answer_has_not_answered() {
    let functions =
        "(func (export \"cabi_post_ariel:wasm-bindings/coap-server-guest@0.0.1#coap-run\")
            (param i32) unreachable)";
    let result = call(&persistent(Parts {
        functions,
        ..Parts::default()
    }));
    let trap = TrapReason::Wasm(Trap::UnreachableCodeReached);
    assert_eq!(result, Err(Fault::Trapped(trap)));
}

#[test]
fn nobody_reads_anothers_memory() {
    // Writes into its memory where the request is not empty, and traps where
    // any byte of its memory, the buffer aside, is the one that is written.
    let capsule = persistent(Parts {
        run: "(local $i i32)
            (if (local.get $len) (then
                (memory.fill (i32.const 0x4000) (i32.const 0xab) (i32.const 0x4000)))
            (else (loop
                (if (i32.eq (i32.load8_u (local.get $i)) (i32.const 0xab)) (then unreachable))
                (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                                   (i32.const 0x10000))))))",
        ..Parts::default()
    });
    let start = || -> Running { capsule.start(&Board::default()).unwrap() };
    let (mut one, mut other) = (start(), start());
    for _ in 0..3 {
        one.call(GET, b"\xb0").unwrap();
        other.call(GET, b"").unwrap();
    }
    assert!(one.call(GET, b"").is_err());
    // What it left behind is not in the memory of who comes after it.
    drop(one);
    for _ in 0..10 {
        start().call(GET, b"").unwrap();
    }
}
