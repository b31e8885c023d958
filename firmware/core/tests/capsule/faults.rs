//! A capsule can do what it likes: it is stopped, and the device goes on.

use crate::capsule_common::{Board, Capsule, LOG, Parts, component, persistent};
use sealift_core::capsule::{BadAnswer, Fault, MAX_MESSAGE, TrapReason};
use sealift_manifest::{Grants, Kind};
use wasmtime::Trap;

const GET: u8 = 1;
const CONTENT: u8 = 0x45;

/// Starts and calls once.
fn fault_of(parts: Parts<'_>) -> Fault {
    let capsule = persistent(parts);
    let mut running = capsule.start(&Board::default()).unwrap();
    running.call(GET, &[]).unwrap_err()
}

fn boxed(fault: Fault) -> Fault {
    Fault::Init(Box::new(fault))
}

#[test]
fn a_capsule_answers() {
    let capsule = persistent(Parts {
        answer: "\\c0\\ffok",
        ..Parts::default()
    });
    assert_eq!(capsule.check(), Ok(()));
    let mut running = capsule.start(&Board::default()).unwrap();
    assert_eq!(running.resources(), ["path"]);
    assert_eq!(running.memory(), 65_536);
    for _ in 0..3 {
        let answer = running.call(GET, b"\xb4path").unwrap();
        assert_eq!(
            (answer.code, &answer.message[..]),
            (CONTENT, &b"\xc0\xffok"[..])
        );
        assert!((1..1000).contains(&running.fuel_used()));
    }
}

#[test]
fn the_request_is_in_the_buffer_and_the_buffer_is_whole() {
    // Traps unless the buffer has 1280 bytes and starts with the request.
    let run = "
        local.get $cap i32.const 1280 i32.ne if unreachable end
        local.get $len i32.const 5 i32.ne if unreachable end
        local.get $code i32.const 3 i32.ne if unreachable end
        local.get $message i32.load i32.const 0x746170b4 i32.ne if unreachable end";
    let capsule = persistent(Parts {
        run,
        ..Parts::default()
    });
    let mut running = capsule.start(&Board::default()).unwrap();
    assert!(running.call(3, b"\xb4path").is_ok());
    assert!(running.call(3, b"\xb4rath").is_err());
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    let fault = fault_of(Parts {
        run: "(loop br 0)",
        ..Parts::default()
    });
    assert_eq!(fault, Fault::OutOfFuel);
}

#[test]
fn fuel_is_for_each_call_anew() {
    let mut capsule = persistent(Parts {
        // 1000 turns
        run: "(local $n i32)
              (loop (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1)))
                                       (i32.const 1000))))",
        ..Parts::default()
    });
    capsule.fuel = 12_000;
    let mut running = capsule.start(&Board::default()).unwrap();
    let mut used = 0;
    for _ in 0..5 {
        running.call(GET, &[]).unwrap();
        used += running.fuel_used();
    }
    assert!(used > capsule.fuel, "{used}");
}

#[test]
fn endless_recursion_is_a_stack_overflow() {
    let fault = fault_of(Parts {
        functions: "(func $f (param i32) (result i32)
            (i32.mul (call $f (i32.add (local.get 0) (i32.const 1))) (i32.const 3)))",
        run: "(drop (call $f (i32.const 0)))",
        ..Parts::default()
    });
    assert_eq!(fault, Fault::StackOverflow);
}

#[test]
fn more_stack_lets_a_capsule_recurse_deeper() {
    let parts = Parts {
        functions: "(func $f (param i32) (result i32)
            (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
            (else (i32.mul (call $f (i32.sub (local.get 0) (i32.const 1))) (i32.const 3)))))",
        run: "(drop (call $f (i32.const 500)))",
        ..Parts::default()
    };
    let mut capsule = persistent(parts);
    for (stack, result) in [(4096, Err(Fault::StackOverflow)), (128 * 1024, Ok(CONTENT))] {
        capsule.stack = stack;
        let mut running = capsule.start(&Board::default()).unwrap();
        assert_eq!(running.call(GET, &[]).map(|answer| answer.code), result);
    }
}

