//! A power cut at every byte of whole histories, and what the store is after.
//!
//! A history is run once without a cut to see what it writes and erases, then
//! once for each place of a cut. After the cut the store is mounted again, its
//! state compared with the model (before or after the operation, floor and
//! highest number not lower, the capsules whole), and the history is carried
//! on to its end, which must be the same as without a cut.
//!
//! `cargo xtask sweep` (`SEALIFT_SWEEP=all`) tries every place, and groups of
//! cuts by the million; otherwise a sample of them, at least 100,000 in all.
//! `SEALIFT_SEED=NUMBER` chooses another sample and other groups.
//!
//! A failure names the history, the geometry and the cuts. What is fixed then
//! stays in [`REGRESSIONS`].

mod common;

use common::scenarios::{History, histories};
use common::sweep::{Random, Run, is_long, say, seed};
use sealift_storage::sim::{Access, Torn};

/// Cuts that failed once: the name of the history, the size of a word and of
/// a page, the cuts as the failure printed them.
type Regression = (&'static str, usize, usize, &'static [(u64, Torn, u64)]);
const REGRESSIONS: &[Regression] = &[];

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

/// All single cuts of a history.
fn single(history: &History, log: &[Access]) -> Vec<(u64, Torn)> {
    let modes = Torn::ALL.into_iter();
    let modes = modes.filter(|torn| history.settles || *torn != Torn::Unstable);
    let cuts = modes.flat_map(|torn| {
        let places = log.iter().flat_map(move |access| places(access, torn));
        places.map(move |step| (step, torn))
    });
    cuts.collect()
}

/// Two to four cuts, at random places, each soon after the restart.
fn group(random: &mut Random, settles: bool, steps: u64, page: u64) -> Vec<(u64, Torn, u64)> {
    // Bits that stay unstable through three cuts are beyond what two journal
    // pages can promise.
    let unstable = settles && random.below(2) == 0;
    let (modes, cuts) = if unstable { (5, 2) } else { (4, 4) };
    let mut group = Vec::new();
    for i in 0..cuts {
        let at = random.below(if i == 0 { steps } else { page + 400 });
        let mode = usize::try_from(random.below(modes)).expect("small");
        group.push((at, Torn::ALL[mode], random.below(u64::MAX)));
    }
    group
}

/// Tries `sample` single cuts of all histories together, or all of them, and
/// groups.
fn sweep<const WORD: usize, const PAGE: usize>(sample: u64) {
    let (long, seed) = (is_long(), seed());
    let histories = histories();
    let runs: Vec<Run<'_, WORD, PAGE>> = histories.iter().map(Run::new).collect();
    let all: u64 = runs
        .iter()
        .map(|run| single(run.history, &run.log).len() as u64)
        .sum();
    let (mut singles, mut groups) = (0, 0);
    for (i, run) in runs.iter().enumerate() {
        let mut random = Random::new(seed, &[WORD as u64, PAGE as u64, i as u64]);
        for (step, torn) in single(run.history, &run.log) {
            if long || random.below(all) < sample {
                singles += run.cut(&[(step, torn, step ^ seed)]);
            }
        }
        let steps = run.log.last().map_or(0, |access| access.step + access.len);
        for _ in 0..if long { 20_000 } else { 40 } {
            groups += run.cut(&group(&mut random, run.history.settles, steps, PAGE as u64));
        }
    }
    say(&format!(
        "{WORD}-byte words, {PAGE}-byte pages: {singles} of {all} single cuts, \
         {groups} cuts in groups, seed {seed}"
    ));
    // Five geometries: 100,000 in all, a million with SEALIFT_SWEEP=all.
    assert!(singles + groups >= if long { 200_000 } else { 20_000 });
}

#[test]
fn words_of_1_byte() {
    sweep::<1, 512>(22_000);
}

#[test]
fn words_of_4_bytes() {
    sweep::<4, 256>(22_000);
}

#[test]
fn words_of_8_bytes() {
    sweep::<8, 1024>(22_000);
}

#[test]
fn words_of_8_bytes_in_pages_larger_than_a_head() {
    sweep::<8, 2048>(22_000);
}

#[test]
fn words_of_256_bytes() {
    sweep::<256, 1024>(22_000);
}

#[test]
fn cuts_that_failed_once_do_not_fail_again() {
    fn on<const WORD: usize, const PAGE: usize>(history: &History, cuts: &[(u64, Torn, u64)]) {
        Run::<WORD, PAGE>::new(history).cut(cuts);
    }
    let histories = histories();
    for (name, word, page, cuts) in REGRESSIONS {
        let history = histories.iter().find(|history| history.name == *name);
        let history = history.expect("a history of this name");
        match (word, page) {
            (1, 512) => on::<1, 512>(history, cuts),
            (4, 256) => on::<4, 256>(history, cuts),
            (8, 1024) => on::<8, 1024>(history, cuts),
            (8, 2048) => on::<8, 2048>(history, cuts),
            (256, 1024) => on::<256, 1024>(history, cuts),
            _ => panic!("no sweep on {word}-byte words and {page}-byte pages"),
        }
    }
}
