//! Where the programs are, and how one is run to its end.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The variable that names another native device than the one that ships, such
/// as one that was built with a sanitizer.
pub const DEVICE: &str = "SEALIFT_DEVICE";

/// The built programs and capsules.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The offline translator.
    pub signer: PathBuf,
    /// The update client.
    pub updater: PathBuf,
    /// The device process.
    pub device: PathBuf,
    /// Folder with the images of microcontroller boards.
    pub images: PathBuf,
    /// Folder with `NAME.wasm` of each capsule.
    pub capsules: PathBuf,
}

/// What a program said and how it ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Exit status; -1 where a signal ended it.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Programs {
    /// The programs below a cargo target folder: host tools from `debug`, the
    /// device from `release`, which is what ships.
    #[must_use]
    pub fn in_target(target: &Path) -> Self {
        Self {
            signer: target.join("debug/signer"),
            updater: target.join("debug/updater"),
            device: target.join("release/sealift-native"),
            images: target.join("images"),
            capsules: target.join("capsules"),
        }
    }

    /// The programs of the workspace that this crate was built in.
    ///
    /// # Errors
    ///
    /// Where one was not built: `cargo xtask build` makes them all.
    pub fn locate() -> Result<Self> {
        let dir = std::env::var_os("CARGO_TARGET_DIR");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let target = root.join(dir.unwrap_or_else(|| "target".into()));
        let mut programs = Self::in_target(&target);
        if let Some(device) = std::env::var_os(DEVICE) {
            programs.device = device.into();
        }
        for path in [
            &programs.signer,
            &programs.updater,
            &programs.device,
            &programs.capsules,
        ] {
            ensure!(
                path.exists(),
                "{} is missing: run `cargo xtask build` first",
                path.display()
            );
        }
        Ok(programs)
    }
}

impl Outcome {
    /// Runs `program` with `args` in `dir` until it ends.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub fn of<S: AsRef<OsStr>>(program: &Path, dir: &Path, args: &[S]) -> Result<Self> {
        let output = Command::new(program)
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self::read(&output))
    }

    /// Waits for the end of a program that was started with pipes.
    ///
    /// # Errors
    ///
    /// Where that fails.
    pub fn of_child(child: Child) -> Result<Self> {
        let output = child.wait_with_output().context("cannot wait for it")?;
        Ok(Self::read(&output))
    }

    fn read(output: &Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// This outcome, if the program succeeded.
    ///
    /// # Errors
    ///
    /// Where it did not, with what it said.
    pub fn success(self) -> Result<Self> {
        if self.status != 0 {
            bail!("exit status {}: {}", self.status, self.stderr.trim());
        }
        Ok(self)
    }

    /// The last line on standard error, if the program failed with exit
    /// status 1, as a refusal does.
    ///
    /// # Errors
    ///
    /// Where it succeeded, or failed otherwise.
    pub fn refusal(&self) -> Result<&str> {
        ensure!(
            self.status == 1,
            "expected a refusal, got exit status {}: {}{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self.stderr
            .trim()
            .lines()
            .last()
            .context("a refusal without a word")
    }
}
