//! `cargo xtask miri`: unsafe code under Rust's interpreter, which sees what no
//! test of a result does: reads past an end, of what was not written, through a
//! pointer that may not.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{root, run, say, target};
use crate::setup;

/// One run: tests that reach unsafe code.
struct Run {
    /// The workspace, from the root.
    folder: &'static str,
    package: &'static str,
    /// Parts of the names of tests; the others reach nothing unsafe, or take
    /// hours.
    tests: &'static [&'static str],
    /// The files with the unsafe code that they reach: those of which
    /// `unsafe.toml` says `miri = "run"`.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test compares it"))]
    files: &'static [&'static str],
}

const RUNS: [Run; 1] = [Run {
    folder: "capsules",
    package: "sealift-guest",
    tests: &["bytes", "format", "heap", "message"],
    files: &[
        "capsules/guest/src/bytes.rs",
        "capsules/guest/src/format.rs",
        "capsules/guest/src/heap.rs",
        "capsules/guest/src/message/request.rs",
        "capsules/guest/src/message/response.rs",
    ],
}];

/// The addresses of a heap are numbers before they are pointers: that is what a
/// linker gives. The tests leak what stands for them.
const FLAGS: &str = "-Zmiri-permissive-provenance -Zmiri-ignore-leaks";

/// Runs them.
///
/// # Errors
///
/// Where Miri finds something, or there is no nightly compiler.
pub(crate) fn miri() -> Result<()> {
    component("miri")?;
    component("rust-src")?;
    for Run {
        folder,
        package,
        tests,
        ..
    } in RUNS
    {
        say(&format!("{package} under Miri: {}", tests.join(", ")));
        run(setup::nightly()
            .args(["cargo", "miri", "test", "--locked", "--lib"])
            .args(["--package", package, "--target-dir"])
            .arg(target().join("miri"))
            .arg("--")
            .args(tests)
            .env("MIRIFLAGS", FLAGS)
            .current_dir(root().join(folder)))?;
    }
    Ok(())
}

/// Adds a component to the nightly toolchain, if it is missing.
fn component(name: &str) -> Result<()> {
    let listed = Command::new("rustup")
        .args(["component", "list", "--installed", "--toolchain", "nightly"])
        .output()
        .context("cannot start rustup")?;
    if !listed.status.success() {
        bail!("Miri needs a nightly compiler: rustup toolchain install nightly");
    }
    let listed = String::from_utf8_lossy(&listed.stdout);
    if listed.lines().any(|line| line.starts_with(name)) {
        return Ok(());
    }
    say(&format!("adding {name} to the nightly toolchain"));
    run(Command::new("rustup").args(["component", "add", "--toolchain", "nightly", name]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use threat_model::Census;

    use super::{RUNS, root};

    /// Threat: SUP-10
    #[test]
    fn what_is_said_to_run_under_miri_does() {
        let text = fs::read_to_string(root().join("threat-model/unsafe.toml")).unwrap();
        let census = Census::read(&text).unwrap();
        let said = census.files.iter().filter(|file| file.miri == "run");
        let said: BTreeSet<&str> = said.map(|file| file.path.as_str()).collect();
        let run = RUNS.iter().flat_map(|run| run.files.iter().copied());
        let run: BTreeSet<&str> = run.collect();
        assert_eq!(said, run);
    }
}
