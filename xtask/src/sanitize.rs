//! `cargo xtask sanitize`: the native device under AddressSanitizer, through the
//! scenarios that every board goes through.
//!
//! The fuzzers are without it, for speed; `cargo xtask fuzz --addresses` has it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use testbed::DEVICE;

use crate::run::{cargo, root, run, say, target};
use crate::{build, foreign, setup};

const HOST: &str = "x86_64-unknown-linux-gnu";

/// The native board's tests of these names.
const SCENARIOS: [&str; 4] = ["pipeline", "refused", "contained", "kill"];

/// Builds the device with the sanitizer, and runs the scenarios against it.
///
/// # Errors
///
/// Where the sanitizer finds something, or a scenario fails.
pub(crate) fn sanitize() -> Result<()> {
    build::with_tests()?;
    build::everything()?;
    foreign::capsules()?;
    say("building sealift-native with AddressSanitizer");
    let folder = target().join("sanitize");
    run(setup::nightly()
        .args(["cargo", "build", "--locked", "--release"])
        // With a target, so that build scripts are without it.
        .args(["--package", "sealift-native", "--target", HOST])
        .arg("--target-dir")
        .arg(&folder)
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
        .current_dir(root()))?;
    let reports = folder.join("reports");
    let _ = fs::remove_dir_all(&reports);
    fs::create_dir_all(&reports).context("cannot make a folder for reports")?;
    say("end-to-end tests, against it");
    let mut tests = cargo();
    build::linted(&mut tests)
        .args(["test", "--locked", "--workspace", "--no-fail-fast"])
        .env(DEVICE, folder.join(HOST).join("release/sealift-native"))
        .env("ASAN_OPTIONS", options(&reports));
    for name in SCENARIOS {
        tests.args(["--test", name]);
    }
    let tested = run(&mut tests);
    ensure!(
        fs::read_dir(&reports)?.next().is_none(),
        "the sanitizer found something: {}",
        reports.display()
    );
    tested
}

/// A report goes to a file: what a device says as it dies is easily overlooked.
/// Devices are killed, so nobody asks what they leak.
fn options(reports: &Path) -> String {
    format!(
        "detect_leaks=0:log_path={}",
        reports.join("report").display()
    )
}
