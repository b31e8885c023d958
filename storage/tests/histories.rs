//! Random histories, sensible or not, with and without power cuts: the store
//! does what the model does.

mod common;

use common::{capsule, flash_pages, layout, with_payload};
use proptest::prelude::*;
use sealift_storage::sim::{Capsule, Driver, MockFlash, Operation, Torn};
use std::sync::OnceLock;

const CAPSULES: usize = 7;

fn capsules() -> &'static Vec<Capsule> {
    static CAPSULES: OnceLock<Vec<Capsule>> = OnceLock::new();
    CAPSULES.get_or_init(|| {
        let good = common::payload(9, 300);
        let mut bad = good.clone();
        bad[0] ^= 0x80;
        vec![
            capsule("vm1", 1, 0, 901),
            capsule("vm1", 2, 1, 1500),
            capsule("vm1", 3, 3, 64),
            capsule("vm1", 4, 2, 3072),
            capsule("vm1", 5, 4, 2),
            capsule("vm1", 6, 0, 3073),
            with_payload("vm1", 7, 0, &good, bad),
        ]
    })
}

#[derive(Clone, Debug)]
enum Event {
    Operation(Operation),
    Restart,
    /// What leads somewhere: open, send all, activate.
    Install(usize),
    Cut(u64, Torn, u64),
}

fn event() -> impl Strategy<Value = Event> {
    use Operation::{Abort, Activate, Attempt, Confirm, Open, Remove, Revert, Rollback, Write};
    let which = 0..CAPSULES;
    let torn = prop::sample::select(Torn::ALL.to_vec());
    prop_oneof![
        4 => which.clone().prop_map(Event::Install),
        2 => which.clone().prop_map(|i| Event::Operation(Open(i))),
        4 => (0_u32..1200).prop_map(|len| Event::Operation(Write(len))),
        1 => Just(Event::Operation(Abort)),
        1 => (which.clone(), 0_u8..3).prop_map(|(i, tries)| Event::Operation(Activate(i, tries))),
        2 => Just(Event::Operation(Attempt)),
        3 => which.prop_map(|i| Event::Operation(Confirm(i))),
        2 => Just(Event::Operation(Rollback)),
        2 => Just(Event::Operation(Revert)),
        1 => Just(Event::Operation(Remove)),
        2 => Just(Event::Restart),
        2 => (0_u64..4000, torn, any::<u64>()).prop_map(|(at, torn, seed)| Event::Cut(at, torn, seed)),
    ]
}

fn run<const WORD: usize, const PAGE: usize>(events: &[Event]) -> Result<(), String> {
    let slot_pages = u16::try_from(4096_usize.div_ceil(PAGE)).expect("few");
    let page = u32::try_from(PAGE).expect("small");
    let mut driver = Driver::<WORD, PAGE, 2>::new(
        MockFlash::with_garbage(flash_pages(slot_pages), 5),
        layout(page, slot_pages),
        slot_pages,
        capsules().clone(),
        500,
    )?;
    for event in events {
        match *event {
            Event::Operation(operation) => {
                driver.operate(0, operation)?;
            }
            Event::Restart => driver.restart()?,
            Event::Install(i) => {
                use Operation::{Activate, Open, Write};
                for operation in [Open(i), Write(2000), Write(u32::MAX), Activate(i, 2)] {
                    driver.operate(0, operation)?;
                }
            }
            Event::Cut(at, torn, seed) => driver.cut_at(&[(at, torn, seed)])?,
        }
    }
    driver.intact()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(events in prop::collection::vec(event(), 1..60)) {
        run::<1, 512>(&events).map_err(TestCaseError::fail)?;
        run::<4, 256>(&events).map_err(TestCaseError::fail)?;
        run::<8, 2048>(&events).map_err(TestCaseError::fail)?;
        run::<256, 1024>(&events).map_err(TestCaseError::fail)?;
    }
}
