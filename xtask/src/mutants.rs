//! `cargo xtask mutants`: does a test fail if a line of the code does?

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::{line, root, say, target};
use crate::setup;

/// The crates, with the quick tests that catch most mutants. Only what is left
/// meets all tests.
const CRATES: [(&str, Option<&[&str]>); 2] = [
    (
        "sealift-storage",
        Some(&[
            "--lib",
            "--test=rules",
            // Built for each mutant, and hardly run.
            "--config=profile.dev.package.sealift-storage.opt-level=0",
        ]),
    ),
    ("sealift-manifest", None),
];

/// The statuses of cargo-mutants when mutants survived, and when some ran for
/// ever, which comes first.
const SURVIVED: [i32; 2] = [2, 3];

/// Changes the code of the crates in hundreds of ways, one after the other,
/// and reports those that no test notices: `.cargo/mutants.toml` says which,
/// the `MUTANTS.md` of each crate explains what survives. About an hour.
///
/// # Errors
///
/// Where the tests fail without a change, or cargo-mutants does.
pub(crate) fn mutants() -> Result<()> {
    let program = setup::cargo_mutants()?;
    for (name, quick) in CRATES {
        let output = target().join("mutants").join(name);
        std::fs::create_dir_all(&output)
            .with_context(|| format!("cannot make {}", output.display()))?;
        let mutants = || {
            let mut command = Command::new(&program);
            command
                .current_dir(root())
                // Each copy of the workspace is built in a folder of its own.
                .env_remove("CARGO_TARGET_DIR")
                .args(["mutants", "--package", name, "--jobs", "2", "--output"])
                .arg(&output);
            command
        };
        let mut all = mutants();
        if let Some(options) = quick {
            say(&format!("mutants of {name}: quick tests"));
            let mut first = mutants();
            for option in options {
                first.args(["--cargo-arg", option]);
            }
            survivors(&mut first)?;
            all.arg("--iterate");
        }
        say(&format!("mutants of {name}: all tests"));
        if survivors(&mut all)? {
            say(&format!("compare these with MUTANTS.md of {name}"));
        }
    }
    Ok(())
}

/// Runs cargo-mutants; says whether mutants survived.
fn survivors(command: &mut Command) -> Result<bool> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", line(command)))?;
    let survived = status.code().is_some_and(|code| SURVIVED.contains(&code));
    ensure!(
        survived || status.success(),
        "failed ({status}): {}",
        line(command)
    );
    Ok(survived)
}
