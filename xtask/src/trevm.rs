//! `cargo xtask trevm FOLDER`: the payloads of a treVM checkout, as they are:
//! built with their own manifests, signed, and run on a device.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use testbed::{Device, Sign, Workshop};

use crate::build;
use crate::run::{cargo, run, say, target};
use crate::setup;

/// What is done with a payload.
enum Use {
    /// Run, with these calls.
    Run(&'static str),
    /// Run until its fuel is used up, as it does not end by itself.
    Endless,
    /// Installed, and asked for these paths.
    Serve(&'static [&'static str]),
}

/// All but `ble-scanner`: its world is another one, which no device here has.
const PAYLOADS: [(&str, Use); 11] = [
    ("ephemeral-no-bindings", Use::Run("fibonacci 30")),
    ("ephemeral-with-bindings", Use::Run("")),
    ("sandbox-no-bindings", Use::Run("")),
    ("udp-bindings", Use::Run("bind-socket 7000\nrun\nrun")),
    ("async-bindings", Use::Endless),
    ("gpio", Use::Endless),
    ("sensors", Use::Endless),
    ("simple-updates-1", Use::Run("")),
    ("simple-updates-2", Use::Endless),
    (
        "persistent-no-bindings",
        Use::Serve(&["fibo_ten", "fibo_twenty"]),
    ),
    (
        "persistent-with-bindings",
        Use::Serve(&["temperature_sensor"]),
    ),
];

/// More than they need, so that it is one list.
const GRANTS: [&str; 6] = ["log", "rng", "time", "sensors", "gpio", "udp"];

/// treVM's memory, its optimisation and its linking; what it does about
/// panics needs the standard library's source, and takes bytes off alone.
const RUSTFLAGS: &str = "-Clink-arg=--page-size=1 -Clink-arg=--initial-memory=32768 \
                         -Clink-arg=-zstack-size=8192";
const PROFILE: [&str; 5] = [
    "profile.release.opt-level='s'",
    "profile.release.lto='fat'",
    "profile.release.codegen-units=1",
    "profile.release.panic='abort'",
    "profile.release.strip=true",
];

/// Builds, signs and runs them, and says what came out.
pub(crate) fn trevm(folder: &Path) -> Result<()> {
    let payloads = folder.join("payloads").canonicalize();
    let payloads = payloads.with_context(|| format!("no payloads in {}", folder.display()))?;
    build::everything()?;
    let workshop = Workshop::furnished()?;
    let device = start(&workshop)?;
    let mut missing = Vec::new();
    for (sequence, (name, usage)) in (1..).zip(PAYLOADS) {
        let manifest = payloads.join(name).join("Cargo.toml");
        if !manifest.exists() {
            missing.push(name);
            continue;
        }
        say(name);
        let wasm = compile(&manifest)?;
        fs::copy(wasm, workshop.path(&format!("{name}.wasm")))?;
        try_out(&workshop, &device, (sequence, name), &usage)
            .with_context(|| format!("{name}; the device's log:\n{}", device.log()))?;
    }
    println!("\nthe device's log:\n{}", device.log());
    ensure!(missing.len() < PAYLOADS.len(), "none of treVM's payloads");
    if !missing.is_empty() {
        println!("not there: {}", missing.join(", "));
    }
    Ok(())
}

/// A device with a light, and a button that is pressed.
fn start(workshop: &Workshop) -> Result<Device> {
    let button = workshop.path("button");
    fs::write(&button, "low")?;
    let op = workshop.path("op.pub");
    workshop.device_with(|options| {
        options.allow.push(("use".into(), op));
        for (flag, file) in [("--led", workshop.path("led")), ("--button", button)] {
            let file = file.to_string_lossy().into_owned();
            options.extra.extend([flag.into(), file]);
        }
    })
}

/// Compiles one as its author would, on the stable compiler.
fn compile(manifest: &Path) -> Result<PathBuf> {
    let build = target().join("trevm");
    let wasm = build.join(setup::WASM);
    // Several have the same name, and what is left of one would pass for another.
    if wasm.exists() {
        fs::remove_dir_all(&wasm)?;
    }
    let mut command = cargo();
    // In a folder of ours: treVM's flags are for a nightly compiler.
    command
        .args(["build", "--locked", "--quiet", "--release"])
        .args(["--target", setup::WASM, "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&build)
        .env("RUSTFLAGS", RUSTFLAGS)
        // Two of them use a language feature that is not stable.
        .env("RUSTC_BOOTSTRAP", "1");
    for setting in PROFILE {
        command.args(["--config", setting]);
    }
    run(&mut command)?;
    for entry in fs::read_dir(wasm.join("release"))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            return Ok(path);
        }
    }
    bail!("{} did not become Wasm", manifest.display());
}

fn try_out(
    workshop: &Workshop,
    device: &Device,
    (sequence, name): (u64, &str),
    usage: &Use,
) -> Result<()> {
    let envelope = format!("{name}.suit");
    let (component, extra): (_, &[&str]) = match usage {
        Use::Serve(_) => ("vm1", &[]),
        _ => ("vm-run", &["--ephemeral", "--fuel", "4000000"]),
    };
    let sign = Sign {
        capsule: name,
        component,
        sequence,
        grants: &GRANTS,
        extra,
        ..Sign::default()
    };
    let signed = workshop.sign(&envelope, &sign)?.success()?;
    print!("{}", signed.stdout);
    let updater = |args: &[&str]| workshop.updater(device, "op", args);
    match usage {
        Use::Run(calls) => {
            let outcome = updater(&["run", &envelope, "--input", calls])?.success()?;
            println!("it returned {:?}", outcome.stdout);
        }
        Use::Endless => {
            let outcome = updater(&["run", &envelope])?;
            let said = outcome.refusal()?;
            ensure!(said.contains("used up its fuel"), "{said}");
            println!("it ran until its fuel was used up");
        }
        Use::Serve(paths) => {
            updater(&["push", &envelope])?.success()?;
            updater(&["confirm", component])?.success()?;
            for path in *paths {
                let path = format!("/{component}/{path}");
                let outcome = updater(&["call", "GET", &path])?.success()?;
                println!("{path}: {:?}", outcome.stdout);
            }
        }
    }
    Ok(())
}
