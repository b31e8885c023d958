//! Building the fuzzers: the flags of cargo-fuzz, on chosen crates only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::{root, run, say, target};
use crate::setup::nightly;

pub(crate) const HOST: &str = "x86_64-unknown-linux-gnu";

/// What libFuzzer learns the coverage of: our code, and what reads for it. In the
/// rest, cryptography and the engine, it would find nothing and take most of
/// the time.
const COVERED: [&str; 17] = [
    "fuzz-harness",
    "sealift-core",
    "sealift-manifest",
    "sealift-oscore",
    "sealift-storage",
    "sealift-wire",
    "lakers",
    "lakers-shared",
    "minicbor",
    "updater",
    "dress-up",
    "suit_validator",
    "cose_minicbor",
    // Of the targets with a compiler: what reads Wasm, what translates it, and
    // what runs the result. (wit-component and wit-parser are linked into a macro of
    // Wasmtime as well, which instrumented could not be loaded.)
    "signer",
    "sealift-engine",
    "fuzz-wasm",
    "pulley-interpreter",
];

/// The same; and their build scripts are instrumented with them, which makes
/// them call what only libFuzzer has.
const COVERED_WITH_SCRIPT: [&str; 2] = ["cranelift-codegen", "wasmtime-internal-cranelift"];

/// The flags for that: those of cargo-fuzz, without `--cfg fuzzing`, so that it is
/// the real code everywhere.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// And for what LLVM calls source-based coverage.
const COUNTING: [&str; 1] = ["-Cinstrument-coverage"];

/// What the fuzzers are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Speed.
    Fuzzing,
    /// To write down what they ran, for `coverage`.
    Counting,
    /// To see what memory they touch: with AddressSanitizer, in all crates.
    Addresses,
}

impl Purpose {
    /// Builds for addresses share nothing with the others.
    fn folder(self) -> PathBuf {
        match self {
            Self::Fuzzing | Self::Counting => target().join("fuzz"),
            Self::Addresses => target().join("fuzz-addresses"),
        }
    }
}

/// Builds the fuzzers, those with a compiler in them only if asked; returns the
/// folder that they are in, or `None` where there is no nightly compiler.
///
/// # Errors
///
/// Where they do not build.
pub(crate) fn build(purpose: Purpose, compiler: bool) -> Result<Option<PathBuf>> {
    if sysroot().is_err() {
        return Ok(None);
    }
    say("building the fuzzers");
    let folder = purpose.folder();
    let more: &[&str] = match purpose {
        Purpose::Counting => &COUNTING,
        Purpose::Fuzzing | Purpose::Addresses => &[],
    };
    let mut build = nightly();
    if purpose == Purpose::Addresses {
        build.env("RUSTFLAGS", "-Zsanitizer=address");
    }
    build
        .args(["cargo", "build", "--locked", "--release", "--bins"])
        .args(["--target", HOST, "--target-dir"])
        .arg(&folder)
        .arg("-Zprofile-rustflags");
    if compiler {
        build.args(["--features", "compiler"]);
    }
    let mut instrument = |name: &str, own: &[&str]| {
        let flags = COVERAGE.iter().chain(more).chain(own);
        let flags: Vec<String> = flags.map(|flag| format!("{flag:?}")).collect();
        build.arg("--config").arg(format!(
            "profile.release.package.{name}.rustflags=[{}]",
            flags.join(",")
        ));
    };
    for name in COVERED {
        instrument(name, &[]);
    }
    if !more.is_empty() {
        // What is linked with the counters has to be of their kind.
        instrument("sealift-fuzz", &[]);
    }
    if compiler {
        let link = format!("-Clink-arg={}", no_coverage(&folder)?.display());
        for name in COVERED_WITH_SCRIPT {
            instrument(name, &[&link]);
        }
    }
    // The C++ of libFuzzer; clang is here for liboscore anyhow.
    run(build.current_dir(root().join("fuzz")).env("CXX", "clang++"))?;
    Ok(Some(folder.join(HOST).join("release")))
}

/// Compiles what instrumented build scripts are linked with.
fn no_coverage(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).context("cannot make a folder for the fuzzers")?;
    let object = folder.join("no-coverage.o");
    run(Command::new("clang")
        .args(["-w", "-c", "-O1", "-o"])
        .arg(&object)
        .arg(root().join("fuzz/no-coverage.c")))?;
    Ok(object)
}

/// Where the nightly toolchain is.
///
/// # Errors
///
/// Where there is none.
pub(crate) fn sysroot() -> Result<PathBuf> {
    let output = nightly()
        .args(["rustc", "--print", "sysroot"])
        .output()
        .context("cannot start rustup")?;
    ensure!(output.status.success(), "there is no nightly compiler");
    let path = String::from_utf8(output.stdout).context("a path that is no text")?;
    Ok(PathBuf::from(path.trim()))
}