#[test]
fn a_trap_names_its_cause() {
    let trap = |run| {
        fault_of(Parts {
            run,
            ..Parts::default()
        })
    };
    let reason = |trap| Fault::Trapped(TrapReason::Wasm(trap));
    assert_eq!(trap("unreachable"), reason(Trap::UnreachableCodeReached));
    assert_eq!(
        trap("(drop (i32.div_u (i32.const 1) (i32.const 0)))"),
        reason(Trap::IntegerDivisionByZero)
    );
    let fault = trap("(drop (i32.load (i32.const 65536)))");
    assert_eq!(fault, reason(Trap::MemoryOutOfBounds));
    assert_eq!(
        fault.to_string(),
        "trapped: wasm trap: out of bounds memory access"
    );
}

#[test]
fn growing_memory_beyond_the_limit_is_refused() {
    // Goes on where growing fails, as a well-written capsule does.
    let mut capsule = persistent(Parts {
        run: "(if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))",
        ..Parts::default()
    });
    for memory in [65_536, 131_071] {
        capsule.memory = memory;
        let mut running = capsule.start(&Board::default()).unwrap();
        assert!(running.call(GET, &[]).is_ok());
        assert_eq!(running.memory(), 65_536);
    }
}

#[test]
fn a_trap_after_memory_was_refused_is_out_of_memory() {
    let parts = Parts {
        run: "(drop (memory.grow (i32.const 1000))) unreachable",
        ..Parts::default()
    };
    assert_eq!(fault_of(parts), Fault::OutOfMemory);
}

#[test]
fn a_capsule_with_more_memory_than_granted_does_not_start() {
    let mut capsule = persistent(Parts {
        pages: 2,
        ..Parts::default()
    });
    capsule.memory = 131_071;
    let fault = capsule.start(&Board::default()).err();
    assert_eq!(fault, Some(boxed(Fault::OutOfMemory)));
    capsule.memory = 131_072;
    assert_eq!(capsule.start(&Board::default()).unwrap().memory(), 131_072);
}

#[test]
fn what_goes_wrong_in_the_start_is_an_init_fault() {
    let start = |parts| persistent(parts).start(&Board::default()).err();
    let init = |init| {
        start(Parts {
            init,
            ..Parts::default()
        })
    };
    let unreachable = Fault::Trapped(TrapReason::Wasm(Trap::UnreachableCodeReached));
    assert_eq!(init("unreachable"), Some(boxed(unreachable.clone())));
    assert_eq!(init("(loop br 0)"), Some(boxed(Fault::OutOfFuel)));
    // In the start function of the core module: before any export is called.
    let at_start = |functions| {
        start(Parts {
            functions,
            ..Parts::default()
        })
    };
    assert_eq!(
        at_start("(func $s unreachable) (start $s)"),
        Some(boxed(unreachable))
    );
    assert_eq!(
        at_start("(func $s (loop br 0)) (start $s)"),
        Some(boxed(Fault::OutOfFuel))
    );
    let declined = start(Parts {
        init_result: 1,
        ..Parts::default()
    });
    assert_eq!(declined, Some(Fault::Declined));
}

#[test]
fn start_and_init_share_the_fuel_of_one_call() {
    let burn = "(local $n i32)
        (loop (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1)))
                                 (i32.const 1000))))";
    let at_start = format!("(func $s {burn}) (start $s)");
    let start = |init, functions| {
        let mut capsule = persistent(Parts {
            init,
            functions,
            ..Parts::default()
        });
        capsule.fuel = 12_000;
        capsule.start(&Board::default()).map(|_| ())
    };
    assert_eq!(start(burn, ""), Ok(()));
    assert_eq!(start("", &at_start), Ok(()));
    assert_eq!(start(burn, &at_start), Err(boxed(Fault::OutOfFuel)));
}

#[test]
fn after_a_fault_the_instance_is_gone_and_a_new_one_works() {
    // Traps on requests that are not empty.
    let capsule = persistent(Parts {
        run: "local.get $len if unreachable end",
        ..Parts::default()
    });
    let board = Board::default();
    let mut running = capsule.start(&board).unwrap();
    assert!(running.call(GET, &[]).is_ok());
    assert!(matches!(running.call(GET, b"\xb0"), Err(Fault::Trapped(_))));
    assert_eq!(running.call(GET, &[]), Err(Fault::Stopped));
    drop(running);
    let mut running = capsule.start(&board).unwrap();
    assert!(running.call(GET, &[]).is_ok());
}

