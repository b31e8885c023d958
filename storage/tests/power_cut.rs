//! A power cut at every byte of whole histories, and what the store is after.
//!
//! A history is run once without a cut to see what it writes and erases, then
//! once for each place of a cut. After the cut the store is mounted again, its
//! state compared with the model (before or after the operation, floor and
//! highest number not lower, the capsules whole), and the history is carried
//! on to its end, which must be the same as without a cut.
//!
//! `SEALIFT_SWEEP=all cargo test -p sealift-storage --release` tries every
//! place; otherwise one in a few, to be quick.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use common::{capsule, flash_pages, layout, with_payload};
use sealift_storage::sim::{Access, Capsule, Driver, MockFlash, Model, Operation, Script, Torn};

use Operation::{Abort, Activate, Attempt, Confirm, Remove, Revert, Rollback};
use Script::{Do, Push, PushTo, Restart};

const SLOT_BYTES: usize = 4096;

/// Capsules: 0 to 4 for vm1, 5 and 6 for vm2, 7 dishonest.
fn capsules() -> Vec<Capsule> {
    let good = common::payload(9, 700);
    let mut bad = good.clone();
    bad[699] ^= 1;
    vec![
        capsule("vm1", 1, 0, 901),
        capsule("vm1", 2, 1, 1500),
        capsule("vm1", 3, 3, 64),
        capsule("vm1", 4, 0, 3072),
        capsule("vm1", 5, 2, 1),
        capsule("vm2", 1, 1, 1100),
        capsule("vm2", 2, 2, 333),
        with_payload("vm1", 9, 0, &good, bad),
    ]
}

type History = Vec<(usize, Script)>;

fn on_vm1(script: &[Script]) -> History {
    script.iter().map(|part| (0, *part)).collect()
}

fn install(i: usize) -> [Script; 4] {
    [Push(i), Do(Activate(i, 3)), Do(Attempt), Do(Confirm(i))]
}

fn histories() -> Vec<(&'static str, History)> {
    let [push0, activate0, attempt0, confirm0] = install(0);
    let first = [push0, activate0, attempt0, confirm0];
    let second = install(1);
    vec![
        ("first install", on_vm1(&first)),
        ("update", on_vm1(&[first, second].concat())),
        (
            "interrupted and resumed transfer",
            on_vm1(
                &[
                    &first[..],
                    &[PushTo(3, 1700), Restart, PushTo(3, 2500), Restart],
                    &install(3),
                ]
                .concat(),
            ),
        ),
        (
            "replaced and aborted transfer",
            on_vm1(
                &[
                    &first[..],
                    &[PushTo(1, 1200), PushTo(3, 1300), Do(Abort)],
                    &install(2),
                ]
                .concat(),
            ),
        ),
        (
            "automatic revert",
            on_vm1(
                &[
                    &first[..],
                    &[
                        Push(1),
                        Do(Activate(1, 1)),
                        Do(Attempt),
                        Restart,
                        Do(Revert),
                    ],
                ]
                .concat(),
            ),
        ),
        (
            "revert of the first trial, to nothing",
            on_vm1(&[push0, activate0, Do(Revert), Push(1), Do(Activate(1, 2))]),
        ),
        (
            "roll back and forth",
            on_vm1(&[&first[..], &second, &[Do(Rollback), Restart, Do(Rollback)]].concat()),
        ),
        (
            "floor forbids roll back",
            on_vm1(
                &[
                    &first[..],
                    &install(2),
                    &[Do(Rollback), Restart],
                    &install(4),
                ]
                .concat(),
            ),
        ),
        (
            "removal and reinstallation",
            on_vm1(&[&first[..], &[Do(Remove), Push(0)], &second].concat()),
        ),
        (
            "wrong payload",
            on_vm1(&[&first[..], &[Push(7), Do(Activate(7, 3))], &second].concat()),
        ),
        (
            "two components interleaved",
            vec![
                (0, PushTo(0, 500)),
                (1, Push(5)),
                (0, Push(0)),
                (1, Do(Activate(5, 2))),
                (0, Do(Activate(0, 2))),
                (1, Do(Attempt)),
                (1, Do(Confirm(5))),
                (0, Do(Confirm(0))),
                (1, PushTo(6, 200)),
                (0, Push(1)),
                (1, Push(6)),
                (0, Do(Activate(1, 2))),
                (1, Do(Activate(6, 2))),
                (0, Do(Revert)),
                (1, Do(Confirm(6))),
                (1, Do(Rollback)),
            ],
        ),
    ]
}

