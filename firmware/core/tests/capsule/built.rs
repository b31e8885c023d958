//! The capsules of `capsules/`, translated by the signer and run.
//!
//! Needs them built: `SEALIFT_CAPSULES` is the folder with `NAME.wasm`, which
//! `cargo xtask test` sets. Without it these tests say so and pass.

use std::path::PathBuf;

use crate::capsule_common::{Board, Capsule};
use sealift_core::capsule::{BadAnswer, Fault, HostTrap, TrapReason};
use sealift_engine::HOST;
use sealift_manifest::{Grants, Kind};

const GET: u8 = 1;
const CONTENT: u8 = 0x45;
const NOT_FOUND: u8 = 0x84;
const NOT_ALLOWED: u8 = 0x85;

/// A capsule of `capsules/` with the grants that its imports need.
fn built(name: &str, kind: Kind) -> Option<Capsule> {
    let Some(dir) = std::env::var_os("SEALIFT_CAPSULES") else {
        println!("skipped: SEALIFT_CAPSULES is not set");
        return None;
    };
    let path = PathBuf::from(dir).join(format!("{name}.wasm"));
    let wasm = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let translation = signer::translate(&wasm, HOST, kind).unwrap();
    println!(
        "{name}: {} B of Wasm, {} B of payload",
        wasm.len(),
        translation.payload.len()
    );
    Some(Capsule {
        artifact: translation.payload,
        kind,
        grants: translation.imports,
        fuel: sealift_engine::DEFAULT_FUEL,
        memory: sealift_engine::DEFAULT_MEMORY,
        stack: sealift_engine::DEFAULT_STACK,
    })
}

/// Options and payload of a request.
fn message(path: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    for (i, segment) in path.split('/').enumerate() {
        let delta = if i == 0 { 11 << 4 } else { 0 };
        assert!(segment.len() < 13);
        message.push(delta | u8::try_from(segment.len()).unwrap());
        message.extend_from_slice(segment.as_bytes());
    }
    if !payload.is_empty() {
        message.push(0xff);
        message.extend_from_slice(payload);
    }
    message
}

/// The code and the text of the answer.
fn ask(capsule: &Capsule, board: &Board, path: &str) -> Result<(u8, String), Fault> {
    let mut running = capsule.start(board)?;
    let answer = running.call(GET, &message(path, b""))?;
    println!("{path}: {} fuel", running.fuel_used());
    let text = answer.message.splitn(2, |b| *b == 0xff).nth(1);
    let text = String::from_utf8(text.unwrap_or_default().to_vec()).unwrap();
    Ok((answer.code, text))
}

#[test]
fn hello_greets() {
    let Some(hello) = built("hello", Kind::Ephemeral) else {
        return;
    };
    assert_eq!(hello.grants, Grants::NONE);
    let board = Board::default();
    assert_eq!(
        hello.run(&board, b"Ada").as_deref(),
        Ok(&b"hello, Ada, from a capsule"[..])
    );
    assert!(matches!(hello.run(&board, b"\xff"), Err(Fault::Job(_))));
}

#[test]
fn the_thermometer_answers() {
    let Some(capsule) = built("thermometer", Kind::Persistent) else {
        return;
    };
    let grants = Grants::LOG.union(Grants::RNG).union(Grants::SENSORS);
    assert_eq!(capsule.grants, grants);
    let board = Board::default();
    let get = |path| ask(&capsule, &board, path);
    // 2157 from the sensor, the last digit from the random numbers.
    let celsius = Ok((CONTENT, "21.56 °C".into()));
    assert_eq!(get("temperature"), celsius);
    assert_eq!(get("temperature/celsius"), celsius);
    assert_eq!(
        get("temperature/fahrenheit"),
        Ok((CONTENT, "70.808 °F".into()))
    );
    assert_eq!(get("version"), Ok((CONTENT, "1".into())));
    for path in ["", "temp", "temperature/kelvin", "temperature/celsius/x"] {
        assert_eq!(get(path).unwrap().0, NOT_FOUND);
    }
    let mut running = capsule.start(&board).unwrap();
    let put = running.call(3, &message("temperature", b"20")).unwrap();
    assert_eq!(put.code, NOT_ALLOWED);
    assert_eq!(running.memory(), 8192);
    assert_eq!(running.resources().len(), 4);
    assert!(
        board
            .log()
            .contains(&"vm1: served 21.56 °C as no. 1".into())
    );
    // Its memory does not fill up.
    for _ in 0..1000 {
        let answer = running.call(GET, &message("temperature", b"")).unwrap();
        assert_eq!(answer.code, CONTENT);
    }
}

