//! The images of microcontroller boards: what there is, and how it is built.

use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use testbed::Board;

use crate::run::{cargo, line, root, run, say, target};
use crate::{build, setup};

/// An image: how it is built, and what runs it.
pub(crate) struct Image {
    /// The board, as the command line has it.
    pub(crate) name: &'static str,
    /// The package, and the name of the image.
    pub(crate) package: &'static str,
    /// The board's folder.
    pub(crate) folder: &'static str,
    /// The folder with its `Cargo.lock`.
    pub(crate) workspace: &'static str,
    /// What it is compiled for.
    pub(crate) target: &'static str,
    /// Where the board's RAM is.
    pub(crate) ram: Range<u64>,
    /// What runs it here; nothing for a real board.
    pub(crate) emulator: Option<Emulator>,
}

/// An emulator.
pub(crate) struct Emulator {
    /// What is emulated.
    pub(crate) board: Board,
    /// Debian's package with it.
    debian: &'static str,
    program: &'static str,
}

const BOARDS: &str = "firmware/boards";

/// The package with the programs that count instructions, and those.
const COUNTING: &str = "sealift-counting";
const DEVICE: &str = "sealift-counted-device";
const LOOPS: &str = "sealift-counted-loops";

static EMULATED: [Image; 2] = [
    Image {
        name: "cortex-m",
        package: "sealift-qemu-cortex-m",
        folder: "firmware/boards/qemu-cortex-m",
        workspace: BOARDS,
        target: setup::CORTEX_M,
        ram: 0x2000_0000..0x2004_0000,
        emulator: Some(Emulator {
            board: Board::CortexM,
            debian: "qemu-system-arm",
            program: "qemu-system-arm",
        }),
    },
    Image {
        name: "riscv",
        package: "sealift-qemu-riscv",
        folder: "firmware/boards/qemu-riscv",
        workspace: BOARDS,
        target: setup::RISCV,
        ram: 0x8010_0000..0x8014_0000,
        emulator: Some(Emulator {
            board: Board::Riscv,
            debian: "qemu-system-misc",
            program: "qemu-system-riscv32",
        }),
    },
];

/// The boards that one can hold in a hand, which are built here and nothing
/// more.
pub(crate) static REAL: [Image; 3] = [
    Image {
        name: "nrf52840dk",
        package: "sealift-nrf52840dk",
        folder: "firmware/boards/nrf52840dk",
        workspace: BOARDS,
        target: setup::CORTEX_M,
        ram: 0x2000_0000..0x2004_0000,
        emulator: None,
    },
    Image {
        name: "rpi-pico2-w",
        package: "sealift-rpi-pico2-w",
        folder: "firmware/boards/rpi-pico2-w",
        workspace: BOARDS,
        target: setup::CORTEX_M33,
        ram: 0x2000_0000..0x2008_2000,
        emulator: None,
    },
    Image {
        name: "esp32-c6",
        package: "sealift-esp32-c6",
        folder: "firmware/boards/esp32-c6",
        workspace: "firmware/boards/esp32-c6",
        target: setup::RISCV,
        ram: 0x4080_0000..0x4088_0000,
        emulator: None,
    },
];

/// All images.
pub(crate) fn all() -> impl Iterator<Item = &'static Image> {
    EMULATED.iter().chain(&REAL)
}

/// The image of a board, and the emulator that runs it; nothing for the native
/// board.
pub(crate) fn build(board: Board) -> Result<()> {
    of(board).map_or(Ok(()), Image::build)
}

/// The image of an emulated board; the native one has none.
pub(crate) fn of(board: Board) -> Option<&'static Image> {
    EMULATED.iter().find(|image| {
        let emulator = image.emulator.as_ref();
        emulator.is_some_and(|emulator| emulator.board == board)
    })
}

/// The image of the board of this name.
///
/// # Errors
///
/// The names that there are.
pub(crate) fn named(name: &str) -> Result<&'static Image, String> {
    all().find(|image| image.name == name).ok_or_else(|| {
        let names: Vec<&str> = all().map(|image| image.name).collect();
        format!(
            "there is no such board; the boards are: {}",
            names.join(", ")
        )
    })
}

/// Builds what boards share, as an operating system has it: without what would
/// take its place. Clippy looks at it.
pub(crate) fn for_ariel() -> Result<()> {
    let shared = Image {
        name: "ariel",
        package: "sealift-mcu",
        folder: "firmware/ariel",
        workspace: BOARDS,
        target: setup::CORTEX_M,
        ram: 0..0,
        emulator: None,
    };
    let mut command = shared.command(&folder(), &[])?;
    run(for_tests(&mut command))
}

/// What is different in a run of all tests: clippy looks at our crates, and there is
/// nothing in an image for debuggers, which have nothing to do here. All that is built
/// there goes through this, so that what it shares is built once.
fn for_tests(command: &mut Command) -> &mut Command {
    build::linted(command).env("CARGO_PROFILE_RELEASE_DEBUG", "false")
}

impl Image {
    /// Builds it, and leaves it in `target/images`.
    pub(crate) fn build(&self) -> Result<()> {
        self.build_to(&images(), &[])
    }

    /// The same without capsules that run once, in a folder of its own.
    pub(crate) fn build_persistent(&self) -> Result<()> {
        self.build_to(&persistent(), &["--no-default-features"])
    }

    fn build_to(&self, images: &Path, options: &[&str]) -> Result<()> {
        self.prepare()?;
        say(&format!("building {} for {}", self.package, self.target));
        let mut command = self.command(&folder(), &[])?;
        command.args(options);
        // Of an image that is shipped, the board's own crates are compiled by the
        // compiler itself; clippy by itself would have to go over all of the rest.
        if build::is_for_tests() {
            for_tests(&mut command);
        }
        run(&mut command)?;
        let built = self.built().join(self.package);
        std::fs::create_dir_all(images).context("cannot make target/images")?;
        std::fs::copy(&built, images.join(self.package))
            .with_context(|| format!("{} was not built", built.display()))?;
        Ok(())
    }

