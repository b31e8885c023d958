//! What the sweeps share.

use std::io::Write as _;

use super::scenarios::{History, capsules};
use super::{flash_pages, layout};
use sealift_storage::sim::{Access, Capsule, Driver, MockFlash, Model, Torn, age};

const SLOT_BYTES: usize = 4096;

/// A store on a flash of this geometry, at the start of a history.
pub(crate) fn driver<const WORD: usize, const PAGE: usize>(
    capsules: &[Capsule],
    flash: impl FnOnce(usize) -> MockFlash<WORD, PAGE>,
    records: u32,
) -> Driver<WORD, PAGE, 2> {
    let slot_pages = u16::try_from(SLOT_BYTES.div_ceil(PAGE).max(2)).expect("few");
    let layout = layout(u32::try_from(PAGE).expect("small"), slot_pages);
    let mut flash = flash(flash_pages(slot_pages));
    if records != 0 {
        age(&mut flash, &layout, records).expect("not so old");
    }
    // An odd length, so that words and pages end within a write.
    Driver::new(flash, layout, slot_pages, capsules.to_vec(), 217).expect("mounts")
}

/// A history on one geometry, and what it does and comes to without a cut.
pub(crate) struct Run<'a, const WORD: usize, const PAGE: usize> {
    pub(crate) history: &'a History,
    pub(crate) log: Vec<Access>,
    end: [Model; 2],
    capsules: Vec<Capsule>,
}

impl<'a, const WORD: usize, const PAGE: usize> Run<'a, WORD, PAGE> {
    /// Runs it without a cut.
    pub(crate) fn new(history: &'a History) -> Self {
        let capsules = capsules();
        let mut driver = driver::<WORD, PAGE>(&capsules, MockFlash::new, history.records);
        driver.start_log().expect("mounted");
        driver
            .run(&history.script)
            .unwrap_or_else(|error| panic!("{}: {error}", history.name));
        let log = driver.store().expect("mounted").flash().log().to_vec();
        let end = driver.models().clone();
        Self {
            history,
            log,
            end,
            capsules,
        }
    }

    /// The store at the start.
    pub(crate) fn driver(&self) -> Driver<WORD, PAGE, 2> {
        driver(&self.capsules, MockFlash::new, self.history.records)
    }

    /// Carries the history out, and compares where it ends.
    pub(crate) fn finish(&self, driver: &mut Driver<WORD, PAGE, 2>, what: impl Fn() -> String) {
        let name = self.history.name;
        driver
            .run(&self.history.script)
            .unwrap_or_else(|error| panic!("{name}, {}: {error}", what()));
        assert_eq!(driver.models(), &self.end, "{name}, {}", what());
    }

    /// The same with cuts; returns how many came.
    pub(crate) fn cut(&self, cuts: &[(u64, Torn, u64)]) -> u64 {
        let what = || format!("{WORD}-byte words, {PAGE}-byte pages, cuts {cuts:?}");
        let mut driver = self.driver();
        driver.cut_at(cuts).expect("mounted");
        self.finish(&mut driver, what);
        assert_ne!(driver.cuts(), 0, "{}: none came", what());
        u64::from(driver.cuts())
    }
}

/// Whether the long sweep was asked for.
pub(crate) fn is_long() -> bool {
    std::env::var("SEALIFT_SWEEP").is_ok_and(|value| value == "all")
}

/// The seed of what is sampled: SEALIFT_SEED, or always the same.
pub(crate) fn seed() -> u64 {
    std::env::var("SEALIFT_SEED").map_or(1, |seed| seed.parse().expect("a number"))
}

/// Says something even if the test passes.
pub(crate) fn say(what: &str) {
    let _ = writeln!(std::io::stdout(), "{what}");
}

/// A small generator of random numbers, the same ones for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// One that differs from others of the same seed.
    pub(crate) fn new(seed: u64, parts: &[u64]) -> Self {
        let mut random = Self(seed);
        for part in parts {
            random.0 = random.below(u64::MAX) ^ part;
        }
        random
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}
