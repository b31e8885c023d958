//! What is in `fuzz/seeds` and `fuzz/regressions` for the targets with a
//! compiler, and some changes of it, without a fuzzer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arbitrary::Unstructured;
use fuzz_harness::{Rng, memory, plain};
use fuzz_wasm::signer::{Verdict, run};
use fuzz_wasm::smith::{Smith, build};
use fuzz_wasm::{Tally, compare, seeds};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

/// Changed seeds that the signer gets.
const CHANGED: u64 = 3000;

fn folder(kind: &str, target: &str) -> PathBuf {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fuzz.join(kind).join(target)
}

/// The files of a folder; none where there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = files.map(|file| file.path()).collect();
    files.sort();
    files
}

fn kept(target: &str) -> Vec<PathBuf> {
    let mut all = files(&folder("seeds", target));
    all.extend(files(&folder("regressions", target)));
    all
}

#[test]
fn the_seeds_are_those_that_are_made_now() {
    for (target, made) in seeds::all() {
        let kept = files(&folder("seeds", target)).into_iter().map(|file| {
            let name = file.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), std::fs::read(&file).expect("a file"))
        });
        let kept: BTreeMap<_, _> = kept.collect();
        let made: BTreeMap<_, _> = made.into_iter().collect();
        assert!(made == kept, "run `cargo xtask fuzz --seeds`");
    }
}

#[test]
fn generated_modules() {
    let program = build(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let files = kept("translated");
    let mut tally = Tally::default();
    let mut made = 0;
    for (one, file) in Smith::files(&program, &files).zip(&files) {
        println!("translated {}", file.display());
        made += 1;
        if one.wasm.is_empty() {
            continue;
        }
        let done = compare(&one.wasm, &mut Unstructured::new(&one.rest));
        tally.add(&done.unwrap_or_else(|difference| panic!("{difference}")));
    }
    assert_eq!(made, files.len());
    assert!(
        tally.run >= 12 && tally.outputs >= 12 && !tally.traps.is_empty(),
        "{tally:?}"
    );
}

#[test]
fn what_the_signer_is_given() {
    let mut inputs = Vec::new();
    let (mut refused, mut translated) = (0, 0);
    let mut count = |input: &[u8]| match run(input) {
        Some(Verdict::Refused(_)) => refused += 1,
        Some(Verdict::Translated(_)) => translated += 1,
        None => {}
    };
    for file in kept("signer") {
        println!("signer {}", file.display());
        let input = std::fs::read(file).expect("a file");
        count(&input);
        inputs.push(input);
    }
    for seed in 0..CHANGED {
        println!("signer, changed by seed {seed}");
        let mut rng = Rng::new(seed);
        let mut input = inputs[rng.below(inputs.len())].clone();
        if seed % 3 == 0 {
            plain(&mut input, &mut rng);
        } else {
            // A byte, at most three times: it stays nearly what it was.
            for _ in 0..=rng.below(3) {
                let place = rng.below(input.len());
                input[place] = rng.byte();
            }
        }
        count(&input);
    }
    assert!(
        refused >= 1000 && translated >= 200,
        "{refused}, {translated}"
    );
}
