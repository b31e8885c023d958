//! Building the capsules that do not use the guest SDK, which are in
//! `capsules/foreign`: treVM's worlds, and one in C.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::build::{is_for_tests, linted, out, wasm, work};
use crate::run::{cargo, root, run, say};
use crate::setup;

/// Cargo's flags for what is compiled to Wasm.
pub(crate) const CAPSULES: [&str; 4] = ["--locked", "--workspace", "--exclude", BINDINGS];

/// The generator of C bindings.
const BINDINGS: &str = "c-bindings";

/// The world of the capsule in C, and so the name of its bindings.
const WORLD: &str = "persistent";

/// Without a libc. The features are those that devices have beyond the first
/// version of Wasm, as in `capsules/.cargo/config.toml`.
const CLANG: [&str; 13] = [
    "--target=wasm32-unknown-unknown",
    "-nostdlib",
    "-ffreestanding",
    "-std=c11",
    "-Os",
    "-ffunction-sections",
    "-fdata-sections",
    "-mbulk-memory",
    "-msign-ext",
    "-Wall",
    "-Wextra",
    "-Werror",
    // The bindings have some.
    "-Wno-unused-parameter",
];

/// The memory is as in `capsules/.cargo/config.toml`.
const LLD: [&str; 8] = [
    "-flavor",
    "wasm",
    "--no-entry",
    "--gc-sections",
    "--strip-all",
    "--page-size=1",
    "--initial-memory=8192",
    "-zstack-size=2048",
];

/// The workspace.
pub(crate) fn folder() -> PathBuf {
    root().join("capsules/foreign")
}

/// Builds them to `target/capsules`. The one in C is left out where there is
/// no clang.
pub(crate) fn capsules() -> Result<()> {
    say("building the capsules without the SDK");
    wasm(&folder(), &CAPSULES)?;
    if setup::on_path("clang") {
        say("building the capsule in C");
        c_thermometer()
    } else {
        say("leaving out the capsule in C: there is no clang");
        Ok(())
    }
}

fn c_thermometer() -> Result<()> {
    let build = work().join("c");
    let mut bindings = cargo();
    if is_for_tests() {
        linted(&mut bindings);
    }
    run(bindings
        .args(["run", "--locked", "--package", BINDINGS, "--target-dir"])
        .arg(work())
        .arg("--")
        .arg(root().join("capsules/wit"))
        .arg(WORLD)
        .arg(&build)
        .current_dir(folder()))?;
    let sources = folder().join("c");
    let mut link = Command::new(linker()?);
    link.args(LLD);
    for source in [
        sources.join("libc/libc.c"),
        sources.join("thermometer/thermometer.c"),
        build.join(WORLD).with_extension("c"),
    ] {
        let object = build.join(object(&source));
        run(Command::new("clang")
            .args(CLANG)
            .arg("-I")
            .arg(sources.join("libc"))
            .arg("-I")
            .arg(&build)
            .arg("-c")
            .arg(&source)
            .arg("-o")
            .arg(&object))?;
        link.arg(object);
    }
    // What it is a component of, as a section.
    link.arg(build.join(format!("{WORLD}_component_type.o")));
    run(link.arg("-o").arg(out()?.join("c-thermometer.wasm")))
}

/// The name of what a source is compiled to.
fn object(source: &Path) -> PathBuf {
    let name = source.file_name().unwrap_or_default();
    Path::new(name).with_extension("o")
}

/// The linker that Rust links Wasm with. Debian's knows no pages of one byte.
fn linker() -> Result<PathBuf> {
    let host = setup::rustc(&["--print", "host-tuple"])?;
    let rustlib = setup::sysroot()?.join("lib/rustlib");
    Ok(rustlib.join(host).join("bin/rust-lld"))
}
