//! Modules that nobody would write, by the thousand: either the signer refuses
//! them with a reason, or they do on a device what they do as machine code.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use arbitrary::Unstructured;
use fuzz_wasm::smith::{Made, Smith, build};
use fuzz_wasm::{Tally, compare, damaged};

/// Modules at a time.
const WORKERS: u64 = 2;

/// Modules that are tried: this many, or what the variable SEALIFT_SMITH says.
fn modules() -> u64 {
    std::env::var("SEALIFT_SMITH").map_or(3000, |count| count.parse().expect("a number"))
}

/// The first seed: 1, or what the variable SEALIFT_SEED says.
fn first_seed() -> u64 {
    std::env::var("SEALIFT_SEED").map_or(1, |seed| seed.parse().expect("a number"))
}

/// Leaves a module where it can be looked at.
fn keep(made: &Made) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("translated-{}.wasm", made.seed));
    let kept = std::fs::write(&path, &made.wasm);
    kept.map_or_else(|error| error.to_string(), |()| path.display().to_string())
}

#[test]
fn modules_are_refused_or_do_what_machine_code_does() {
    let (first, modules) = (first_seed(), modules());
    let program = build(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let failed = AtomicBool::new(false);
    let work = |worker: u64| {
        let count = (modules + WORKERS - 1 - worker) / WORKERS;
        let mut tally = Tally::default();
        let (mut made, mut survivors) = (0, 0);
        for one in Smith::seeds(&program, first + worker, count, WORKERS) {
            made += 1;
            if failed.load(Ordering::Relaxed) {
                break;
            }
            if one.wasm.is_empty() {
                continue;
            }
            let mut source = Unstructured::new(&one.rest);
            match compare(&one.wasm, &mut source) {
                Ok(done) => {
                    tally.add(&done);
                    survivors += u32::from(damaged(&one.wasm, &mut source).unwrap_or(false));
                }
                Err(difference) => {
                    failed.store(true, Ordering::Relaxed);
                    panic!(
                        "SEALIFT_SEED={} SEALIFT_SMITH=1, the module is {}\n{difference}",
                        one.seed,
                        keep(&one)
                    );
                }
            }
        }
        (made, tally, survivors)
    };
    let mut tally = Tally::default();
    let (mut made, mut survivors) = (0, 0);
    std::thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        for worker in workers {
            let (count, part, survived) = worker.join().expect("the same, as it says above");
            made += count;
            survivors += survived;
            tally.add(&part);
        }
    });
    println!("{tally:?}, and {survivors} that were damaged and run");
    assert_eq!(made, modules);

    // That this test looks at something.
    if modules >= 1000 {
        assert!(tally.refused >= 20 && survivors >= 20);
        assert!(u64::from(tally.run) * 10 >= modules * 8);
        assert!(tally.outputs >= tally.run);
        assert!(tally.inconclusive * 10 <= tally.outputs);
        assert!(tally.traps.len() >= 4);
    }
}
