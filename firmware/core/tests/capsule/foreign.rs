//! Artifacts that a trusted key has signed by mistake: made by another version,
//! with other settings, for another machine, by another tool, or damaged before
//! they were signed. A device refuses each, and loads nothing of it.
//!
//! Whatever were let through would be undefined behaviour, so each of these
//! tests does its work in a process of its own.

use std::ops::Range;
use std::process::Command;

use crate::capsule_common::{Board, Capsule, Parts, component, core};
use sealift_core::capsule::Fault;
use sealift_engine::{HOST, Target, seal, translator_config};
use sealift_manifest::Kind;
use sealift_wire::Refusal;
use wasmtime::{Config, Engine};

/// Set in the process that does the work of a test.
const INSIDE: &str = "SEALIFT_TEST_INSIDE";

/// Does the work of a test in a process of its own, which must end well.
fn apart(test: &str, work: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return work();
    }
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", &format!("foreign::{test}"), "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{}\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

fn wasm() -> Vec<u8> {
    let parts = Parts {
        // Something for each section: data, a table, traps, calls.
        functions: r#"(table 2 funcref) (elem (i32.const 0) $f)
            (func $f (call_indirect (i32.const 1)) (i32.store (i32.const -1) (i32.const 0)))"#,
        ..Parts::default()
    };
    component(&core(parts), "persistent", None)
}

/// A payload as the translator makes it.
fn payload() -> Vec<u8> {
    let translation = signer::translate(&wasm(), HOST, Kind::Persistent);
    translation.unwrap().payload
}

/// What a device says to these bytes under a good signature, whether it is to
/// check or to start them.
fn fault(payload: Vec<u8>) -> Option<Fault> {
    let capsule = Capsule {
        artifact: payload,
        ..Capsule::sealed(vec![0; 64], Kind::Persistent)
    };
    let checked = capsule.check().err();
    let started = capsule.start(&Board::default()).err();
    assert_eq!(checked, started);
    checked
}

/// Bytes that only the seal tells from a good artifact.
fn is_unsealed(payload: Vec<u8>) -> bool {
    fault(payload) == Some(Fault::Unsealed)
}

