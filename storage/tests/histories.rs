//! Random histories, sensible or not, with and without power cuts: the store
//! does what the model does.
//!
//! When a history fails, proptest shrinks it, prints it and writes its seed to
//! `tests/histories.proptest-regressions`. **Commit that file with the repair**:
//! every run tries the seeds in it first, so the history stays a test. A seed
//! stands for the same history as long as the strategies below do; who changes
//! them copies what the old seeds printed into `regressions` first.

mod common;

use common::sweep::is_long;
use common::{capsule, flash_pages, layout, with_payload};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sealift_storage::sim::{Capsule, Driver, MockFlash, Operation, Torn};
use std::sync::OnceLock;

/// Capsules in a short and in a long history, for each component.
const FEW: usize = 7;
const MANY: usize = 60;

/// Capsules of all sizes and floors, every seventh dishonest; first those of
/// vm1, then those of vm2.
fn capsules(each: usize) -> Vec<Capsule> {
    let mut capsules = Vec::new();
    for name in common::NAMES {
        for i in 0..each {
            let sequence = i as u64 + 1;
            let len = [901, 1500, 64, 3072, 2, 3073, 300][i % 7];
            let floor = if i % 3 == 0 {
                0
            } else {
                sequence - i as u64 % 3
            };
            if i % 7 == 6 {
                let good = common::payload(sequence, len);
                let mut bad = good.clone();
                bad[0] ^= 0x80;
                capsules.push(with_payload(name, sequence, floor, &good, bad));
            } else {
                capsules.push(capsule(name, sequence, floor, len));
            }
        }
    }
    capsules
}

fn few() -> &'static [Capsule] {
    static CAPSULES: OnceLock<Vec<Capsule>> = OnceLock::new();
    CAPSULES.get_or_init(|| capsules(FEW))
}

fn many() -> &'static [Capsule] {
    static CAPSULES: OnceLock<Vec<Capsule>> = OnceLock::new();
    CAPSULES.get_or_init(|| capsules(MANY))
}

#[derive(Clone, Debug)]
enum Event {
    /// On a component, whose capsules are numbered from 0.
    Operation(usize, Operation),
    Restart,
    /// What leads somewhere: open, send all, activate.
    Install(usize, usize),
    /// The same with the next capsule that has a higher number, or one of
    /// those behind it.
    Update(usize, usize),
    Cut(u64, Torn, u64),
}

fn event(capsules: usize) -> impl Strategy<Value = Event> {
    use Operation::{Abort, Activate, Attempt, Confirm, Open, Remove, Revert, Rollback, Write};
    let which = 0..capsules;
    let torn = prop::sample::select(Torn::ALL.to_vec());
    let operation = prop_oneof![
        2 => which.clone().prop_map(Open),
        4 => (0_u32..1200).prop_map(Write),
        1 => Just(Abort),
        1 => (which.clone(), 0_u8..3).prop_map(|(i, tries)| Activate(i, tries)),
        2 => Just(Attempt),
        3 => which.clone().prop_map(Confirm),
        2 => Just(Rollback),
        2 => Just(Revert),
        1 => Just(Remove),
    ];
    // Most of it on one component.
    let c = prop::sample::select(vec![0, 0, 0, 1]);
    prop_oneof![
        18 => (c.clone(), operation).prop_map(|(c, operation)| Event::Operation(c, operation)),
        4 => (c.clone(), which).prop_map(|(c, i)| Event::Install(c, i)),
        4 => (c, 0_usize..3).prop_map(|(c, skip)| Event::Update(c, skip)),
        2 => Just(Event::Restart),
        2 => (0_u64..4000, torn, any::<u64>()).prop_map(|(at, torn, seed)| Event::Cut(at, torn, seed)),
    ]
}

/// The operation with its capsule numbered in the list of all.
fn numbered(operation: Operation, first: usize) -> Operation {
    match operation {
        Operation::Open(i) => Operation::Open(first + i),
        Operation::Activate(i, tries) => Operation::Activate(first + i, tries),
        Operation::Confirm(i) => Operation::Confirm(first + i),
        other => other,
    }
}

fn run<const WORD: usize, const PAGE: usize>(
    capsules: &[Capsule],
    events: &[Event],
) -> Result<(), String> {
    let slot_pages = u16::try_from(4096_usize.div_ceil(PAGE)).expect("few");
    let page = u32::try_from(PAGE).expect("small");
    let each = capsules.len() / 2;
    let mut driver = Driver::<WORD, PAGE, 2>::new(
        MockFlash::with_garbage(flash_pages(slot_pages), 5),
        layout(page, slot_pages),
        slot_pages,
        capsules.to_vec(),
        500,
    )?;
    for event in events {
        let (c, install) = match *event {
            Event::Operation(c, operation) => {
                driver.operate(c, numbered(operation, c * each))?;
                continue;
            }
            Event::Restart => {
                driver.restart()?;
                continue;
            }
            Event::Cut(at, torn, seed) => {
                driver.cut_at(&[(at, torn, seed)])?;
                continue;
            }
            Event::Install(c, i) => (c, i),
            Event::Update(c, skip) => {
                // Numbers count from 1, so the highest is the next index.
                let next = usize::try_from(driver.models()[c].highest).expect("small");
                (c, (next + skip).min(each - 1))
            }
        };
        use Operation::{Activate, Confirm, Open, Write};
        let mut operations = vec![
            Open(install),
            Write(2000),
            Write(u32::MAX),
            Activate(install, 2),
        ];
        if matches!(event, Event::Update(..)) {
            operations.push(Confirm(install));
        }
        for operation in operations {
            driver.operate(c, numbered(operation, c * each))?;
        }
    }
    driver.intact()
}

/// Histories that failed once, as proptest printed them, with the number of
/// capsules that they were made for.
fn regressions() -> Vec<(usize, Vec<Event>)> {
    Vec::new()
}

#[test]
fn what_failed_once_does_not_fail_again() {
    for (each, events) in regressions() {
        run_all(&capsules(each), &events).unwrap_or_else(|error| panic!("{events:?}: {error}"));
    }
}

/// On all geometries.
fn run_all(capsules: &[Capsule], events: &[Event]) -> Result<(), String> {
    run::<1, 512>(capsules, events)?;
    run::<4, 256>(capsules, events)?;
    run::<8, 2048>(capsules, events)?;
    run::<256, 1024>(capsules, events)
}

/// `quick` cases, or `long` with SEALIFT_SWEEP=all. The seeds of those that
/// failed are kept, and tried first.
fn config(quick: u32, long: u32) -> ProptestConfig {
    ProptestConfig {
        cases: if is_long() { long } else { quick },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/histories.proptest-regressions",
        ))),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(2000, 50_000))]

    #[test]
    fn the_store_does_what_the_model_does(events in prop::collection::vec(event(FEW), 1..60)) {
        run_all(few(), &events).map_err(TestCaseError::fail)?;
    }
}

proptest! {
    #![proptest_config(config(40, 4000))]

    #[test]
    fn and_so_it_does_in_a_long_life(events in prop::collection::vec(event(MANY), 300..900)) {
        run_all(many(), &events).map_err(TestCaseError::fail)?;
    }
}