struct Sweep {
    capsules: Vec<Capsule>,
    cuts: AtomicU64,
}

impl Sweep {
    fn new() -> Self {
        Self {
            capsules: capsules(),
            cuts: AtomicU64::new(0),
        }
    }

    /// A store on a flash of this geometry.
    fn driver<const WORD: usize, const PAGE: usize>(&self, garbage: bool) -> Driver<WORD, PAGE, 2> {
        let slot_pages = u16::try_from(SLOT_BYTES.div_ceil(PAGE).max(2)).expect("few");
        let pages = flash_pages(slot_pages);
        let flash = if garbage {
            MockFlash::with_garbage(pages, 1)
        } else {
            MockFlash::new(pages)
        };
        let layout = layout(u32::try_from(PAGE).expect("small"), slot_pages);
        // An odd length, so that words and pages end within a write.
        Driver::new(flash, layout, slot_pages, self.capsules.clone(), 217).expect("mounts")
    }

    /// What a history writes and erases, and where it ends.
    fn clean<const WORD: usize, const PAGE: usize>(
        &self,
        history: &History,
    ) -> (Vec<Access>, [Model; 2]) {
        let mut driver = self.driver::<WORD, PAGE>(false);
        driver.start_log().expect("mounted");
        driver.run(history).expect("a clean run");
        let log = driver.store().expect("mounted").flash().log().to_vec();
        (log, driver.models().clone())
    }

    fn run<const WORD: usize, const PAGE: usize>(
        &self,
        name: &str,
        history: &History,
        end: &[Model; 2],
        cuts: &[(u64, Torn, u64)],
    ) {
        let mut driver = self.driver::<WORD, PAGE>(false);
        driver.cut_at(cuts).expect("mounted");
        driver
            .run(history)
            .unwrap_or_else(|error| panic!("{name}, cuts {cuts:?}: {error}"));
        assert_ne!(driver.cuts(), 0, "{name}, cuts {cuts:?}: none came");
        assert_eq!(driver.models(), end, "{name}, cuts {cuts:?}");
        self.cuts
            .fetch_add(u64::from(driver.cuts()), Ordering::Relaxed);
    }

    /// One cut, at every place that differs.
    fn single<const WORD: usize, const PAGE: usize>(&self, stride: u64) {
        for (name, history) in &histories() {
            let (log, end) = self.clean::<WORD, PAGE>(history);
            let mut count = 0;
            for torn in Torn::ALL {
                for access in &log {
                    for step in places(access, torn) {
                        count += 1;
                        if count % stride == 0 {
                            self.run::<WORD, PAGE>(name, history, &end, &[(step, torn, step)]);
                        }
                    }
                }
            }
        }
    }