#[test]
fn one_capsules_fault_is_not_anothers() {
    let board = Board::default();
    let spin = persistent(Parts {
        run: "(loop br 0)",
        ..Parts::default()
    });
    let good = persistent(Parts {
        head: LOG,
        run: "(call $info (i32.const 24) (i32.const 4))",
        ..Parts::default()
    })
    .grant(Grants::LOG);
    let mut good = good.start(&board).unwrap();
    let mut spin = spin.start(&board).unwrap();
    assert!(good.call(GET, &[]).is_ok());
    assert_eq!(spin.call(GET, &[]), Err(Fault::OutOfFuel));
    assert!(good.call(GET, &[]).is_ok());
    drop(spin);
    assert!(good.call(GET, &[]).is_ok());
    assert_eq!(board.log(), ["vm1: path"; 3]);
}

#[test]
fn what_is_no_response_is_not_passed_on() {
    fn answer(code: u8, answer: &str) -> Result<u8, Fault> {
        let capsule = persistent(Parts {
            code,
            answer,
            ..Parts::default()
        });
        let mut running = capsule.start(&Board::default()).unwrap();
        let first = running.call(GET, &[]).map(|answer| answer.code);
        if first.is_err() {
            assert_eq!(running.call(GET, &[]), Err(Fault::Stopped));
        }
        first
    }
    let bad = |reason| Err(Fault::BadAnswer(reason));
    assert_eq!(answer(0x84, ""), Ok(0x84));
    assert_eq!(answer(1, ""), bad(BadAnswer::Code(1)));
    assert_eq!(answer(0x45, "\\c3\\00"), bad(BadAnswer::Malformed));
    assert_eq!(answer(0x45, "\\90"), bad(BadAnswer::Option(9)));
    let long = "x".repeat(MAX_MESSAGE);
    assert_eq!(
        answer(0x45, &format!("\\ff{long}")),
        bad(BadAnswer::TooLong(MAX_MESSAGE + 1))
    );
    // More than the device copies at all.
    let huge = "x".repeat(5000);
    assert!(matches!(
        answer(0x45, &format!("\\ff{huge}")),
        Err(Fault::Trapped(TrapReason::Other(_)))
    ));
}

#[test]
fn an_answer_outside_of_memory_is_a_fault() {
    // The result area says that the list ends behind the memory.
    let fault = fault_of(Parts {
        run: "(i32.store (i32.const 40) (i32.const 65530)) (i32.store (i32.const 44) (i32.const 7))",
        ..Parts::default()
    });
    assert!(
        matches!(fault, Fault::Trapped(TrapReason::Other(_))),
        "{fault:?}"
    );
}

#[test]
fn a_request_that_is_too_long_does_not_reach_the_capsule() {
    let capsule = persistent(Parts::default());
    let mut running = capsule.start(&Board::default()).unwrap();
    let request = [0; MAX_MESSAGE + 1];
    assert_eq!(running.call(GET, &request), Err(Fault::RequestTooLong));
    assert!(running.call(GET, &request[1..]).is_ok());
}

#[test]
fn limits_without_room_for_a_stack_are_refused() {
    let mut capsule = persistent(Parts::default());
    for stack in [0, 1, 511] {
        capsule.stack = stack;
        assert_eq!(capsule.check(), Err(Fault::Limits));
    }
    capsule.stack = 512;
    // Whatever it is, it is not the end of the device.
    let _ = capsule.start(&Board::default());
}

#[test]
fn a_job_runs_and_reports_its_own_errors() {
    // Gives its input back; an empty one is an error.
    let job = |result: u8| {
        let core = format!(
            r#"(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
            (func (export "sealift:capsule/job@0.1.0#run") (param $in i32) (param $len i32)
                (result i32)
                (i32.store (i32.const 4) (local.get $in))
                (i32.store (i32.const 8) (local.get $len))
                i32.const 0)
            (data (i32.const 0) "\{result:02x}"))"#
        );
        Capsule::of_component(&component(&core, "ephemeral", None), Kind::Ephemeral)
    };
    let board = Board::default();
    assert_eq!(job(0).check(), Ok(()));
    assert_eq!(job(0).run(&board, b"abc"), Ok(b"abc".to_vec()));
    assert_eq!(job(0).run(&board, b""), Ok(vec![]));
    assert_eq!(job(1).run(&board, b"abc"), Err(Fault::Job("abc".into())));
    assert_eq!(
        job(1).run(&board, b"a\nb\x1b"),
        Err(Fault::Job("a b?".into()))
    );
    assert!(job(0).run(&board, &[7; 16 * 1024]).is_ok());
    assert!(job(0).run(&board, &[7; 16 * 1024 + 1]).is_err());
    // More than its memory.
    assert!(job(0).run(&board, &[7; 65_536]).is_err());
}

