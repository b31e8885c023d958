//! Building: host tools, the device and the capsules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use crate::run::{cargo, root, run, say, target};
use crate::setup;

/// Host tools, the native device and the capsules on the guest SDK.
pub(crate) fn everything() -> Result<()> {
    tools()?;
    device()?;
    capsules()
}

/// Whether [`with_tests`] has built the host tools.
static WITH_TESTS: AtomicBool = AtomicBool::new(false);

/// The host tools. Both at once wherever one is needed: by itself, the signer
/// would have its dependencies built with other features, all of Cranelift.
pub(crate) fn tools() -> Result<()> {
    if is_for_tests() {
        return Ok(());
    }
    setup::linker()?;
    say("building signer and updater (the first time takes minutes: Cranelift)");
    run(&mut tools_command())
}

/// The command for that.
pub(crate) fn tools_command() -> Command {
    let mut command = cargo();
    command.args(["build", "--locked", "-p", "signer", "-p", "updater"]);
    command
}

/// All tests, and the host tools with them, looked at by clippy. From here on the
/// tools are built: with the features that tests ask for, so that there is one
/// Cranelift and not two.
pub(crate) fn with_tests() -> Result<()> {
    setup::linker()?;
    say("building tools and tests, with clippy (the first time takes minutes: Cranelift)");
    // liboscore first: its build script runs a second time in the next build, since it
    // asks to when files change that it has itself just written. By then, little
    // depends on it.
    for what in [["--test", "liboscore"].as_slice(), &["--all-targets"]] {
        let mut build = cargo();
        build.args(["test", "--locked", "--workspace", "--no-run", "--quiet"]);
        run(linted(&mut build).args(what))?;
    }
    WITH_TESTS.store(true, Ordering::Relaxed);
    Ok(())
}

/// Whether this is a run of all tests.
pub(crate) fn is_for_tests() -> bool {
    WITH_TESTS.load(Ordering::Relaxed)
}

/// Has clippy's driver compile the workspace. `cargo clippy` would have all
/// dependencies gone over once more, for minutes; this is what it does itself, but
/// for a build.
pub(crate) fn linted(command: &mut Command) -> &mut Command {
    command
        .env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver")
        .env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings")
}

/// The native device as it ships: without `std` in Wasmtime, no compiler.
pub(crate) fn device() -> Result<()> {
    say("building sealift-native");
    run(&mut device_command())
}

/// The command for that.
pub(crate) fn device_command() -> Command {
    let mut command = cargo();
    command.args(["build", "--locked", "--release", "-p", "sealift-native"]);
    command
}

/// The capsules on the guest SDK, to `target/capsules/NAME.wasm`.
pub(crate) fn capsules() -> Result<()> {
    setup::linker()?;
    say("building the capsules");
    // Not --locked: a capsule of the reader's is a new entry.
    wasm(&root().join("capsules"), &[])
}

/// Builds the capsules of the workspace in `folder`, and leaves them in
/// `target/capsules`.
pub(crate) fn wasm(folder: &Path, options: &[&str]) -> Result<()> {
    setup::rust_target(setup::WASM)?;
    let build = work();
    run(cargo()
        .args(["build", "--release", "--target", setup::WASM])
        .args(options)
        .arg("--target-dir")
        .arg(&build)
        .current_dir(folder))?;
    let out = out()?;
    for entry in fs::read_dir(build.join(setup::WASM).join("release"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        // Cargo names a library file with underscores.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        fs::copy(&path, out.join(name.replace('_', "-")))?;
    }
    Ok(())
}

/// The target folder of the workspaces of capsules.
pub(crate) fn work() -> PathBuf {
    target().join("capsules-build")
}

/// Where built capsules go.
pub(crate) fn out() -> Result<PathBuf> {
    let out = target().join("capsules");
    fs::create_dir_all(&out).context("cannot make target/capsules")?;
    Ok(out)
}
