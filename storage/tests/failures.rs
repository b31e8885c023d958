//! Whole histories on flash that fails: an error report at each write and
//! erase, a flash full of garbage, journals at the end of their numbers.

mod common;

use common::scenarios::{capsules, histories};
use common::sweep::{Random, Run, driver, is_long, say, seed};
use sealift_storage::sim::{MockFlash, Torn};

/// An error report for each write and erase, and with a restart then.
fn failures<const WORD: usize, const PAGE: usize>(stride: usize) {
    let (mut reported, mut tried) = (0, 0);
    for history in &histories() {
        let run = Run::<WORD, PAGE>::new(history);
        for restart in [false, true] {
            for access in run.log.iter().step_by(stride) {
                let mut driver = run.driver();
                driver.glitch_at(access.step, restart).expect("mounted");
                run.finish(&mut driver, || format!("{access:?}, {restart}"));
                // In a mount it is not reported, but makes it write again.
                reported += driver.failures();
                tried += 1;
            }
        }
    }
    say(&format!(
        "{WORD}-byte words: {reported} of {tried} failures reported by an operation"
    ));
    assert!(reported * 100 >= tried * 95);
}

#[test]
fn every_write_and_erase_may_report_an_error() {
    failures::<8, 512>(3);
    failures::<4, 2048>(7);
    failures::<256, 1024>(1);
}

#[test]
fn every_history_runs_on_a_flash_full_of_garbage() {
    let capsules = capsules();
    for history in &histories() {
        let garbage = |pages| MockFlash::with_garbage(pages, 1);
        let mut driver = driver::<4, 512>(&capsules, garbage, history.records);
        driver
            .run(&history.script)
            .unwrap_or_else(|error| panic!("{}: {error}", history.name));
    }
}

/// Histories that begin with so few record numbers left that they come to
/// the last one, with a cut on the way: the state of the last record stays,
/// also over restarts.
fn exhaustion<const WORD: usize, const PAGE: usize>(runs: u64) {
    let capsules = capsules();
    let mut exhausted = 0;
    for (h, history) in histories().iter().enumerate() {
        let mut random = Random::new(seed(), &[WORD as u64, h as u64]);
        for run in 0..runs {
            let left = u32::try_from(run % 24).expect("small");
            let mut driver = driver::<WORD, PAGE>(&capsules, MockFlash::new, u32::MAX - 1 - left);
            driver.expect_exhaustion();
            // An unstable bit needs another record to be put right.
            let torn = Torn::ALL[usize::try_from(random.below(4)).expect("small")];
            let cut = (random.below(u64::from(left + 1) * 900), torn, random.0);
            driver.cut_at(&[cut]).expect("mounted");
            // The end of a journal is no failure of a page that was repaired.
            let script: Vec<_> = history
                .script
                .iter()
                .copied()
                .filter(|(_, part)| {
                    use sealift_storage::sim::Script::{Repair, Wear};
                    !matches!(part, Repair | Wear(..))
                })
                .collect();
            driver
                .run(&script)
                .and_then(|()| driver.restart())
                .unwrap_or_else(|error| panic!("{}, {left} left, {cut:?}: {error}", history.name));
            exhausted += u32::from(driver.is_exhausted());
        }
    }
    say(&format!(
        "{WORD}-byte words, {PAGE}-byte pages: {exhausted} journals came to their end"
    ));
    assert!(u64::from(exhausted) > runs);
}

#[test]
fn at_the_end_of_its_numbers_a_journal_keeps_its_state() {
    let runs = if is_long() { 5000 } else { 100 };
    exhaustion::<1, 512>(runs);
    exhaustion::<8, 1024>(runs);
    exhaustion::<256, 1024>(runs);
}
