//! Updates to start from: whole ones, interrupted ones, and the attacks.

use super::{
    AGAIN, ALTERED, CALL, CONFIRM, CUT, ELSEWHERE, ENVELOPE, PAYLOAD, REMOVE, RESTART, ROLLBACK,
    STRANGER, WAIT,
};
use crate::script::{Script, Step};

pub(crate) fn seeds() -> Vec<(String, Script)> {
    let mut seeds = Vec::new();
    let mut seed = |name: &str, steps: Vec<Step>| {
        seeds.push((name.to_owned(), Script { flags: 0, steps }));
    };
    let step = |op, capsule: u8, data: &[u8]| Step::new(op, capsule << 1, data);
    let cut = |at: u16, torn| {
        let [high, low] = at.to_be_bytes();
        Step::new(CUT, 0, &[high, low, torn, 7])
    };
    let confirm = || step(CONFIRM, 0, &[]);
    let call = || step(CALL, 0, &[]);
    let restart = || step(RESTART, 0, &[]);
    // The first one, with its payload inside.
    let first = || vec![step(ENVELOPE, 0, &[]), confirm(), call()];
    // The second one, without.
    let second = || vec![step(ENVELOPE, 1, &[]), step(PAYLOAD, 0, &[])];
    let then = |more: Vec<Step>| [first(), more].concat();
    seed(
        "update",
        then([second(), vec![call(), confirm(), call()]].concat()),
    );
    seed(
        "back",
        then(
            [
                second(),
                vec![
                    confirm(),
                    step(ROLLBACK, 0, &[]),
                    call(),
                    step(ROLLBACK, 0, &[]),
                ],
            ]
            .concat(),
        ),
    );
    seed(
        "trial-without-confirm",
        then(
            [
                second(),
                vec![restart(), restart(), call(), restart(), call()],
            ]
            .concat(),
        ),
    );
    seed(
        "trial-taken-back",
        then([second(), vec![step(ROLLBACK, 0, &[]), call()]].concat()),
    );
    seed(
        "fails-to-start",
        then(vec![step(ENVELOPE, 3, &[]), step(PAYLOAD, 0, &[]), call()]),
    );
    seed(
        "fails-without-another",
        vec![step(ENVELOPE, 6, &[]), call()],
    );
    seed(
        "removed",
        then(vec![step(REMOVE, 0, &[]), call(), step(ENVELOPE, 0, &[])]),
    );
    seed(
        "in-pieces",
        then(vec![
            step(ENVELOPE, 1, &[]),
            step(PAYLOAD, 0, &[3]),
            restart(),
            step(PAYLOAD, 0, &[4]),
            Step::new(WAIT, 0x80 | 17, &[]),
            step(PAYLOAD, 0, &[]),
            call(),
        ]),
    );
    seed(
        "inside-in-pieces",
        then(vec![
            step(ENVELOPE, 2, &[4]),
            restart(),
            step(PAYLOAD, 0, &[2]),
            step(ENVELOPE, 2, &[]),
            confirm(),
        ]),
    );
    seed(
        "another-instead",
        then(vec![
            step(ENVELOPE, 1, &[]),
            step(PAYLOAD, 0, &[2]),
            step(ENVELOPE, 4, &[3]),
            step(PAYLOAD, 0, &[]),
            call(),
        ]),
    );
    seed(
        "both",
        then(vec![
            Step::new(ENVELOPE, 1, &[5]),
            step(ENVELOPE, 1, &[]),
            Step::new(PAYLOAD, 1, &[]),
            step(PAYLOAD, 0, &[]),
            Step::new(CONFIRM, 1, &[]),
            Step::new(CALL, 1, &[]),
            call(),
        ]),
    );
    // Under the floor of the third.
    seed(
        "floor",
        then(vec![
            step(ENVELOPE, 5, &[]),
            step(PAYLOAD, 0, &[]),
            confirm(),
            step(ROLLBACK, 0, &[]),
            step(ENVELOPE, 1, &[]),
            step(ENVELOPE, 7, &[]),
            step(PAYLOAD, 0, &[]),
            step(ROLLBACK, 0, &[]),
        ]),
    );
    seed(
        "attacks",
        then(
            [
                second(),
                vec![
                    step(STRANGER, 4, &[]),
                    step(ALTERED, 5, &[0, 0, 200, 1]),
                    step(ELSEWHERE, 4, &[]),
                    step(ENVELOPE, 0, &[]),
                    Step::new(AGAIN, 1, &[]),
                    Step::new(AGAIN, 5, &[]),
                    call(),
                ],
            ]
            .concat(),
        ),
    );
    seed(
        "altered-payload",
        then(vec![
            step(ENVELOPE, 1, &[]),
            step(PAYLOAD, 0, &[2]),
            step(PAYLOAD, 0, &[0xff, 0x20, 0, 1]),
            call(),
            step(ENVELOPE, 2, &[0xff, 0x10, 0, 1]),
            call(),
        ]),
    );
    for (n, at) in [0_u16, 1, 900, 1024, 2100, 8000, 14_000, 16_000]
        .into_iter()
        .enumerate()
    {
        for torn in 0..4 {
            let mut steps = first();
            steps.push(cut(at, torn));
            steps.extend(second());
            steps.extend([step(PAYLOAD, 0, &[]), call(), confirm()]);
            seed(&format!("cut-{n}-{torn}"), steps);
        }
        let mut steps = [first(), second()].concat();
        steps.extend([cut(at % 60, 3), confirm(), call(), step(ROLLBACK, 0, &[])]);
        seed(&format!("cut-in-confirm-{n}"), steps);
        let mut steps = [first(), second()].concat();
        steps.extend([cut(at % 60, 3), restart(), call(), restart()]);
        seed(&format!("cut-in-start-{n}"), steps);
    }
    seeds
}