/// What a device says to an artifact that is sealed, though it should not be.
fn though_sealed(mut artifact: Vec<u8>) -> String {
    seal(HOST, &mut artifact).unwrap();
    match fault(artifact) {
        Some(Fault::Load(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// A component under settings that are almost those of the translator.
fn with(change: impl FnOnce(&mut Config)) -> Vec<u8> {
    let mut config = translator_config(HOST);
    change(&mut config);
    let engine = Engine::new(&config).unwrap();
    let slim = signer::slim(&wasm()).unwrap();
    engine.precompile_component(&slim).unwrap()
}

const fn other() -> Target {
    match HOST {
        Target::Pulley32 => Target::Pulley64,
        Target::Pulley64 => Target::Pulley32,
    }
}

fn number(bytes: &[u8], at: usize, len: usize) -> usize {
    let field = bytes[at..at + len].iter().rev();
    field.fold(0, |number, byte| (number << 8) | usize::from(*byte))
}

/// The sections of an artifact (ELF-64, little-endian), by name, and the table
/// of their headers.
fn places(elf: &[u8]) -> Vec<(String, Range<usize>)> {
    let (table, count) = (number(elf, 40, 8), number(elf, 60, 2));
    let header = |index: usize| &elf[table + 64 * index..][..64];
    let place = |header: &[u8]| {
        let start = number(header, 24, 8);
        start..start + number(header, 32, 8)
    };
    let names = &elf[place(header(number(elf, 62, 2)))];
    let mut places: Vec<_> = (0..count)
        .map(header)
        .map(|header| {
            let name = names[number(header, 0, 4)..]
                .split(|byte| *byte == 0)
                .next();
            let name = String::from_utf8_lossy(name.unwrap()).into_owned();
            (name, place(header))
        })
        .collect();
    places.push(("the ELF header".into(), 0..64));
    places.push(("the section table".into(), table..elf.len()));
    places
}

#[test]
fn the_payload_that_the_others_are_made_of_is_good() {
    assert_eq!(fault(payload()), None);
    let mut artifact = with(|_| {});
    seal(HOST, &mut artifact).unwrap();
    assert_eq!(fault(artifact), None);
}

#[test]
fn another_version_of_wasmtime_is_refused() {
    apart("another_version_of_wasmtime_is_refused", || {
        for version in ["47", "49", "4", "48.0.8"] {
            let artifact = with(|config| {
                let custom = wasmtime::ModuleVersionStrategy::Custom(version.into());
                config.module_version(custom).unwrap();
            });
            let reason = though_sealed(artifact.clone());
            assert!(reason.contains("incompatible version"), "{reason}");
            assert!(is_unsealed(artifact));
        }
    });
}

#[test]
fn other_settings_are_refused() {
    apart("other_settings_are_refused", || {
        type Change = fn(&mut Config);
        let changes: [(&str, Change); 9] = [
            ("fuel", |c| {
                c.consume_fuel(false);
            }),
            ("epoch", |c| {
                c.epoch_interruption(true);
            }),
            ("debug symbols", |c| {
                c.debug_symbols(true);
            }),
            ("memory may move", |c| {
                c.memory_may_move(false);
            }),
            ("memory reservation", |c| {
                c.memory_reservation(65_536);
            }),
            ("memory guard", |c| {
                c.memory_guard_size(65_536);
            }),
            ("table lazy", |c| {
                c.table_lazy_init(true);
            }),
            ("Signals", |c| {
                c.signals_based_traps(true);
            }),
            ("simd", |c| {
                c.wasm_simd(true);
            }),
        ];
        for (what, change) in changes {
            let reason = though_sealed(with(change));
            assert!(reason.contains(what), "{what}: {reason}");
        }
    });
}

/// What a translator of this version and these settings made, but not ours:
/// Wasmtime would take it.
#[test]
fn what_another_tool_compiled_is_refused() {
    apart("what_another_tool_compiled_is_refused", || {
        let foreign = with(|_| {});
        assert!(is_unsealed(foreign.clone()));
        let mut sealed = foreign;
        seal(other(), &mut sealed).unwrap();
        assert!(is_unsealed(sealed));
    });
}

#[test]
fn the_other_pointer_width_is_refused() {
    apart("the_other_pointer_width_is_refused", || {
        let translation = signer::translate(&wasm(), other(), Kind::Persistent);
        let payload = translation.unwrap().payload;
        assert!(is_unsealed(payload.clone()));
        let reason = though_sealed(payload);
        assert!(reason.contains(other().name()), "{reason}");
    });
}

#[test]
fn machine_code_is_refused() {
    apart("machine_code_is_refused", || {
        let artifact = with(|config| {
            let native = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
            config.target(&native).unwrap();
        });
        let reason = though_sealed(artifact);
        assert!(reason.contains(std::env::consts::ARCH), "{reason}");
    });
}

#[test]
fn a_core_module_is_refused() {
    apart("a_core_module_is_refused", || {
        let engine = Engine::new(&translator_config(HOST)).unwrap();
        let module = wat::parse_str(core(Parts::default())).unwrap();
        let artifact = engine.precompile_module(&module).unwrap();
        let reason = though_sealed(artifact.clone());
        assert!(
            reason.contains("incompatible object file format"),
            "{reason}"
        );
        assert!(is_unsealed(artifact));
    });
}

#[test]
fn damage_in_any_section_is_refused() {
    apart("damage_in_any_section_is_refused", || {
        let payload = payload();
        let places = places(&payload);
        for named in [
            ".text",
            ".rodata.wasm",
            ".wasmtime.engine",
            ".wasmtime.bti",
            ".wasmtime.info",
            ".wasmtime.traps",
            "the section table",
        ] {
            assert!(places.iter().any(|(name, _)| name == named), "{named}");
        }
        for (name, place) in places {
            let step = place.len().div_ceil(200).max(1);
            for at in place.clone().step_by(step).chain([place.end - 1]) {
                let mut damaged = payload.clone();
                damaged[at] ^= 1 << (at % 8);
                assert!(is_unsealed(damaged), "{name}, byte {at}");
            }
            // And all of it.
            let mut damaged = payload.clone();
            damaged[place].iter_mut().for_each(|byte| *byte = !*byte);
            assert!(is_unsealed(damaged), "{name}");
        }
    });
}

#[test]
fn a_cut_or_longer_artifact_is_refused() {
    apart("a_cut_or_longer_artifact_is_refused", || {
        let payload = payload();
        let ends = places(&payload).into_iter().map(|(_, place)| place.end);
        let every = (1..payload.len()).step_by(37).chain([payload.len() - 1]);
        for len in ends.chain(every).filter(|len| *len < payload.len()) {
            assert!(is_unsealed(payload[..len].to_vec()), "{len}");
        }
        for more in [1, 16, 4096] {
            let longer = [payload.as_slice(), &vec![0; more]].concat();
            assert!(is_unsealed(longer), "{more} more");
        }
        assert!(is_unsealed([payload.as_slice(), &payload].concat()));
    });
}

#[test]
fn a_peer_is_told_that_the_profile_is_another_one() {
    for fault in [Fault::Unsealed, Fault::Load("why".into())] {
        assert_eq!(fault.refusal(), Refusal::WrongProfile);
    }
}
