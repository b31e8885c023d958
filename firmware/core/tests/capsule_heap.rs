//! However often capsules fail, they leave nothing behind on the heap.

mod capsule_common;
mod heap_common;

use capsule_common as capsules;
use capsules::{Board, Capsule, LOG, Parts, functions, persistent};
use heap_common::{in_a_call, in_the_start, in_use, mappings};
use sealift_core::capsule::{Fault, Progress, SLICE};

const GET: u8 = 1;

/// Polls after which what goes on is left; more than any of them takes.
const POLLS: [usize; 7] = [13, 0, 1, 2, 3, 5, 12];

/// Fails in one of many ways; `n` says in which.
fn fail(capsules: &[Capsule], jobs: &[Capsule], board: &Board, n: usize) {
    let polls = POLLS[n / capsules.len() % POLLS.len()];
    let capsule = &capsules[n % capsules.len()];
    match capsule.starting(board) {
        Err(fault) => assert!(matches!(fault, Fault::Ungranted(_)), "{fault}"),
        // Left in the midst of its start, or of a call.
        Ok(mut starting) if polls == 0 => {
            let _ = starting.poll();
        }
        Ok(starting) => {
            if let Ok(capsule) = starting.finish() {
                let mut call = capsule.call(GET, b"\xb4path").map_err(|_| ()).unwrap();
                for _ in 0..polls {
                    if let Progress::Done(called) = call.poll() {
                        let Err((_, fault)) = called.capsule.call(GET, b"") else {
                            panic!("capsule {} works", n % capsules.len());
                        };
                        assert_eq!(fault, Fault::Stopped);
                        break;
                    }
                }
            }
        }
    }
    let job = &jobs[n % jobs.len()];
    assert!(job.run(board, b"f").is_err());
    let mut services = board.services();
    services.log = Vec::new();
    services.random = Vec::new();
    services.measured = Vec::new();
    services.sent = Vec::new();
    services.clock += 100;
}

#[test]
fn after_a_thousand_failures_the_heap_is_as_it_was() {
    let mut capsules = in_the_start();
    capsules.append(&mut in_a_call());
    // One that is not even started.
    capsules.push(persistent(Parts {
        head: LOG,
        run: "(call $info (i32.const 24) (i32.const 4))",
        ..Parts::default()
    }));
    let job = |ty: &str, core: &str, body: &str| {
        let module =
            format!(r#"(module (memory (export "memory") 1) (func (export "f") {core} {body}))"#);
        Capsule {
            fuel: 10 * SLICE,
            ..functions(&module, &format!("export f: {ty};"))
        }
    };
    let jobs = [
        job("func()", "", "unreachable"),
        job("func()", "", "(loop br 0)"),
        job("func(n: u32)", "(param i32)", ""),
        job("func() -> string", "(result i32)", "i32.const -4"),
        job("func(n: f32)", "(param f32)", ""),
    ];
    let board = Board::default();
    // Whatever is made once, such as the type registry's tables.
    let round = capsules.len() * POLLS.len();
    for n in 0..round {
        fail(&capsules, &jobs, &board, n);
    }
    let before = (in_use(), mappings());
    for n in 0..1000.max(2 * round) {
        fail(&capsules, &jobs, &board, n);
    }
    let after = (in_use(), mappings());
    assert_eq!(before.0, after.0, "bytes on the heap");
    // One more or less for the heap itself.
    assert!(after.1 <= before.1 + 1, "{before:?} {after:?}");
}
