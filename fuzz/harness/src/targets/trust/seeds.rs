//! Records to start from: good ones, the attacks, and the ways to lock somebody out.

use sealift_core::Roles;

use super::model::{Content, Translator};
use super::people::STRANGER;
use super::record::{plan, step};
use super::{
    AGAIN, CONNECT, CONTROL, CUT, DAMAGE, INSTALL, PROBE, PUSH, RECORD, REPLAY, RESTART, WAIT,
};
use crate::rig::{APP, GUEST, OP, SECOND};
use crate::script::{Script, Step};

/// The keys that sign, as bits: the first four translators, then the roots.
const ONE: u8 = 1;
const TWO: u8 = 1 << 1;
const THREE: u8 = 1 << 2;
const FOREIGN: u8 = 1 << 4;
const ROOT: u8 = 1 << 5;
const ROOTS: u8 = 3 << 5;
const FOREIGN_ROOT: u8 = 1 << 7;

const DEPLOY: u8 = Roles::DEPLOY.bits();
const OBSERVE: u8 = Roles::OBSERVE.bits();
const USE: u8 = Roles::USE.bits();

/// What nothing is odd about: the next number, by both roots.
const GOOD: [u8; 6] = [0, 0, ROOTS, 1, 0, 0];

fn keys(keys: &[(u8, &[&str])]) -> Vec<Translator> {
    let keys = keys.iter().map(|(key, names)| Translator {
        key: *key,
        components: names.iter().map(|name| (*name).to_owned()).collect(),
    });
    keys.collect()
}

/// The peers of the start, and these translators.
fn by(threshold: u8, of: &[(u8, &[&str])]) -> Content {
    Content {
        threshold,
        translators: keys(of),
        ..Content::provisioned()
    }
}

/// The first translator, and these peers.
fn among(peers: &[(u8, usize)]) -> Content {
    Content {
        peers: peers.to_vec(),
        ..by(1, &[(1, &[])])
    }
}

fn record(who: usize, content: &Content) -> Step {
    odd(who, GOOD, content, &[])
}

fn odd(who: usize, head: [u8; 6], content: &Content, patches: &[u8]) -> Step {
    Step::new(RECORD, who as u8, &step(head, &plan(content), patches))
}

fn push(who: usize, signers: u8, asks: u8) -> Step {
    Step::new(PUSH, 4 | who as u8, &[signers, asks, 0])
}

fn install(signers: u8) -> Step {
    Step::new(INSTALL, OP as u8, &[signers, 1])
}

fn confirm() -> Step {
    Step::new(CONTROL, OP as u8, &[0])
}

fn restart() -> Step {
    Step::new(RESTART, 0, &[])
}

fn everybody_connects() -> Vec<Step> {
    (0..=STRANGER as u8)
        .map(|who| Step::new(CONNECT, who, &[]))
        .collect()
}

