//! `cargo xtask bench`: the tables of `bench/README.md` that need more than
//! counting in a simulator: instructions, by Valgrind, and goodput.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::run::{cargo, line, run, say, target};
use crate::{fuzz, goodput, setup};

/// The function whose instructions are counted.
const COUNTED: &str = "*replay*counted*";

/// A machine that the device core is counted on, and its payloads' target.
const MACHINES: [Machine; 2] = [
    Machine {
        what: "32 bits",
        target: "i686-unknown-linux-gnu",
        pulley: "pulley32",
    },
    Machine {
        what: "64 bits",
        target: "x86_64-unknown-linux-gnu",
        pulley: "pulley64",
    },
];

struct Machine {
    what: &'static str,
    target: &'static str,
    pulley: &'static str,
}

/// A row, measured on one machine.
struct Cost {
    what: String,
    times: u64,
    instructions: u64,
    /// Bytes of the device without its heap; heap at rest; more heap; stack.
    memory: [u64; 4],
}

/// Measures everything, and prints the tables.
///
/// # Errors
///
/// Where something does not build or run.
pub(crate) fn bench() -> Result<()> {
    setup::valgrind()?;
    let machines: Vec<_> = MACHINES
        .iter()
        .map(|machine| Ok((machine, costs(machine)?)))
        .collect::<Result<_>>()?;
    let [(narrow, costs), (wide, others)] = &machines[..] else {
        unreachable!("as many as there are machines");
    };
    println!(
        "| | instructions, {} | instructions, {} | heap, bytes | stack, bytes |",
        narrow.what, wide.what
    );
    println!("|---|--:|--:|--:|--:|");
    for (cost, other) in costs.iter().zip(others) {
        let [.., more, stack] = cost.memory;
        println!(
            "| {} | {} | {} | {more} | {stack} |",
            cost.what,
            thousands(cost.instructions / cost.times),
            thousands(other.instructions / other.times),
        );
    }
    let [fixed, ..] = costs.first().map(|cost| cost.memory).unwrap_or_default();
    let rest = costs.iter().map(|cost| cost.memory[1]).max();
    println!("\nThe device without its heap: {fixed} bytes; the most heap at rest: {rest:?}.");
    goodput::goodput()
}

/// Builds the recorder and the device for a machine, records, and counts.
fn costs(machine: &Machine) -> Result<Vec<Cost>> {
    setup::rust_target(machine.target)?;
    let signed = fuzz::signed(&format!("bench/{}", machine.pulley), machine.pulley)?;
    say(&format!("building the device core for {}", machine.target));
    run(cargo()
        .args(["build", "--locked", "--release", "-p", "sealift-bench"])
        .args(["--bin", "cost", "--target", machine.target]))?;
    let program = target().join(machine.target).join("release/cost");
    let folder = target().join("bench").join(machine.target);
    fs::create_dir_all(&folder).context("cannot make a folder for recordings")?;
    let listed = said(
        Command::new(&program)
            .arg("record")
            .args([&signed, &folder]),
    )?;
    let mut costs = Vec::new();
    for row in listed.lines() {
        let mut fields = row.split('\t');
        let mut next = || fields.next().context("a row of less than three fields");
        let (name, times, what) = (next()?, next()?.parse()?, next()?.to_owned());
        say(&format!("counting: {what}"));
        costs.push(Cost {
            what,
            times,
            instructions: instructions(&program, &folder, name)?,
            memory: memory(&program, &folder.join(name))?,
        });
    }
    Ok(costs)
}

/// Counts the instructions of a recording.
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
    let (_, collected) = collected.context("Valgrind has counted nothing")?;
    Ok(collected.trim().parse()?)
}

fn memory(program: &Path, recording: &Path) -> Result<[u64; 4]> {
    let listed = said(Command::new(program).arg("memory").arg(recording))?;
    let fields: Vec<u64> = listed
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    fields.try_into().ok().context("not four fields")
}

/// What a program prints.
fn said(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", line(command)))?;
    ensure!(output.status.success(), "failed: {}", line(command));
    Ok(String::from_utf8(output.stdout)?)
}

/// A number with a comma before each three digits.
fn thousands(number: u64) -> String {
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
