//! Devices to start from: honest ones, and the tricks that there are tests for.

use super::answers::{
    AGAIN, ALTERED, ANSWER, BARE, CHALLENGE, EMPTY, GO_ON, HONEST, LATER, PLAINTEXT, RAW, RESTART,
    SILENCE, STATUS, TWICE,
};
use super::{EXCHANGED, FOR_EVER, SILENT_AFTER, SMALL};
use crate::script::{Script, Step};

pub(crate) fn seeds() -> Vec<(String, Script)> {
    let mut seeds = Vec::new();
    let mut seed = |name: &str, flags: u8, steps: Vec<Step>| {
        seeds.push((name.to_owned(), Script { flags, steps }));
    };
    let honest = |count: usize| vec![Step::new(HONEST, 0, &[]); count];
    let then = |count: usize, step: Step| [honest(count), vec![step]].concat();
    for wish in 0..16 {
        seed(&format!("honest-{wish}"), wish, Vec::new());
        seed(&format!("honest-small-{wish}"), wish | SMALL, Vec::new());
    }
    for wish in [0, 1, 4, 11, 15] {
        // 2.31 for ever, whatever was sent.
        let flags = wish | SMALL | FOR_EVER;
        seed(
            &format!("go-on-{wish}"),
            flags,
            vec![Step::new(GO_ON, 0, &[])],
        );
        let challenge = Step::new(CHALLENGE, 0, b"echo");
        seed(&format!("challenge-{wish}"), wish, vec![challenge.clone()]);
        seed(&format!("challenges-{wish}"), flags, vec![challenge]);
        seed(&format!("silence-{wish}"), wish | SILENT_AFTER, honest(1));
        // An answer before the body is whole.
        let early = Step::new(ANSWER, 1, &[0x10]);
        seed(&format!("early-{wish}"), wish | SMALL, then(2, early));
    }
    for wish in 0..4 {
        for (n, received) in [0_u32, 1, 64, 599, 600, 601, u32::MAX]
            .into_iter()
            .enumerate()
        {
            let data = [received.to_le_bytes(), 600_u32.to_le_bytes()].concat();
            let steps = vec![Step::new(STATUS, 0, &data)];
            seed(&format!("received-{wish}-{n}"), wish | SMALL, steps);
        }
        let back = vec![
            Step::new(STATUS, 0, &[0x80, 1, 0, 0, 0x58, 2]),
            Step::new(ANSWER, 10, &[]),
            Step::new(STATUS, 0, &[0x40, 0, 0, 0, 0x58, 2]),
        ];
        seed(&format!("back-{wish}"), wish | SMALL | FOR_EVER, back);
        seed(
            &format!("restart-{wish}"),
            wish | SMALL,
            then(5, Step::new(RESTART, 0, &[])),
        );
        let valid = Step::new(ANSWER, 3, &[0x10]);
        seed(&format!("valid-{wish}"), wish | SMALL, then(3, valid));
        // Smaller blocks, by an error and by an answer.
        let smaller = Step::new(ANSWER, 0x8c, &[0x10, 1, 0]);
        seed(&format!("smaller-{wish}"), wish, then(1, smaller));
    }
    for (name, step) in [
        ("later", Step::new(LATER, 0, &[0x8a])),
        ("later-without-ack", Step::new(LATER, 3, &[0x80])),
        ("twice", Step::new(TWICE, 0, &[1, 0, 0, 0x44])),
        ("again", Step::new(AGAIN, 1, &[])),
        ("altered", Step::new(ALTERED, 0, &[1, 0, 0, 0x5f])),
        ("plaintext", Step::new(PLAINTEXT, 0, &[0x45, 0xff])),
        ("bare-error", Step::new(BARE, 7, b"not authentic")),
        ("bare-content", Step::new(BARE, 0, b"forged")),
        ("reset", Step::new(EMPTY, 3, &[])),
        ("ack-and-nothing", Step::new(EMPTY, 2, &[])),
        ("raw", Step::new(RAW, 1, &[0x40, 0x45, 0, 0])),
        ("busy", Step::new(ANSWER, 14, &[4, 1, 60])),
        ("too-large", Step::new(ANSWER, 12, &[0x40, 2, 1, 0])),
        ("changed", Step::new(ANSWER, 0, &[9, 1, 7, 1, 0x18])),
    ] {
        for wish in [0, 4, 10, 13] {
            seed(&format!("{name}-{wish}"), wish, then(1, step.clone()));
        }
        // In the key exchange.
        seed(
            &format!("exchange-{name}"),
            5 | EXCHANGED,
            vec![step.clone()],
        );
        seed(
            &format!("exchange-third-{name}"),
            5 | EXCHANGED,
            then(1, step),
        );
    }
    let echo = Step::new(CHALLENGE, 0, b"12345678");
    seed("exchange-challenge", 5 | EXCHANGED, vec![echo.clone()]);
    seed("exchange-challenges", 5 | EXCHANGED | FOR_EVER, vec![echo]);
    let refused = Step::new(ANSWER, 6, &[1, 0x60]);
    seed("exchange-refused", 5 | EXCHANGED | FOR_EVER, vec![refused]);
    let lost = Step::new(SILENCE, 0, &[]);
    seed("lost-now-and-then", FOR_EVER | SMALL, then(2, lost));
    seeds
}
