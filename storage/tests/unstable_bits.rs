//! Cuts that leave bits which read differently after each restart: the state
//! that a mount chose once is kept by all mounts to come.

mod common;

use common::scenarios::{capsules, on_vm1};
use common::sweep::{Random, driver, say};
use sealift_storage::sim::{Access, Capsule, Driver, MockFlash, Operation, Script, Torn};

use Operation::{Activate, Attempt};
use Script::{Do, Push};

/// A store with a trial that spent so many attempts, since a restart or not.
///
/// Two cases: the next record is the first write after a restart, into the
/// other page, or goes behind the record before it.
fn start<const WORD: usize, const PAGE: usize>(
    capsules: &[Capsule],
    attempts: u32,
    restart: bool,
) -> Driver<WORD, PAGE, 2> {
    let mut driver = driver::<WORD, PAGE>(capsules, MockFlash::new, 0);
    let ready = on_vm1(&[Push(0), Do(Activate(0, 9)), Do(Attempt)]);
    driver.run(&ready).expect("runs");
    for _ in 0..attempts {
        driver.operate(0, Attempt).expect("runs");
    }
    if restart {
        driver.restart().expect("mounts");
    }
    driver.start_log().expect("mounted");
    driver
}

/// A cut in each word near the end of a record, and in erases; then restarts
/// and nothing else.
fn unstable<const WORD: usize, const PAGE: usize>(seeds: u64) {
    let capsules = capsules();
    let mut tried = 0;
    for restart in [true, false] {
        for attempts in 0..3 {
            let start = || start::<WORD, PAGE>(&capsules, attempts, restart);
            let mut clean = start();
            let begin = clean.store().expect("mounted").flash().steps();
            clean.operate(0, Attempt).expect("runs");
            let log = clean.store().expect("mounted").flash().log().to_vec();
            let words = log.iter().filter(|access| !access.is_erase).count();
            let last = log.iter().skip(log.len().saturating_sub(words.min(14)));
            // The seals come last, and a cut in them is the most intricate.
            let seals = begin_of_seals(&log, WORD);
            for access in log.iter().filter(|access| access.is_erase).chain(last) {
                let seeds = if access.step < seals {
                    seeds
                } else {
                    6 * seeds
                };
                let mut random = Random(access.step);
                for seed in 0..seeds {
                    let step = access.step - begin + seed % access.len;
                    let mut driver = start();
                    // A second cut falls into the mount, which repairs.
                    let mut cuts = vec![(step, Torn::Unstable, seed)];
                    for _ in 0..seed % 2 {
                        let other = random.below(PAGE as u64 + 300);
                        let torn = Torn::ALL[usize::try_from(random.below(5)).expect("small")];
                        cuts.push((other, torn, random.below(u64::MAX)));
                    }
                    driver.cut_at(&cuts).expect("mounted");
                    driver.operate(0, Attempt).expect("recovers");
                    assert_ne!(driver.cuts(), 0);
                    let chosen = driver.models()[0].clone();
                    for i in 0..8 {
                        let store = driver.store().expect("mounted");
                        let mut flash = store.flash().clone();
                        flash.cancel_cut();
                        flash.power_on();
                        driver.remount(flash).expect("mounts");
                        let found = driver.found(0).expect("mounted");
                        assert_eq!(
                            found, chosen,
                            "restart {i} after cuts {cuts:?}, {restart}, {attempts}"
                        );
                    }
                    tried += driver.cuts();
                }
            }
        }
    }
    say(&format!(
        "{WORD}-byte words, {PAGE}-byte pages: {tried} cuts that leave unstable bits"
    ));
}

/// The step at which the two seals at the end of a record begin.
fn begin_of_seals(log: &[Access], word: usize) -> u64 {
    let words = 2 * 4_usize.div_ceil(word);
    log.iter()
        .rev()
        .nth(words - 1)
        .map_or(0, |access| access.step)
}

#[test]
fn the_state_that_was_chosen_after_a_cut_is_kept_even_if_bits_are_unstable() {
    unstable::<1, 512>(24);
    unstable::<4, 512>(24);
    unstable::<8, 2048>(24);
    unstable::<256, 1024>(24);
    unstable::<256, 2048>(24);
}
