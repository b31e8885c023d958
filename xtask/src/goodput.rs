//! Goodput on this machine's loopback: the same client against the device and
//! against another implementation's server, in the same run.

use std::process::Command;

use anyhow::{Context, Result};
use testbed::{Sign, Workshop};

use crate::run::{root, run, say};
use crate::{build, setup};

/// Rounds for each of the five block sizes.
const ROUNDS: u64 = 5;
const SIZES: u64 = 5;
/// A folder of which Linux says that it is memory.
const MEMORY: &str = "/dev/shm";
/// An address of aiocoap's own.
const LISTEN: &str = "127.0.0.2";

/// Prints the table.
///
/// # Errors
///
/// Where a program does not do what it should.
pub(crate) fn goodput() -> Result<()> {
    build::everything()?;
    let python = setup::python()?;
    let workshop = Workshop::furnished()?;
    workshop.credential("server")?;
    say("signing what is sent");
    let mut envelopes = Vec::new();
    for sequence in 1..=ROUNDS * SIZES {
        let sign = Sign {
            sequence,
            ..Sign::default()
        };
        let name = format!("{sequence}.suit");
        workshop.sign(&name, &sign)?.success()?;
        envelopes.push(name);
    }
    let memory = tempfile::TempDir::with_prefix_in("sealift-", MEMORY)
        .context("no folder in memory for a flash file")?;
    let in_memory = workshop.device_with(|options| {
        options.flash = memory.path().join("device.img");
        options.identity = workshop.path("in-memory.pub");
    })?;
    let on_disk = workshop.device_with(|options| {
        options.identity = workshop.path("on-disk.pub");
    })?;
    println!(
        "\n| block, bytes | device, flash in memory, kB/s | device, flash on disk, kB/s | aiocoap, kB/s |\n\
         |--:|--:|--:|--:|"
    );
    run(Command::new(python)
        .arg("-B")
        .arg(root().join("bench/goodput.py"))
        .args(["--device", &in_memory.url(), "in-memory.pub"])
        .args(["--device", &on_disk.url(), "on-disk.pub"])
        .args(["--server", "server", "--listen", LISTEN, "--cred", "op"])
        .args(["--rounds", &ROUNDS.to_string()])
        .args(&envelopes)
        .current_dir(workshop.dir()))
}