pub(crate) fn seeds() -> Vec<(String, Script)> {
    let mut seeds = Vec::new();
    let mut seed = |name: &str, steps: Vec<Step>| {
        // Where one root key is enough, and where both have to sign.
        for (flags, suffix) in [(0, ""), (4, "-two-roots")] {
            let steps = steps.clone();
            seeds.push((format!("{name}{suffix}"), Script { flags, steps }));
        }
    };
    let second = by(1, &[(2, &[])]);
    seed(
        "translator",
        vec![
            push(OP, ONE, 1),
            record(OP, &second),
            push(OP, ONE, 1),
            push(OP, TWO, 1),
            restart(),
            push(OP, TWO, 1),
            Step::new(PROBE, 0, &[]),
        ],
    );
    seed("peers", {
        let fewer = among(&[(OBSERVE, SECOND), (DEPLOY, OP), (USE, STRANGER)]);
        let mut steps = vec![record(OP, &fewer)];
        steps.extend(everybody_connects());
        steps.push(push(SECOND, ONE, 1));
        steps.push(record(OP, &among(&[(DEPLOY | USE, GUEST), (DEPLOY, OP)])));
        steps.push(record(GUEST, &among(&[(DEPLOY, GUEST), (USE, APP)])));
        steps.extend(everybody_connects());
        steps.push(restart());
        steps
    });
    seed("same-sender-other-place", {
        let other = Step::new(PUSH, 4 | OP as u8, &[ONE, 1, 2]);
        let turned = among(&[(USE, APP), (OBSERVE, GUEST), (DEPLOY, SECOND), (DEPLOY, OP)]);
        vec![
            push(OP, ONE, 1),
            record(OP, &turned),
            other,
            push(SECOND, ONE, 1),
        ]
    });
    seed("locks-out", {
        let mut steps = vec![
            record(OP, &by(0, &[(2, &[])])),
            record(OP, &by(2, &[(2, &[])])),
            record(
                OP,
                &by(5, &[(1, &[]), (2, &[]), (3, &[]), (4, &[]), (5, &[])]),
            ),
            record(OP, &by(1, &[])),
            record(OP, &by(2, &[(2, &[]), (2, &[])])),
            record(OP, &by(2, &[(1, &["vm1", "vm2"]), (2, &["vm1"])])),
            record(OP, &by(1, &[(2, &[]), (9, &[])])),
            record(OP, &by(1, &[(2, &["vm1", "trust"])])),
            record(OP, &among(&[(USE, OP), (OBSERVE, SECOND)])),
            record(OP, &among(&[])),
            record(OP, &among(&[(DEPLOY, SECOND), (USE, OP)])),
            record(OP, &among(&[(DEPLOY, OP), (USE, OP)])),
        ];
        let many: Vec<_> = (0..9).map(|who| (DEPLOY, who)).collect();
        steps.push(record(OP, &among(&many)));
        steps.push(record(OP, &among(&[(8, APP), (DEPLOY, OP)])));
        steps.push(record(OP, &among(&many[..8])));
        steps
    });
    seed("numbers", {
        let head = |how, by| [how, by, ROOTS, 1, 0, 0];
        [
            (1, 0),
            (4, 0),
            (4, 1),
            (5, 49),
            (5, 48),
            (2, 1),
            (6, 48),
            (7, 129),
            (7, 128),
            (3, 1),
        ]
        .map(|(how, by)| odd(OP, head(how, by), &second, &[]))
        .to_vec()
    });
    seed("signers", {
        let head = |signers, asks| [0, 0, signers, asks, 0, 0];
        [
            (ROOT, 1),
            (ROOT, 2),
            (ROOTS, 2),
            (ROOTS, 3),
            (FOREIGN_ROOT, 1),
            (ROOT | FOREIGN_ROOT, 1),
            (ROOT | ONE, 1),
            (ONE, 1),
            (FOREIGN, 1),
        ]
        .map(|(signers, asks)| odd(OP, head(signers, asks), &second, &[]))
        .to_vec()
    });
    seed("manifests", {
        let odd = |bit: u8| odd(OP, [0, 0, ROOTS, 1, 1 << bit, 0], &second, &[]);
        (0..8).map(odd).collect()
    });
    seed(
        "altered",
        vec![
            // Before it was signed: the threshold; with something behind it.
            odd(OP, [0, 0, ROOTS, 1, 0, 0x10], &second, &[1, 0, 2, 2]),
            odd(OP, [0, 0, ROOTS, 1, 0, 0x10], &second, &[2, 0, 200, 2]),
            // After that: the head, the content.
            odd(OP, [0, 0, ROOTS, 1, 0, 1], &second, &[0, 0, 60, 1]),
            odd(OP, [0, 0, ROOTS, 1, 0, 1], &second, &[0, 2, 120, 1]),
            odd(OP, [0, 0, ROOTS, 1, 0, 1], &second, &[4, 2, 120, 1]),
            record(OP, &second),
        ],
    );
    seed(
        "again",
        vec![
            record(OP, &second),
            Step::new(REPLAY, OP as u8, &[0]),
            record(OP, &by(1, &[(3, &[])])),
            Step::new(REPLAY, OP as u8, &[1]),
            Step::new(REPLAY, SECOND as u8, &[0]),
            // The content of an earlier one, signed anew.
            Step::new(RECORD, OP as u8, &step(GOOD, &[0xff, 1], &[])),
            Step::new(AGAIN, 1 << 2, &[]),
            Step::new(AGAIN, 9 << 2, &[]),
            Step::new(WAIT, 0x80 | 26, &[]),
            Step::new(REPLAY, APP as u8, &[0]),
            Step::new(REPLAY, GUEST as u8, &[0]),
        ],
    );
    seed("in-pieces", {
        let many: Vec<_> = (0..8).map(|who| (DEPLOY, who)).collect();
        let long = record(OP, &among(&many));
        let part = Step::new(RECORD, 1 << 2, &long.data);
        vec![
            part.clone(),
            restart(),
            Step::new(REPLAY, OP as u8, &[0]),
            part,
            record(SECOND, &second),
            Step::new(REPLAY, OP as u8, &[1]),
        ]
    });
    seed(
        "runs",
        vec![
            install(ONE),
            confirm(),
            record(OP, &by(1, &[(1, &[]), (2, &[])])),
            install(TWO),
            // On trial, and then the one before it.
            record(OP, &by(1, &[(1, &[])])),
            record(OP, &by(1, &[(3, &[])])),
            restart(),
            install(THREE),
            confirm(),
            record(OP, &by(1, &[(3, &["vm1"]), (1, &["vm2"])])),
            record(OP, &by(1, &[(3, &["vm2"])])),
        ],
    );
    seed(
        "two-signatures",
        vec![
            record(
                OP,
                &by(
                    2,
                    &[
                        (1, &["vm1", "vm2"]),
                        (2, &["vm2", "vm1"]),
                        (3, &["vm2"]),
                        (4, &["vm2"]),
                    ],
                ),
            ),
            push(OP, ONE, 1),
            push(OP, ONE | TWO, 3),
            push(OP, ONE | TWO, 2),
            install(ONE | THREE),
            install(ONE | TWO),
            confirm(),
            record(OP, &by(1, &[(1, &[])])),
        ],
    );
    seed(
        "damaged",
        vec![
            record(OP, &second),
            install(TWO),
            confirm(),
            record(SECOND, &among(&[(DEPLOY, SECOND), (DEPLOY, GUEST)])),
            Step::new(DAMAGE, 0, &[70, 3]),
            push(OP, ONE, 1),
            Step::new(REPLAY, OP as u8, &[0]),
            Step::new(REPLAY, OP as u8, &[1]),
            Step::new(PROBE, 0, &[]),
            record(OP, &second),
            push(OP, TWO, 1),
        ],
    );
    for (n, at) in [
        0_u16, 3, 40, 1100, 2047, 3090, 3700, 4100, 4150, 4190, 4230, 9000,
    ]
    .into_iter()
    .enumerate()
    {
        let torn = n as u8 % 4;
        let [high, low] = at.to_be_bytes();
        let cut = Step::new(CUT, 0, &[high, low, torn, 7]);
        let next = among(&[(DEPLOY, SECOND), (DEPLOY, OP)]);
        let mut steps = vec![record(OP, &second), cut.clone(), record(SECOND, &next)];
        steps.extend([record(SECOND, &next), cut.clone(), restart()]);
        steps.extend([install(ONE), cut, record(OP, &second), restart()]);
        seed(&format!("cut-{n}"), steps);
    }
    seeds
}
