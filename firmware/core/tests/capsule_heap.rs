//! However often capsules fail, they leave nothing behind on the heap.
#![allow(
    unsafe_code,
    reason = "an allocator that counts; it hands everything on to the system's"
)]

mod capsule_common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use capsule_common::{Board, Capsule, LOG, Parts, SLEEP, functions, persistent};
use sealift_core::capsule::{FUEL_PER_MS, Fault, Progress, SLICE};
use sealift_manifest::Grants;

struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the layouts and pointers go to the system's allocator as they come.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const GET: u8 = 1;

/// Fails in one of many ways; `n` says in which.
fn fail(capsules: &[Capsule], jobs: &[Capsule], board: &Board, n: usize) {
    let polls = n / capsules.len() % 7;
    let capsule = &capsules[n % capsules.len()];
    match capsule.starting(board) {
        Err(fault) => assert!(matches!(fault, Fault::Ungranted(_)), "{fault}"),
        // Left in the midst of its start, or of a call.
        Ok(mut starting) if polls == 1 => {
            let _ = starting.poll();
        }
        Ok(starting) => {
            if let Ok(capsule) = starting.finish() {
                let mut call = capsule.call(GET, b"\xb4path").map_err(|_| ()).unwrap();
                for _ in 0..[12, 0, 1, 2, 3, 5, 13][polls] {
                    if let Progress::Done(called) = call.poll() {
                        let Err((_, fault)) = called.capsule.call(GET, b"") else {
                            panic!("it works");
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
    services.clock += 100;
}

/// Stacks of fibers are mapped where there is virtual memory.
fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count())
}

#[test]
fn after_a_thousand_failures_the_heap_is_as_it_was() {
    let with = |parts: Parts<'_>| persistent(parts).grant(Grants::LOG.union(Grants::TIME));
    let parts = Parts::default();
    let capsules = [
        with(Parts {
            run: "unreachable",
            ..parts
        }),
        with(Parts {
            run: "(loop br 0)",
            ..parts
        }),
        with(Parts {
            init: "unreachable",
            ..parts
        }),
        with(Parts {
            init: "(loop br 0)",
            ..parts
        }),
        with(Parts {
            init_result: 1,
            ..parts
        }),
        with(Parts { code: 1, ..parts }),
        with(Parts {
            run: "(drop (memory.grow (i32.const 100))) unreachable",
            ..parts
        }),
        with(Parts {
            head: LOG,
            run: "(loop (call $info (i32.const 24) (i32.const 4)) (br 0))",
            ..parts
        }),
        with(Parts {
            head: SLEEP,
            run: "(call $sleep (i64.const 5000)) unreachable",
            ..parts
        }),
        with(Parts {
            answer: "\\90",
            ..parts
        }),
        with(Parts {
            run: "(i32.store (i32.const 44) (i32.const -1))",
            ..parts
        }),
        persistent(Parts {
            head: LOG,
            run: "(call $info (i32.const 24) (i32.const 4))",
            ..parts
        }),
    ];
    let job = |ty: &str, core: &str, body: &str| {
        let module =
            format!(r#"(module (memory (export "memory") 1) (func (export "f") {core} {body}))"#);
        functions(&module, &format!("export f: {ty};"))
    };
    let jobs = [
        job("func()", "", "unreachable"),
        job("func()", "", "(loop br 0)"),
        job("func(n: u32)", "(param i32)", ""),
        job("func() -> string", "(result i32)", "i32.const -4"),
        job("func(n: f32)", "(param f32)", ""),
    ];
    // Ten slices, so that it does not take long.
    let mut capsules = capsules.map(|capsule| Capsule {
        fuel: 10 * SLICE,
        ..capsule
    });
    let jobs = jobs.map(|job| Capsule {
        fuel: 10 * SLICE,
        ..job
    });
    // The one that sleeps needs more to get to its end.
    for capsule in &mut capsules[8..9] {
        capsule.fuel = 5100 * FUEL_PER_MS;
    }
    let board = Board::default();
    // Whatever is made once, such as the type registry's tables.
    let round = capsules.len() * 7 * jobs.len();
    for n in 0..round {
        fail(&capsules, &jobs, &board, n);
    }
    let before = (IN_USE.load(Ordering::Relaxed), mappings());
    for n in 0..1000.max(2 * round) {
        fail(&capsules, &jobs, &board, n);
    }
    let after = (IN_USE.load(Ordering::Relaxed), mappings());
    assert_eq!(before.0, after.0, "bytes on the heap");
    // One more or less for the heap itself.
    assert!(after.1 <= before.1 + 1, "{before:?} {after:?}");
}
