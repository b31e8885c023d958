//! The `signer` command, and a folder to run it in.

use std::ffi::OsStr;
use std::fs;
#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::{chatty, job, persistent};

/// A folder with a key and some capsules.
pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    pub(crate) fn empty() -> Self {
        Self {
            folder: TempDir::new().expect("a folder"),
        }
    }

    pub(crate) fn new() -> Self {
        let desk = Self::empty();
        assert_done(&desk.run(["keygen", "--out", "translator.key"]));
        desk.write("hello.wasm", &persistent());
        desk.write("chatty.wasm", &chatty());
        desk.write("job.wasm", &job());
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("written");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.folder.path())
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signer"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("SIGNER_PASSPHRASE")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        self.command(args).output().expect("runs")
    }

    /// `signer sign WASM` with this desk's key and more arguments, for vm1 or, if it
    /// is to run once, for vm-run.
    pub(crate) fn sign(&self, wasm: &str, more: &[&str]) -> Output {
        let mut args = sign_args(wasm);
        if more.contains(&"--ephemeral") {
            args[5] = "vm-run";
        }
        args.extend(more);
        self.run(args)
    }

    /// Checks that a command is refused with one line and changes no file.
    pub(crate) fn assert_refused(&self, more: &[&str], wasm: &str, text: &str) {
        let before = self.names();
        let output = self.sign(wasm, more);
        assert_failed(&output, text);
        assert_eq!(self.names(), before, "something was left behind");
    }
}

pub(crate) fn sign_args(wasm: &str) -> Vec<&str> {
    vec![
        "sign",
        wasm,
        "--key",
        "translator.key",
        "--component",
        "vm1",
        "--seq",
        "7",
        "--out",
        "out.suit",
    ]
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[track_caller]
pub(crate) fn assert_done(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
pub(crate) fn assert_failed(output: &Output, reason: &str) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("signer: "), "{stderr}");
    assert!(stderr.contains(reason), "{stderr}");
    assert!(output.stdout.is_empty());
}

#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("the file").permissions().mode() & 0o777
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode");
}
