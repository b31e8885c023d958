//! `cargo xtask sweep`: the nightly search of power cuts in the store.

use anyhow::{Context, Result};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::run::{cargo, run, say};

/// Cuts the power at every place of every history, at random places by the
/// million, and runs long random histories. What is random follows from the
/// seed, which is another one each time if none is given.
///
/// # Errors
///
/// Where a test fails.
pub(crate) fn sweep(seed: Option<u64>) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.context("the clock is before 1970")?.as_secs();
    let seed = seed.unwrap_or(now).to_string();
    say(&format!(
        "power cuts at every place, seed {seed}; again with: cargo xtask sweep --seed {seed}"
    ));
    // The dev profile optimises the store, and checks overflow everywhere.
    run(cargo()
        .args(["test", "--locked", "--package", "sealift-storage"])
        .args(["--no-fail-fast", "--tests"])
        .env("SEALIFT_SWEEP", "all")
        .env("SEALIFT_SEED", seed))
}
