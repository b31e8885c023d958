//! Building the images of microcontroller boards.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use testbed::Board;

use crate::run::{cargo, root, run, say, target};
use crate::setup;

/// An image: how it is built, and what runs it.
pub(crate) struct Image {
    /// The package, and the name of the image.
    pub(crate) package: &'static str,
    /// The board's folder.
    pub(crate) folder: &'static str,
    /// The folder with its `Cargo.lock`.
    pub(crate) workspace: &'static str,
    /// What it is compiled for.
    pub(crate) target: &'static str,
    /// Debian's package with the emulator, and its program.
    emulator: (&'static str, &'static str),
}

static CORTEX_M: Image = Image {
    package: "sealift-qemu-cortex-m",
    folder: "firmware/boards/qemu-cortex-m",
    workspace: BOARDS,
    target: setup::CORTEX_M,
    emulator: ("qemu-system-arm", "qemu-system-arm"),
};

static RISCV: Image = Image {
    package: "sealift-qemu-riscv",
    folder: "firmware/boards/qemu-riscv",
    workspace: BOARDS,
    target: setup::RISCV,
    emulator: ("qemu-system-misc", "qemu-system-riscv32"),
};

const BOARDS: &str = "firmware/boards";

/// All images.
pub(crate) fn all() -> impl Iterator<Item = &'static Image> {
    [&CORTEX_M, &RISCV].into_iter()
}

/// The image of a board, and the emulator that runs it; nothing for the native
/// board.
pub(crate) fn build(board: Board) -> Result<()> {
    of(board).map_or(Ok(()), Image::build)
}

/// The image of a board, if it has one.
pub(crate) fn of(board: Board) -> Option<&'static Image> {
    match board {
        Board::Native => None,
        Board::CortexM => Some(&CORTEX_M),
        Board::Riscv => Some(&RISCV),
    }
}

impl Image {
    fn build(&self) -> Result<()> {
        let (debian, program) = self.emulator;
        setup::packages(&[debian], || setup::on_path(program))?;
        setup::rust_target(self.target)?;
        setup::rust_source()?;
        say(&format!("building {} for {}", self.package, self.target));
        run(&mut self.command(&folder(), &[]))?;
        let built = folder()
            .join(self.target)
            .join("release")
            .join(self.package);
        let images = target().join("images");
        std::fs::create_dir_all(&images).context("cannot make target/images")?;
        std::fs::copy(&built, images.join(self.package))
            .with_context(|| format!("{} was not built", built.display()))?;
        Ok(())
    }

    /// The command that builds it in a target folder, with more flags for the
    /// compiler.
    pub(crate) fn command(&self, folder: &Path, flags: &[String]) -> Command {
        // The standard library is built with it, for size, and a panic is
        // nothing but an undefined instruction: that takes a fifth off the
        // image. Both are unstable options, which the pinned stable compiler
        // takes with RUSTC_BOOTSTRAP.
        let mut rustflags = "'-Zunstable-options', '-Cpanic=immediate-abort'".to_owned();
        for flag in flags {
            rustflags += &format!(", {flag:?}");
        }
        let mut command = self.cargo("build", folder);
        command
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["-Zbuild-std=core,alloc"])
            .args(["-Zbuild-std-features=optimize_for_size", "--config"])
            .arg(format!("target.{}.rustflags=[{rustflags}]", self.target));
        command
    }

    /// Clippy on the board and what boards share.
    pub(crate) fn lint(&self) -> Result<()> {
        setup::rust_target(self.target)?;
        run(self.cargo("clippy", &folder()).args([
            "--package",
            "sealift-mcu",
            "--",
            "-D",
            "warnings",
        ]))
    }

    /// A command of cargo for this board.
    pub(crate) fn cargo(&self, command: &str, folder: &Path) -> Command {
        let mut cargo = cargo();
        cargo
            .current_dir(root().join(self.workspace))
            .args([command, "--locked", "--release", "--package", self.package])
            .args(["--target", self.target, "--target-dir"])
            .arg(folder);
        cargo
    }
}

/// Where boards are built.
pub(crate) fn folder() -> PathBuf {
    target().join("boards")
}
