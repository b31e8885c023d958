//! Modules from the program in `firmware/core/tests/smith`, for tests.

use std::ffi::OsStr;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Builds the program; `temporary` is cargo's folder for what tests make.
///
/// # Panics
///
/// Where it does not build.
#[must_use]
pub fn build(temporary: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../firmware/core/tests/smith");
    let target = temporary.join("smith");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--target-dir"])
        .arg(&target)
        .current_dir(folder)
        .status()
        .expect("cargo runs");
    assert!(built.success(), "tests/smith does not build");
    target.join("release/smith")
}

/// One module of a program that makes them.
#[derive(Debug)]
pub struct Made {
    /// What it was made of: the number of a seed or of a file.
    pub seed: u64,
    /// The module; empty where there were too few bytes for one.
    pub wasm: Vec<u8>,
    /// Bytes for what is to be done with it.
    pub rest: Vec<u8>,
}

/// A running program and what it says.
#[derive(Debug)]
pub struct Smith(Child, BufReader<ChildStdout>);

impl Smith {
    /// The modules of `count` seeds from `first` on, `step` apart.
    #[must_use]
    pub fn seeds(program: &Path, first: u64, count: u64, step: u64) -> Self {
        Self::start(
            program,
            [first, count, step].map(|number| number.to_string()),
        )
    }

    /// The modules that the fuzzer makes of the bytes in these files.
    #[must_use]
    pub fn files(program: &Path, files: &[PathBuf]) -> Self {
        let of = [Path::new("of")];
        Self::start(
            program,
            of.into_iter().chain(files.iter().map(PathBuf::as_path)),
        )
    }

    fn start(program: &Path, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("smith starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self(child, output)
    }

    fn part(&mut self) -> Vec<u8> {
        let mut len = [0; 4];
        self.1.read_exact(&mut len).expect("a length");
        let mut part = vec![0; u32::from_le_bytes(len) as usize];
        self.1.read_exact(&mut part).expect("a part");
        part
    }
}

impl Iterator for Smith {
    type Item = Made;

    fn next(&mut self) -> Option<Made> {
        let mut seed = [0; 8];
        match self.1.read_exact(&mut seed) {
            Ok(()) => Some(Made {
                seed: u64::from_le_bytes(seed),
                wasm: self.part(),
                rest: self.part(),
            }),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
                assert!(self.0.wait().expect("it ends").success());
                None
            }
        }
    }
}