/// Grows by as many pages as the request has bytes, and traps if that fails.
const GROW: &str = "(if (i32.eq (memory.grow (local.get $len)) (i32.const -1)) (then unreachable))";

#[test]
fn memory_grows_to_the_limit_and_not_beyond() {
    let mut capsule = persistent(Parts {
        run: GROW,
        ..Parts::default()
    });
    for (memory, pages) in [(65_536, 1), (131_071, 1), (131_072, 2), (196_608, 3)] {
        capsule.memory = memory;
        let board = Board::default();
        let mut running = capsule.start(&board).unwrap();
        for size in 2..=pages {
            running.call(GET, &[0]).unwrap();
            assert_eq!(running.memory(), size * 65_536);
        }
        assert_eq!(running.call(GET, &[0]), Err(Fault::OutOfMemory));
        assert_eq!(running.memory(), pages * 65_536);
        // All at once comes to the same.
        let pages = usize::try_from(pages).unwrap();
        let mut running = capsule.start(&board).unwrap();
        running.call(GET, &vec![0; pages - 1]).unwrap();
        let mut running = capsule.start(&board).unwrap();
        let more = running.call(GET, &vec![0; pages]);
        assert_eq!(more, Err(Fault::OutOfMemory));
    }
}

#[test]
fn memory_that_moved_is_whole_and_new_memory_is_zero() {
    // Grows; then writes to the end of its memory, after a look at what is
    // there and at what the calls before wrote.
    let mut capsule = persistent(Parts {
        run: "(local $end i32)
            (drop (memory.grow (i32.const 1)))
            (local.set $end (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4)))
            (if (i32.load (local.get $end)) (then unreachable))
            (i32.store (local.get $end) (local.get $end))
            (loop
                (if (i32.ne (i32.load (local.get $end)) (local.get $end)) (then unreachable))
                (br_if 0 (i32.gt_u
                    (local.tee $end (i32.sub (local.get $end) (i32.const 65536)))
                    (i32.const 65536))))",
        ..Parts::default()
    });
    capsule.memory = 1 << 20;
    let mut running = capsule.start(&Board::default()).unwrap();
    for _ in 1..16 {
        running.call(GET, &[]).unwrap();
    }
    assert_eq!(running.memory(), 1 << 20);
}

#[test]
fn growing_by_single_bytes_ends() {
    let core = crate::capsule_common::core(Parts {
        run: "(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))",
        ..Parts::default()
    });
    let core = core.replace(
        "(export \"memory\") 1)",
        "(export \"memory\") 8192 (pagesize 1))",
    );
    let component = component(&core, "persistent", None);
    let mut capsule = Capsule::of_component(&component, Kind::Persistent);
    capsule.memory = 10_000;
    let mut running = capsule.start(&Board::default()).unwrap();
    assert!(running.call(GET, &[]).is_ok());
    assert_eq!(running.memory(), 10_000);
}

#[test]
fn a_fault_says_in_which_function_it_happened() {
    let fault = |run: &str, functions: &str| {
        let capsule = persistent(Parts {
            run,
            functions,
            ..Parts::default()
        });
        let called = capsule.start(&Board::default()).unwrap().calling(GET, &[]);
        called.finish().answer.unwrap_err()
    };
    // Functions 0 to 3 are those that every capsule here has.
    let own = "(func $own (export \"own\") unreachable) (func $other (loop br 0))";
    for (run, index, what) in [
        (
            "unreachable",
            3,
            "trapped: wasm trap: wasm `unreachable` instruction executed",
        ),
        (
            "(call $own)",
            4,
            "trapped: wasm trap: wasm `unreachable` instruction executed",
        ),
        ("(call $other)", 5, "used up its fuel"),
    ] {
        let fault = fault(run, own);
        println!("{fault}");
        let Fault::In(place, inner) = &fault else {
            panic!("{fault}: nowhere");
        };
        assert_eq!(place.function, index);
        assert_eq!(inner.to_string(), what);
        assert_eq!(fault.code(), inner.code());
        assert_eq!(fault.refusal(), inner.refusal());
        assert!(fault.to_string().starts_with(what));
    }
}
