//! Does again what was recorded, and says what it took.

use anyhow::{Context, Result};
use fuzz_harness::memory;

use crate::stack;
use crate::steps::{Step, act};
use crate::unit::{People, Unit};

/// What a recording took of the memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The most heap that the device had before a step that counts.
    pub rest: usize,
    /// The most heap beyond that while it did one.
    pub more: usize,
    /// The most stack for one.
    pub stack: usize,
}

/// Calls what is counted. Valgrind knows it by this name, and counts from its
/// beginning to its end.
#[inline(never)]
pub fn counted(step: &mut dyn FnMut()) {
    step();
}

/// Does what was recorded; `heard` gets what the device sends at each step.
///
/// # Errors
/// Where the device fails.
pub fn replay(steps: &[Step], mut heard: impl FnMut(Vec<u8>)) -> Result<()> {
    let mut unit = Unit::new(People::new()?);
    run(steps, &mut unit, counted, &mut heard)
}

/// The same; returns the memory that it took. The heap is 0 unless the program
/// has [`memory::Counting`] for its allocator.
///
/// # Errors
/// Where the device fails.
pub fn memory(steps: &[Step]) -> Result<Memory> {
    let mut unit = Unit::new(People::new()?);
    let mut most = Memory::default();
    let nothing = memory::used();
    let measure = |step: &mut dyn FnMut()| {
        let before = memory::used();
        memory::restart();
        let (stack, own) = stack::used(step);
        let peak = memory::peak().saturating_sub(own);
        most.rest = most.rest.max(before.saturating_sub(nothing));
        most.more = most.more.max(peak.saturating_sub(before));
        most.stack = most.stack.max(stack);
    };
    run(steps, &mut unit, measure, &mut drop)?;
    Ok(most)
}

fn run(
    steps: &[Step],
    unit: &mut Unit,
    mut counting: impl FnMut(&mut dyn FnMut()),
    heard: &mut dyn FnMut(Vec<u8>),
) -> Result<()> {
    for (number, step) in steps.iter().enumerate() {
        let mut sent = None;
        let mut act = || sent = Some(act(unit, number, &step.event));
        if step.counted {
            counting(&mut act);
        } else {
            act();
        }
        heard(sent.context("nothing was done")??);
    }
    Ok(())
}
