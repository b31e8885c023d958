//! Changes to an input that know its structure: a plain fuzzer would tear the
//! steps apart most of the time.

use crate::rng::Rng;
use crate::script::{MAX_STEPS, Script, Step};
use rand_core::RngCore;

/// Changes `input` in some way that follows from `seed`. `plain` changes bytes
/// that have no structure, and may make them longer.
pub fn mutate(input: &[u8], seed: u32, mut plain: impl FnMut(&mut Vec<u8>)) -> Vec<u8> {
    let mut rng = Rng::new(u64::from(seed));
    if rng.below(16) == 0 {
        let mut bytes = input.to_vec();
        plain(&mut bytes);
        return bytes;
    }
    let mut script = Script::decode(input);
    for _ in 0..=rng.below(3) {
        let at = rng.below(script.steps.len().max(1));
        match (rng.below(12), script.steps.get_mut(at)) {
            (0..=4, Some(step)) => plain(&mut step.data),
            (5, Some(step)) => step.arg = rng.byte(),
            (6, Some(step)) => step.op = rng.byte() % 16,
            (7, Some(step)) => {
                let step = step.clone();
                let to = rng.below(script.steps.len() + 1);
                script.steps.insert(to, step);
            }
            (8, Some(_)) => drop(script.steps.remove(at)),
            (9, Some(_)) => {
                let other = rng.below(script.steps.len());
                script.steps.swap(at, other);
            }
            (10, _) => script.flags = rng.byte(),
            _ => {
                let mut data = Vec::new();
                plain(&mut data);
                let step = Step::new(rng.byte() % 16, rng.byte(), &data);
                script.steps.insert(at.min(script.steps.len()), step);
            }
        }
        script.steps.truncate(MAX_STEPS);
    }
    script.encode()
}

/// The start of one input and the end of another.
#[must_use]
pub fn cross(one: &[u8], other: &[u8], seed: u32) -> Vec<u8> {
    let mut rng = Rng::new(u64::from(seed));
    let (mut script, other) = (Script::decode(one), Script::decode(other));
    script.steps.truncate(rng.below(script.steps.len() + 1));
    let from = rng.below(other.steps.len() + 1);
    script.steps.extend_from_slice(&other.steps[from..]);
    script.steps.truncate(MAX_STEPS);
    script.encode()
}

/// A plain change for where libFuzzer's own is not at hand.
pub fn plain(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len() + 1);
        match (rng.below(4), bytes.get_mut(at)) {
            (0, Some(byte)) => *byte ^= 1 << rng.below(8),
            (1, Some(byte)) => *byte = rng.byte(),
            (2, Some(_)) => drop(bytes.remove(at)),
            _ => {
                let mut more = vec![0; rng.below(9)];
                rng.fill_bytes(&mut more);
                bytes.splice(at..at, more);
            }
        }
    }
}
