//! `cargo xtask bench`: the table of `bench/README.md` of what a request costs:
//! instructions by Valgrind, heap and stack by the recorder itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::run::{cargo, line, run, say, target};
use crate::{fuzz, setup};

/// The function whose instructions are counted, as Valgrind writes its name.
const COUNTED: &str = "sealift_cost::replay::counted*";
/// What the fixtures are translated for.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// What a recording takes of the memory, in bytes.
struct Memory {
    /// The device without its heap.
    fixed: u64,
    /// The most heap before a step.
    rest: u64,
    /// The most heap beyond that.
    more: u64,
    /// The most stack.
    stack: u64,
}

/// Measures, and prints the table.
///
/// # Errors
///
/// Where something does not build or run.
pub(crate) fn bench() -> Result<()> {
    setup::packages(&["valgrind"], || setup::on_path("valgrind"))?;
    let signed = fuzz::fixtures()?;
    let program = recorder()?;
    let folder = target().join("cost");
    fs::create_dir_all(&folder).context("cannot make a folder for recordings")?;
    say("recording and counting");
    let listed = said(
        Command::new(&program)
            .arg("record")
            .args([&signed, &folder]),
    )?;
    println!("\n| | instructions | heap at rest, bytes | more heap, bytes | stack, bytes |");
    println!("|---|--:|--:|--:|--:|");
    let mut fixed = 0;
    for row in listed.lines() {
        let mut fields = row.splitn(3, '\t');
        let mut next = || fields.next().context("a row of less than three fields");
        let (name, times, what) = (next()?, next()?.parse::<u64>()?, next()?);
        ensure!(times > 0, "{name} never happens");
        let each = instructions(&program, &folder, name)? / times;
        let memory = memory(&program, &folder.join(name))?;
        fixed = memory.fixed;
        println!(
            "| {what} | {} | {} | {} | {} |",
            thousands(each),
            thousands(memory.rest),
            thousands(memory.more),
            thousands(memory.stack),
        );
    }
    println!("\nThe device without its heap: {} bytes.", thousands(fixed));
    Ok(())
}

/// Builds the device core and who talks to it.
pub(crate) fn recorder() -> Result<PathBuf> {
    setup::linker()?;
    setup::rust_target(HOST)?;
    say("building the device core and its recorder");
    // Lines, so that callgrind_annotate can say where the instructions are.
    run(cargo()
        .args(["build", "--locked", "--release", "-p", "sealift-cost"])
        .args(["--target", HOST])
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only"))?;
    Ok(target().join(HOST).join("release/sealift-cost"))
}

/// Counts the instructions of a recording; leaves a profile beside it.
fn instructions(program: &Path, folder: &Path, name: &str) -> Result<u64> {
    let profile = folder.join(format!("{name}.callgrind"));
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .arg("replay")
        .arg(folder.join(name));
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", line(&command)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "failed: {}\n{said}",
        line(&command)
    );
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, collected) = collected.context("Valgrind does not say what it counted")?;
    let collected = collected.trim().parse()?;
    ensure!(collected > 0, "Valgrind saw nothing named {COUNTED}");
    Ok(collected)
}

fn memory(program: &Path, recording: &Path) -> Result<Memory> {
    let listed = said(Command::new(program).arg("memory").arg(recording))?;
    let fields: Vec<u64> = listed
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [fixed, rest, more, stack] = fields.try_into().ok().context("not four fields")?;
    Ok(Memory {
        fixed,
        rest,
        more,
        stack,
    })
}

/// What a program prints.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", line(command)))?;
    ensure!(output.status.success(), "failed: {}", line(command));
    Ok(String::from_utf8(output.stdout)?)
}

/// A number with a comma before each three digits.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits_are_grouped_by_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (26_012_345, "26,012,345"),
        ] {
            assert_eq!(super::thousands(number), text);
        }
    }
}
