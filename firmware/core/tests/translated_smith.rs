//! Modules that nobody would write, by the thousand: either the signer refuses
//! them with a reason, or they do on a device what they do as machine code.

mod translated_common;

use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use arbitrary::Unstructured;
use translated_common::{Tally, compare, damaged};

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

/// Builds the program that makes modules.
fn smith() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smith");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("smith");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--target-dir"])
        .arg(&target)
        .current_dir(folder)
        .status()
        .expect("cargo runs");
    assert!(built.success(), "tests/smith does not build");
    target.join("release/smith")
}

/// One module of a program that makes them.
struct Made {
    seed: u64,
    wasm: Vec<u8>,
    rest: Vec<u8>,
}

/// A running program and what it says.
struct Smith(Child, BufReader<ChildStdout>);

impl Smith {
    fn start(program: &Path, first: u64, count: u64, step: u64) -> Self {
        let mut child = Command::new(program)
            .args([first, count, step].map(|number| number.to_string()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("smith starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self(child, output)
    }

    fn part(&mut self) -> Vec<u8> {
        let mut len = [0; 4];
        self.1.read_exact(&mut len).expect("a length");
        let mut part = vec![0; u32::from_le_bytes(len) as usize];
        self.1.read_exact(&mut part).expect("a part");
        part
    }
}

impl Iterator for Smith {
    type Item = Made;

    fn next(&mut self) -> Option<Made> {
        let mut seed = [0; 8];
        match self.1.read_exact(&mut seed) {
            Ok(()) => Some(Made {
                seed: u64::from_le_bytes(seed),
                wasm: self.part(),
                rest: self.part(),
            }),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
                assert!(self.0.wait().expect("it ends").success());
                None
            }
        }
    }
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
    let (first, modules, program) = (first_seed(), modules(), smith());
    let failed = AtomicBool::new(false);
    let work = |worker: u64| {
        let count = (modules + WORKERS - 1 - worker) / WORKERS;
        let mut tally = Tally::default();
        let (mut made, mut survivors) = (0, 0);
        for one in Smith::start(&program, first + worker, count, WORKERS) {
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
