//! What is in `fuzz/seeds` and `fuzz/regressions`, and some changes of it,
//! without a fuzzer and on the stable compiler.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fuzz_harness::{FOLDER, Rng, Target, Trace, cross, memory, mutate, plain};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

/// Inputs that are made up for a target; each of the pipeline is a life of a device.
fn made_up(target: Target) -> u32 {
    match target {
        Target::Pipeline => 60,
        Target::Trust => 100,
        _ => 300,
    }
}

fn folder(kind: &str, target: &str) -> PathBuf {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fuzz.join(kind).join(target)
}

/// The files of a folder; none where there is no such folder.
fn inputs(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = files.map(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        (name, std::fs::read(file.path()).unwrap())
    });
    named.collect()
}

/// Runs an input; its name is in the output of a test that fails.
fn run(target: Target, name: &str, input: &[u8]) -> Trace {
    println!("{} {name}", target.name());
    target.run(input)
}

fn all(target: Target) -> Trace {
    let mut reached = Trace::default();
    for kind in ["seeds", "regressions"] {
        for (name, input) in inputs(&folder(kind, target.name())) {
            reached = reached.and(&run(target, &name, &input));
        }
    }
    reached
}

#[test]
fn the_seeds_are_those_that_are_made_now() {
    for target in Target::ALL {
        let made = target.seeds().into_iter();
        let made: BTreeMap<_, _> = made.collect();
        let kept = inputs(&folder("seeds", target.name()));
        assert!(made == kept, "run `cargo xtask fuzz --seeds`");
    }
}

#[test]
fn datagrams_of_anybody() {
    let reached = all(Target::Datagram);
    assert!(reached.done > 0 && reached.refused > 0, "{reached:?}");
}

#[test]
fn plaintexts_of_known_peers() {
    let reached = all(Target::Inner);
    assert!(reached.done > 0 && reached.refused > 0, "{reached:?}");
    assert!(reached.unprotected > 0, "{reached:?}");
    assert!(reached.transfers, "{reached:?}");
    if std::env::var_os(FOLDER).is_some() {
        // The second of the real capsules was activated.
        assert!(reached.highest >= 2, "{reached:?}");
        assert!(reached.reached, "no plain function was called: {reached:?}");
    }
}

#[test]
fn key_exchanges() {
    let reached = all(Target::Edhoc);
    assert!(reached.established >= 8, "{reached:?}");
}

#[test]
fn our_oscore_and_liboscore() {
    let reached = all(Target::OscoreDifferential);
    assert!(reached.alike > 100, "{reached:?}");
}

#[test]
fn envelopes_and_histories_of_the_store() {
    for target in [Target::Envelope, Target::Store] {
        let seeds = inputs(&folder("seeds", target.name()));
        for (name, input) in &seeds {
            // Each was made to come to what its target is for.
            assert!(run(target, name, input).reached, "{name}");
        }
        for (name, input) in inputs(&folder("regressions", target.name())) {
            run(target, &name, &input);
        }
    }
}

#[test]
fn a_device_that_says_anything() {
    let reached = all(Target::Updater);
    assert!(reached.established > 100, "{reached:?}");
    assert!(reached.done > 40 && reached.refused > 20, "{reached:?}");
    assert!(reached.unprotected > 5, "{reached:?}");
}

#[test]
fn updates_through_cuts_and_attacks() {
    let reached = all(Target::Pipeline);
    if std::env::var_os(FOLDER).is_some() {
        assert!(reached.reached, "no power cut: {reached:?}");
        assert!(reached.highest >= 8 && reached.transfers, "{reached:?}");
    }
}

#[test]
fn trust_records_and_whom_they_leave() {
    let reached = all(Target::Trust);
    assert!(reached.reached, "none was taken: {reached:?}");
    assert!(reached.done > 1000 && reached.refused > 500, "{reached:?}");
    assert!(reached.unprotected > 50, "{reached:?}");
}

#[test]
fn host_calls_with_any_numbers() {
    let reached = all(Target::Hostcalls);
    if std::env::var_os(FOLDER).is_some() {
        assert!(reached.reached, "no host call: {reached:?}");
        assert!(reached.done > 20 && reached.refused > 20, "{reached:?}");
    }
}

#[test]
fn envelopes_and_other_peoples_validators() {
    let reached = all(Target::Validators);
    assert!(reached.alike > 1 && reached.refused > 20, "{reached:?}");
}

#[test]
fn made_up_inputs() {
    for target in Target::ALL {
        let seeds: Vec<_> = inputs(&folder("seeds", target.name()))
            .into_values()
            .collect();
        for seed in 0..made_up(*target) {
            let mut rng = Rng::new(u64::from(seed));
            let one = &seeds[rng.below(seeds.len())];
            let mut input = one.clone();
            if target.is_scripted() {
                let other = &seeds[rng.below(seeds.len())];
                let crossed = cross(one, other, seed);
                input = mutate(&crossed, seed, |bytes| plain(bytes, &mut rng));
            } else {
                plain(&mut input, &mut rng);
            }
            run(*target, &format!("made up of seed {seed}"), &input);
        }
    }
}