    /// Builds the programs that count instructions on this board, as its image is
    /// built, but for the loops, which are for speed; the folder with them.
    pub(crate) fn counting(&self) -> Result<PathBuf> {
        self.prepare()?;
        say(&format!("building {COUNTING} for {}", self.target));
        let package = self.counting_package();
        let speed = format!("profile.release.package.{COUNTING}.opt-level=3");
        let mut device = package.command(&folder(), &[])?;
        run(device.args(["--bin", DEVICE]))?;
        let mut loops = package.command(&folder(), &[])?;
        run(loops.args(["--bin", LOOPS, "--config", &speed]))?;
        Ok(self.built())
    }

    /// Has clippy look at them, and makes no code of them, which would take a minute
    /// for each.
    pub(crate) fn lint_counting(&self) -> Result<()> {
        self.prepare()?;
        let package = self.counting_package();
        for program in [DEVICE, LOOPS] {
            let mut command = package.compile("rustc", &folder(), &[])?;
            let command = command.args(["--bin", program, "--", "-Zno-codegen"]);
            run(for_tests(command))?;
        }
        Ok(())
    }

    fn counting_package(&self) -> Self {
        Self {
            package: COUNTING,
            ram: self.ram.clone(),
            emulator: None,
            ..*self
        }
    }

    /// The emulator, the target, and the library's source.
    fn prepare(&self) -> Result<()> {
        if let Some(Emulator {
            debian, program, ..
        }) = self.emulator
        {
            setup::packages(&[debian], || setup::on_path(program))?;
        }
        setup::rust_target(self.target)?;
        setup::rust_source()
    }

    /// Where what was built is.
    fn built(&self) -> PathBuf {
        folder().join(self.target).join("release")
    }

    /// The command that builds it in a target folder, with more flags for the
    /// compiler.
    pub(crate) fn command(&self, folder: &Path, flags: &[String]) -> Result<Command> {
        self.compile("build", folder, flags)
    }

    /// The same by `build` or `rustc`, commands of cargo.
    fn compile(&self, command: &str, folder: &Path, flags: &[String]) -> Result<Command> {
        // The standard library is built with it, for size, and a panic is
        // nothing but an undefined instruction, which has no place in a source
        // file: that takes a fifth off the image. Functions that are the same
        // are there once; `{:?}` prints nothing, as the log has no use for it. All
        // but the last are unstable options, which the pinned stable compiler takes
        // with RUSTC_BOOTSTRAP.
        let mut rustflags = "'-Zunstable-options', '-Cpanic=immediate-abort', \
            '-Zlocation-detail=none', '-Zfmt-debug=none', '-Clink-arg=--icf=all'"
            .to_owned();
        for flag in flags {
            rustflags += &format!(", {flag:?}");
        }
        let mut command = self.cargo(command, folder, self.specification()?);
        command
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["-Zjson-target-spec", "-Zbuild-std=core,alloc"])
            .args(["-Zbuild-std-features=optimize_for_size", "--config"])
            .arg(format!("target.{}.rustflags=[{rustflags}]", self.target));
        Ok(command)
    }

    /// The target as the compiler knows it, but without a register and an
    /// instruction in each function of a Cortex-M for the sake of a debugger
    /// that unwinds: three per cent of an image. Left in a file, whose name is
    /// the target's.
    fn specification(&self) -> Result<OsString> {
        if !self.target.starts_with("thumb") {
            return Ok(self.target.into());
        }
        let mut rustc = Command::new("rustc");
        rustc
            .current_dir(root())
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["-Zunstable-options", "--print=target-spec-json"])
            .args(["--target", self.target]);
        let output = rustc.output().context("cannot start rustc")?;
        ensure!(output.status.success(), "failed: {}", line(&rustc));
        let mut target: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        target["frame-pointer"] = "may-omit".into();
        let folder = crate::run::target().join("targets");
        std::fs::create_dir_all(&folder).context("cannot make target/targets")?;
        let file = folder.join(self.target).with_added_extension("json");
        let target = target.to_string();
        // Cargo builds all anew when the file is.
        if std::fs::read_to_string(&file).ok().as_ref() != Some(&target) {
            std::fs::write(&file, target).context("cannot write target/targets")?;
        }
        Ok(file.into())
    }

    /// Clippy on the board and what boards share.
    pub(crate) fn lint(&self) -> Result<()> {
        setup::rust_target(self.target)?;
        run(self.cargo("clippy", &folder(), self.target).args([
            "--package",
            "sealift-mcu",
            "--",
            "-D",
            "warnings",
        ]))
    }

    /// A command of cargo for this board. One target folder for all of them:
    /// what two boards build alike is built once.
    pub(crate) fn cargo(&self, command: &str, folder: &Path, target: impl AsRef<OsStr>) -> Command {
        let mut cargo = cargo();
        cargo
            .current_dir(root().join(self.workspace))
            .args([command, "--locked", "--release", "--package", self.package])
            .arg("--target")
            .arg(target)
            .arg("--target-dir")
            .arg(folder);
        cargo
    }
}

/// Where images are once they are built.
pub(crate) fn images() -> PathBuf {
    target().join("images")
}

/// Where images are that do not run capsules once.
pub(crate) fn persistent() -> PathBuf {
    images().join("persistent")
}

/// Where boards are built.
pub(crate) fn folder() -> PathBuf {
    target().join("boards")
}
