//! Building: host tools, the device and the capsules.

use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{cargo, root, run, say, target};
use crate::setup;

/// Host tools, the native device and the capsules.
pub(crate) fn everything() -> Result<()> {
    tools()?;
    device()?;
    capsules()
}

/// The host tools. Both at once wherever one is needed: by itself, the signer
/// would have its dependencies built with other features, all of Cranelift.
pub(crate) fn tools() -> Result<()> {
    setup::linker()?;
    say("building signer and updater (the first time takes minutes: Cranelift)");
    run(cargo().args(["build", "--locked", "-p", "signer", "-p", "updater"]))
}

/// The native device as it ships: without `std` in Wasmtime, no compiler.
pub(crate) fn device() -> Result<()> {
    say("building sealift-native");
    run(cargo().args(["build", "--locked", "--release", "-p", "sealift-native"]))
}

/// The capsules, to `target/capsules/NAME.wasm`.
pub(crate) fn capsules() -> Result<()> {
    setup::linker()?;
    setup::rust_target(setup::WASM)?;
    say("building the capsules");
    let folder = root().join("capsules");
    let build = target().join("capsules-build");
    run(
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            // Not --locked: a capsule of the reader's is a new entry.
            .args(["build", "--release", "--target", setup::WASM])
            .arg("--target-dir")
            .arg(&build)
            .current_dir(&folder),
    )?;
    let out = target().join("capsules");
    std::fs::create_dir_all(&out).context("cannot make target/capsules")?;
    for entry in std::fs::read_dir(build.join(setup::WASM).join("release"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        // Cargo names a library file with underscores.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        std::fs::copy(&path, out.join(name.replace('_', "-")))?;
    }
    Ok(())
}