#[test]
fn the_second_thermometer_answers_otherwise() {
    let Some(capsule) = built("thermometer-v2", Kind::Persistent) else {
        return;
    };
    let board = Board::default();
    let get = |path| ask(&capsule, &board, path);
    assert_eq!(
        get("temperature"),
        Ok((CONTENT, "21.56 °C, 70.808 °F, no. 1".into()))
    );
    assert_eq!(get("version"), Ok((CONTENT, "2".into())));
    assert_eq!(get("else").unwrap().0, NOT_FOUND);
}

/// With the smaller allocator of the SDK; with other people's allocator and
/// CoAP handlers; and in C with an allocator of its own.
#[test]
fn the_memory_of_other_capsules_does_not_fill_up_either() {
    for (name, path) in [
        ("eval-persistent", "fibo_ten"),
        ("trevm-weather", "temperature"),
        ("c-thermometer", "temperature"),
    ] {
        let Some(capsule) = built(name, Kind::Persistent) else {
            return;
        };
        let mut running = capsule.start(&Board::default()).unwrap();
        let before = running.memory();
        for _ in 0..1000 {
            // Answers with bytes, and without.
            for (path, code) in [(path, CONTENT), ("else", NOT_FOUND)] {
                let answer = running.call(GET, &message(path, b"")).unwrap();
                assert_eq!(answer.code, code, "{name}");
            }
            running.call(3, &message(path, b"20")).unwrap();
        }
        assert_eq!(running.memory(), before, "{name}");
    }
}

#[test]
fn the_thermometer_does_not_start_without_its_grants() {
    let Some(mut capsule) = built("thermometer", Kind::Persistent) else {
        return;
    };
    capsule.grants = Grants::LOG.union(Grants::RNG);
    assert!(matches!(capsule.check(), Err(Fault::Ungranted(_))));
}

#[test]
fn the_crasher_crashes_on_its_path_and_starts_again() {
    let Some(capsule) = built("crasher", Kind::Persistent) else {
        return;
    };
    let board = Board::default();
    let fine = Ok((CONTENT, "fine".into()));
    assert_eq!(ask(&capsule, &board, "fine"), fine);
    assert!(matches!(
        ask(&capsule, &board, "crash"),
        Err(Fault::Trapped(TrapReason::Wasm(_)))
    ));
    assert_eq!(
        board.log(),
        ["vm1: this capsule crashes when it is asked to"]
    );
    assert_eq!(ask(&capsule, &board, "fine"), fine);
}

#[test]
fn what_does_not_start_is_an_init_fault() {
    let Some(crasher) = built("crasher-init", Kind::Persistent) else {
        return;
    };
    let board = Board::default();
    let fault = crasher.start(&board).err().unwrap();
    assert!(matches!(fault, Fault::Init(_)));
    assert_eq!(board.log(), ["vm1: this capsule never starts"]);
    let hostile = built("hostile-init", Kind::Persistent).unwrap();
    let fault = hostile.start(&board).err().unwrap();
    assert_eq!(fault, Fault::Init(Box::new(Fault::OutOfFuel)));
}

#[test]
fn no_attack_gets_through() {
    let Some(capsule) = built("hostile", Kind::Persistent) else {
        return;
    };
    let board = Board::default();
    let attack = |path| ask(&capsule, &board, path).unwrap_err();
    assert_eq!(attack("spin"), Fault::OutOfFuel);
    assert_eq!(attack("alloc"), Fault::OutOfMemory);
    assert_eq!(attack("grow"), Fault::OutOfFuel);
    assert_eq!(attack("recurse"), Fault::StackOverflow);
    // Its stack in linear memory ends before the interpreter's does.
    assert!(matches!(
        attack("stack"),
        Fault::Trapped(_) | Fault::StackOverflow
    ));
    assert!(matches!(attack("trap"), Fault::Trapped(_)));
    assert_eq!(attack("flood"), Fault::OutOfFuel);
    assert_eq!(board.log().len(), 17);
    assert_eq!(
        attack("random"),
        Fault::Trapped(TrapReason::Host(HostTrap::Random(1 << 31)))
    );
    assert_eq!(attack("junk"), Fault::BadAnswer(BadAnswer::Code(33)));
    assert!(matches!(
        attack("huge"),
        Fault::BadAnswer(BadAnswer::TooLong(_))
    ));
    assert_eq!(ask(&capsule, &board, "fine"), Ok((CONTENT, "fine".into())));
}
