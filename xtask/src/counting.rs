//! `cargo xtask bench --board BOARD`: the tables of `bench/README.md` of what a
//! microcontroller does, in instructions that QEMU counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use testbed::Board;

use crate::bench::{recorder, said, thousands};
use crate::build;
use crate::image::Image;
use crate::run::{run, say, target};

/// A FAKE key, whose seed is all ones: how long a signature takes to verify depends
/// on it, and the tables are to be the same each time.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB
-----END PRIVATE KEY-----
";
/// Its public half.
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=
-----END PUBLIC KEY-----
";

/// Builds, counts, and prints the tables.
///
/// # Errors
///
/// Where something does not build or run, or a device answers what it should not.
pub(crate) fn count(board: Board, image: &Image) -> Result<()> {
    build::tools()?;
    build::capsules()?;
    let signed = signed()?;
    let programs = image.counting()?;
    let program = recorder()?;
    say("counting, everything twice");
    let listed = said(
        Command::new(program)
            .args(["board", board.name()])
            .args([signed, programs]),
    )?;
    let processor = match board {
        Board::CortexM => "Cortex-M4F",
        Board::Riscv => "RV32IMAC",
        Board::Native => "native",
    };
    let mut rows = format!("| | {processor} |\n|---|--:|\n");
    let mut loops = format!("| {processor} | capsule | compiled | ratio |\n|---|--:|--:|--:|\n");
    for line in listed.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            [what, count] => rows += &format!("| {what} | {} |\n", figure(count.parse()?)),
            [what, capsule, compiled] => {
                let (capsule, compiled): (f64, f64) = (capsule.parse()?, compiled.parse()?);
                loops += &format!(
                    "| {what} | {} | {} | {:.0} |\n",
                    figure(capsule),
                    figure(compiled),
                    capsule / compiled
                );
            }
            _ => bail!("the counter said: {line}"),
        }
    }
    println!("\n{rows}\n{loops}");
    Ok(())
}

/// Small ones with a decimal: they are means.
fn figure(count: f64) -> String {
    if count < 1000.0 {
        return format!("{count:.1}");
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounded, and neither negative nor large"
    )]
    let whole = count.round() as u64;
    thousands(whole)
}

/// Signs the capsules for 32-bit devices; the folder with them.
fn signed() -> Result<PathBuf> {
    let folder = target().join("counted-capsules");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot remove the old ones")?;
    }
    fs::create_dir_all(&folder).context("cannot make a folder for capsules")?;
    write(&folder.join("translator.key"), KEY)?;
    write(&folder.join("translator.pub"), PUBLIC)?;
    say("signing capsules for 32-bit devices, with a fake key");
    let sign = |capsule: &str, out: &str, options: &[&str]| {
        run(Command::new(target().join("debug/signer"))
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .arg("sign")
            .arg(target().join("capsules").join(format!("{capsule}.wasm")))
            .args(["--key", "translator.key", "--target", "pulley32"])
            .args(["--fuel", "100000000", "--seq", "1", "--out", out])
            .args(["--grant", "log", "--grant", "rng", "--grant", "sensors"])
            .args(options))
    };
    let vm1 = ["--component", "vm1"];
    let job = ["--component", "vm-run", "--ephemeral"];
    sign("thermometer", "active.suit", &vm1)?;
    for name in ["eval-persistent", "eval-persistent-bindings"] {
        sign(name, &format!("{name}.suit"), &vm1)?;
    }
    for name in ["eval-ephemeral", "eval-ephemeral-bindings", "loops"] {
        sign(name, &format!("{name}.suit"), &job)?;
    }
    Ok(folder)
}

/// Writes a file that nobody else may read, as the signer asks for.
fn write(path: &Path, content: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, content)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o600)))
        .with_context(|| format!("cannot write {}", path.display()))
}
