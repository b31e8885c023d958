//! Building the images of microcontroller boards.

use std::path::PathBuf;
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
    target: &'static str,
    /// Debian's package with the emulator, and its program.
    emulator: (&'static str, &'static str),
}

static CORTEX_M: Image = Image {
    package: "sealift-qemu-cortex-m",
    folder: "firmware/boards/qemu-cortex-m",
    target: setup::CORTEX_M,
    emulator: ("qemu-system-arm", "qemu-system-arm"),
};

static RISCV: Image = Image {
    package: "sealift-qemu-riscv",
    folder: "firmware/boards/qemu-riscv",
    target: setup::RISCV,
    emulator: ("qemu-system-misc", "qemu-system-riscv32"),
};

/// The package with the programs that count instructions.
const COUNTING: &str = "sealift-counting";

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
        self.prepare()?;
        say(&format!("building {} for {}", self.package, self.target));
        run(self.compile(self.package))?;
        let built = self.built().join(self.package);
        let images = target().join("images");
        std::fs::create_dir_all(&images).context("cannot make target/images")?;
        std::fs::copy(&built, images.join(self.package))
            .with_context(|| format!("{} was not built", built.display()))?;
        Ok(())
    }

    /// Builds the programs that count instructions on this board; the folder with
    /// them. The device in one is built as the image is, the loops of the other for
    /// speed.
    pub(crate) fn counting(&self) -> Result<PathBuf> {
        self.prepare()?;
        say(&format!("building {COUNTING} for {}", self.target));
        run(self
            .compile(COUNTING)
            .args(["--bin", "sealift-counted-device"]))?;
        let speed = format!("profile.release.package.{COUNTING}.opt-level=3");
        run(self
            .compile(COUNTING)
            .args(["--bin", "sealift-counted-loops", "--config"])
            .arg(speed))?;
        Ok(self.built())
    }

    /// The emulator, the target, and the library's source.
    fn prepare(&self) -> Result<()> {
        let (debian, program) = self.emulator;
        setup::packages(&[debian], || setup::on_path(program))?;
        setup::rust_target(self.target)?;
        setup::rust_source()
    }

    /// The command that builds a package for this board.
    fn compile(&self, package: &str) -> Command {
        let mut build = self.cargo("build", package);
        // The standard library is built with it, for size, and a panic is
        // nothing but an undefined instruction: that takes a fifth off the
        // image. Both are unstable options, which the pinned stable compiler
        // takes with RUSTC_BOOTSTRAP.
        build
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["-Zbuild-std=core,alloc"])
            .args(["-Zbuild-std-features=optimize_for_size", "--config"])
            .arg(format!(
                "target.{}.rustflags=['-Zunstable-options', '-Cpanic=immediate-abort']",
                self.target
            ));
        build
    }

    /// Where what was built is.
    fn built(&self) -> PathBuf {
        folder().join(self.target).join("release")
    }

    /// Clippy on the board, what boards share, and what counts on them.
    pub(crate) fn lint(&self) -> Result<()> {
        setup::rust_target(self.target)?;
        run(self
            .cargo("clippy", self.package)
            .args(["--package", "sealift-mcu", "--package", COUNTING])
            .args(["--", "-D", "warnings"]))
    }

    /// A command of cargo for a package and this board.
    fn cargo(&self, command: &str, package: &str) -> Command {
        let mut cargo = cargo();
        cargo
            .current_dir(root().join("firmware/boards"))
            .args([command, "--locked", "--release", "--package", package])
            .args(["--target", self.target, "--target-dir"])
            .arg(folder());
        cargo
    }
}

/// Where boards are built.
fn folder() -> PathBuf {
    target().join("boards")
}
