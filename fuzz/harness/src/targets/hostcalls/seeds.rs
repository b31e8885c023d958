//! Capsules to start from: each host call as it should be, and with the numbers that
//! there are tests for.

use super::{ARRIVE, CALL, MEASURE, MESSAGE, START, WAIT};
use crate::script::{Script, Step};

/// An address in the capsule's area.
const fn at(offset: u32) -> u32 {
    0xa500_0000 | offset
}

/// An operation of the capsule, and its numbers.
fn op(operation: u8, numbers: &[u32]) -> Vec<u8> {
    let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
    std::iter::once(operation).chain(numbers).collect()
}

pub(crate) fn seeds() -> Vec<(String, Script)> {
    let mut seeds = Vec::new();
    let mut seed = |name: &str, flags: u8, steps: Vec<Step>| {
        seeds.push((name.to_owned(), Script { flags, steps }));
    };
    let call = |operations: &[Vec<u8>]| Step::new(CALL, 2, &operations.concat());
    let line = op(13, &[0, u32::from_le_bytes(*b"line")]);
    let to = |length: u32, kind: u32| {
        [
            op(13, &[64, at(0)]),
            op(13, &[68, length]),
            op(13, &[72, kind]),
            op(13, &[90, 9]),
        ]
        .concat()
    };
    let many = |operation: Vec<u8>| vec![operation; 40];
    for (name, operations) in [
        ("log", vec![line.clone(), op(0, &[at(0), 4])]),
        ("log-nothing", vec![op(0, &[at(0), 0])]),
        ("log-behind-the-end", vec![op(0, &[0xffff_fff0, 0x20])]),
        ("log-too-long", vec![op(0, &[0, 0x2000])]),
        (
            "log-not-utf-8",
            vec![op(13, &[0, 0xffff_ffff]), op(0, &[at(0), 4])],
        ),
        ("log-flood", many(op(0, &[at(0), 1]))),
        ("random", vec![op(1, &[]), op(2, &[]), op(3, &[16, at(64)])]),
        ("random-too-many", vec![op(3, &[1025, at(64)])]),
        ("random-to-nowhere", vec![op(3, &[16, 0xffff_fffc])]),
        ("random-to-odd", vec![op(3, &[16, at(65)])]),
        ("time", vec![op(4, &[20, 0]), op(5, &[])]),
        ("sleep-for-ever", vec![op(4, &[u32::MAX, u32::MAX])]),
        ("measure", vec![op(6, &[1, 17]), op(7, &[0, 0, at(64)])]),
        (
            "measure-nonsense",
            vec![op(6, &[2, 99]), op(7, &[1, 99, at(64)])],
        ),
        ("button", vec![op(8, &[]), op(9, &[])]),
        ("bind", vec![op(10, &[1234]), op(10, &[0x1_0007])]),
        ("send", vec![op(10, &[9]), to(4, 0), op(11, &[at(64)])]),
        ("send-v6", vec![op(10, &[9]), to(4, 1), op(11, &[at(64)])]),
        (
            "send-to-none",
            vec![op(10, &[9]), to(4, 2), op(11, &[at(64)])],
        ),
        (
            "send-too-long",
            vec![op(10, &[9]), to(1281, 0), op(11, &[at(64)])],
        ),
        ("send-from-nowhere", vec![op(11, &[0xffff_ffff])]),
        (
            "send-flood",
            [vec![op(10, &[9]), to(1, 0)], many(op(11, &[at(64)]))].concat(),
        ),
        ("receive", vec![op(10, &[9]), op(12, &[at(64)])]),
        (
            "receive-to-nowhere",
            vec![op(10, &[9]), op(12, &[0x7fff_ffff])],
        ),
        (
            "realloc",
            vec![op(15, &[0xffff_0000]), op(3, &[16, at(64)])],
        ),
        (
            "realloc-odd",
            vec![op(15, &[at(1)]), op(6, &[0, 0]), op(7, &[0, 0, at(64)])],
        ),
        ("realloc-of-the-next-request", vec![op(15, &[3])]),
        ("answer-nowhere", vec![op(16, &[0xffff_fff8])]),
        ("answer-odd", vec![op(16, &[at(1)])]),
        ("answer-not-found", vec![op(17, &[1, 0, 0, 0])]),
        ("answer-no-error", vec![op(17, &[1, 9, 0, 0])]),
        ("answer-neither", vec![op(17, &[7, 0x45, at(0), 1])]),
        ("answer-too-long", vec![op(17, &[0, 0x45, at(0), 1281])]),
        ("answer-longer", vec![op(17, &[0, 0x45, 0, 0x7fff_ffff])]),
        ("answer-request", vec![op(17, &[0, 2, at(0), 0])]),
        (
            "answer-option",
            vec![op(13, &[0, 0x90]), op(17, &[0, 0x45, at(0), 1])],
        ),
        ("grow", vec![op(18, &[1000]), op(18, &[0xffff_ffff])]),
        ("trap", vec![op(19, &[])]),
    ] {
        let steps = vec![
            Step::new(ARRIVE, 4, b"datagram"),
            Step::new(MEASURE, 0, &[1; 80]),
            call(&operations),
            call(&[]),
        ];
        seed(name, 0x20, steps.clone());
        // On a board that has nothing.
        seed(&format!("{name}-unavailable"), 0x1f, steps);
    }
    let report = |words: &[u32]| {
        let words = words.iter().flat_map(|word| word.to_le_bytes());
        Step::new(START, 0, &words.collect::<Vec<u8>>())
    };
    // Strings, then where their list is, and how many they are.
    let strings = [[at(32), 4]; 8].concat();
    for (name, head, tail) in [
        ("report", 1, [at(0), 8]),
        ("report-many", 1, [at(0), 100_000]),
        ("report-nowhere", 1, [0xffff_fff0, 4]),
        ("report-odd", 1, [at(2), 1]),
        ("report-lies-nowhere", 3, [0xffff_ffff, 0]),
    ] {
        let words = [&[head], &strings[..], &tail].concat();
        seed(name, 0, vec![report(&words), call(&[])]);
    }
    seed(
        "messages",
        0,
        vec![
            Step::new(MESSAGE, 1, &[0xb1, b'a', 0xff, 0, 0]),
            Step::new(MESSAGE, 0, &[]),
            Step::new(MESSAGE, 2, &[0; 1281]),
            Step::new(WAIT, 0x80 | 16, &[]),
        ],
    );
    seeds
}