    /// A cut that leaves unstable bits, in each word near the end of each
    /// record and in erases; then restarts and nothing else.
    fn unstable<const WORD: usize, const PAGE: usize>(&self, seeds: u64) {
        // Two histories: the cut attempt is the first write after a restart,
        // into the other page, or goes behind the record before it.
        let ready = on_vm1(&[Push(0), Do(Activate(0, 9)), Do(Attempt)]);
        for restart in [true, false] {
            for attempts in 0..3 {
                let start = || {
                    let mut driver = self.driver::<WORD, PAGE>(false);
                    driver.run(&ready).expect("runs");
                    for _ in 0..attempts {
                        driver.operate(0, Attempt).expect("runs");
                    }
                    if restart {
                        driver.restart().expect("mounts");
                    }
                    driver.start_log().expect("mounted");
                    driver
                };
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
                                "restart {i} after a cut in {access:?}, {restart}, {attempts}, {seed}"
                            );
                        }
                        self.cuts.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    /// An error report for each write and erase, and with a restart then.
    fn failures<const WORD: usize, const PAGE: usize>(&self, stride: usize) {
        let (mut reported, mut tried) = (0, 0);
        for (name, history) in &histories() {
            let (log, end) = self.clean::<WORD, PAGE>(history);
            for restart in [false, true] {
                for access in log.iter().step_by(stride) {
                    let mut driver = self.driver::<WORD, PAGE>(false);
                    driver.glitch_at(access.step, restart).expect("mounted");
                    driver
                        .run(history)
                        .unwrap_or_else(|error| panic!("{name}, {access:?}, {restart}: {error}"));
                    // In a mount it is not reported, but makes it write again.
                    reported += driver.failures();
                    tried += 1;
                    assert_eq!(driver.models(), &end, "{name}, {access:?}, {restart}");
                }
            }
        }
        println!("{WORD}-byte words: {reported} of {tried} failures reported by an operation");
        assert!(reported * 100 >= tried * 95);
    }

    /// Two to four cuts, at random places, each soon after the restart.
    fn several<const WORD: usize, const PAGE: usize>(&self, runs: u64) {
        for (h, (name, history)) in histories().iter().enumerate() {
            let (log, end) = self.clean::<WORD, PAGE>(history);
            let steps = log.last().map_or(0, |access| access.step + access.len);
            let mut random = Random(h as u64 + WORD as u64 * 1000);
            for _ in 0..runs {
                // Bits that stay unstable through three cuts are beyond what
                // two journal pages can promise.
                let unstable = random.below(2) == 0;
                let modes = if unstable { 5 } else { 4 };
                let mut cut = |limit| {
                    let mode = usize::try_from(random.below(modes)).expect("small");
                    (random.below(limit), Torn::ALL[mode], random.below(u64::MAX))
                };
                let soon = PAGE as u64 + 400;
                let cuts = [cut(steps), cut(soon), cut(soon), cut(soon)];
                let cuts = if unstable { &cuts[..2] } else { &cuts };
                self.run::<WORD, PAGE>(name, history, &end, cuts);
            }
        }
    }
}

/// The steps at which a cut in this access leaves something different.
fn places(access: &Access, torn: Torn) -> Vec<u64> {
    let (step, len) = (access.step, access.len);
    match torn {
        // The whole word or page is old or new, wherever the cut is.
        Torn::Old | Torn::New => vec![step],
        Torn::Prefix | Torn::Mix | Torn::Unstable if access.is_erase => {
            (0..4).map(|i| step + (len - 1) * i / 3).collect()
        }
        Torn::Prefix | Torn::Mix | Torn::Unstable if len > 8 => {
            (0..16).map(|i| step + (len - 1) * i / 15).collect()
        }
        Torn::Prefix | Torn::Mix | Torn::Unstable => (step..step + len).collect(),
    }
}

/// The step at which the two seals at the end of a record begin.
fn begin_of_seals(log: &[Access], word: usize) -> u64 {
    let words = 2 * 4_usize.div_ceil(word);
    log.iter()
        .rev()
        .nth(words - 1)
        .map_or(0, |access| access.step)
}

/// A small generator of random numbers, the same ones on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

fn sweep<const WORD: usize, const PAGE: usize>(stride: u64) {
    let all = std::env::var("SEALIFT_SWEEP").is_ok_and(|value| value == "all");
    let sweep = Sweep::new();
    sweep.single::<WORD, PAGE>(if all { 1 } else { stride });
    let single = sweep.cuts.swap(0, Ordering::Relaxed);
    sweep.several::<WORD, PAGE>(if all { 20_000 } else { 40 });
    let several = sweep.cuts.load(Ordering::Relaxed);
    println!("{WORD}-byte words, {PAGE}-byte pages: {single} single cuts, {several} in groups");
}

#[test]
fn words_of_1_byte() {
    sweep::<1, 512>(23);
}

#[test]
fn words_of_4_bytes() {
    sweep::<4, 256>(23);
}

#[test]
fn words_of_8_bytes() {
    sweep::<8, 1024>(23);
}

#[test]
fn words_of_8_bytes_in_pages_larger_than_a_head() {
    sweep::<8, 2048>(23);
}

#[test]
fn words_of_256_bytes() {
    sweep::<256, 1024>(3);
}

#[test]
fn the_state_that_was_chosen_after_a_cut_is_kept_even_if_bits_are_unstable() {
    let sweep = Sweep::new();
    sweep.unstable::<1, 512>(24);
    sweep.unstable::<4, 512>(24);
    sweep.unstable::<8, 2048>(24);
    sweep.unstable::<256, 1024>(24);
    sweep.unstable::<256, 2048>(24);
}

#[test]
fn every_write_and_erase_may_report_an_error() {
    let sweep = Sweep::new();
    sweep.failures::<8, 512>(3);
    sweep.failures::<4, 2048>(7);
    sweep.failures::<256, 1024>(1);
}

#[test]
fn every_history_runs_on_a_flash_full_of_garbage() {
    let sweep = Sweep::new();
    for (name, history) in &histories() {
        let mut driver = sweep.driver::<4, 512>(true);
        driver
            .run(history)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
