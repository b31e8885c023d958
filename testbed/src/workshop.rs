//! A temporary folder with keys, credentials and signed capsules.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{Board, Device, DeviceOptions, Outcome, Programs, Proxy, with_ballast};

/// Keys, credentials and files of one system under test.
#[derive(Debug)]
pub struct Workshop {
    dir: TempDir,
    board: Board,
    programs: Programs,
}

/// What a capsule is signed with; the fields are the flags of `signer sign`.
#[derive(Clone, Debug)]
pub struct Sign<'a> {
    /// Name of the capsule, as in `capsules/`.
    pub capsule: &'a str,
    /// Name of the translator key.
    pub key: &'a str,
    /// Component.
    pub component: &'a str,
    /// Sequence number.
    pub sequence: u64,
    /// Granted interfaces.
    pub grants: &'a [&'a str],
    /// Further arguments.
    pub extra: &'a [&'a str],
}

impl Default for Sign<'_> {
    fn default() -> Self {
        Self {
            capsule: "thermometer",
            key: "translator",
            component: "vm1",
            sequence: 1,
            grants: &["log", "rng", "sensors"],
            extra: &[],
        }
    }
}

impl Workshop {
    /// An empty workshop on the built programs, for the board that the variable
    /// [`BOARD`](crate::BOARD) names, in a temporary folder.
    ///
    /// # Errors
    ///
    /// Where the programs are not built or the folder cannot be made.
    pub fn new() -> Result<Self> {
        Self::for_board(Board::chosen()?)
    }

    /// As [`Workshop::new`], for this board.
    ///
    /// # Errors
    ///
    /// Where the programs are not built or the folder cannot be made.
    pub fn for_board(board: Board) -> Result<Self> {
        Ok(Self {
            dir: TempDir::with_prefix("sealift-").context("no temporary folder")?,
            board,
            programs: Programs::locate()?,
        })
    }

    /// A workshop with translator key `translator`, credentials `op`
    /// (deployer) and `app` (user).
    ///
    /// # Errors
    ///
    /// As [`Workshop::new`], or where a key cannot be made.
    pub fn furnished() -> Result<Self> {
        Self::furnished_for(Board::chosen()?)
    }

    /// As [`Workshop::furnished`], for this board.
    ///
    /// # Errors
    ///
    /// As [`Workshop::furnished`].
    pub fn furnished_for(board: Board) -> Result<Self> {
        let workshop = Self::for_board(board)?;
        workshop.translator_key("translator")?;
        workshop.credential("op")?;
        workshop.credential("app")?;
        Ok(workshop)
    }

    /// The same with the images of microcontroller boards from another folder.
    #[must_use]
    pub fn with_images(mut self, folder: PathBuf) -> Self {
        self.programs.images = folder;
        self
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The board that its devices are.
    #[must_use]
    pub const fn board(&self) -> Board {
        self.board
    }

    /// The programs.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// A path in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The Wasm of a capsule: in the folder, or else among the built ones.
    #[must_use]
    pub fn wasm(&self, capsule: &str) -> PathBuf {
        let name = format!("{capsule}.wasm");
        let own = self.path(&name);
        if own.exists() {
            return own;
        }
        self.programs.capsules.join(name)
    }

    /// Makes `NAME.wasm` in the folder: a built capsule that is larger by so many
    /// bytes and does the same.
    ///
    /// # Errors
    ///
    /// As [`with_ballast`], and where a file cannot be read or written.
    pub fn enlarge(&self, capsule: &str, name: &str, bytes: usize) -> Result<()> {
        let wasm = std::fs::read(self.wasm(capsule)).context("cannot read the capsule")?;
        let larger = with_ballast(&wasm, bytes)?;
        let path = self.path(&format!("{name}.wasm"));
        std::fs::write(path, larger).context("cannot write the capsule")
    }

    /// Runs the signer.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub fn signer(&self, args: &[&str]) -> Result<Outcome> {
        Outcome::of(&self.programs.signer, self.dir(), args)
    }

    /// Makes `NAME.key` and `NAME.pub`.
    ///
    /// # Errors
    ///
    /// Where the signer does not.
    pub fn translator_key(&self, name: &str) -> Result<PathBuf> {
        self.signer(&["keygen", "--out", &format!("{name}.key")])?
            .success()?;
        Ok(self.path(&format!("{name}.pub")))
    }

    /// Makes `NAME.cred` and `NAME.pub`.
    ///
    /// # Errors
    ///
    /// Where the updater does not.
    pub fn credential(&self, name: &str) -> Result<PathBuf> {
        let out = format!("{name}.cred");
        Outcome::of(
            &self.programs.updater,
            self.dir(),
            &["keygen", "--out", &out],
        )?
        .success()?;
        Ok(self.path(&format!("{name}.pub")))
    }

    /// Signs a capsule for the device; the envelope is `OUT` in the
    /// folder.
    ///
    /// # Errors
    ///
    /// Where the signer cannot be started; its refusal is in the outcome.
    pub fn sign(&self, out: &str, sign: &Sign<'_>) -> Result<Outcome> {
        let wasm = self.wasm(sign.capsule);
        let wasm = wasm.to_str().context("a path that is not UTF-8")?;
        let key = format!("{}.key", sign.key);
        let sequence = sign.sequence.to_string();
        let mut args = vec![
            "sign",
            wasm,
            "--key",
            &key,
            "--component",
            sign.component,
            "--seq",
            &sequence,
            "--out",
            out,
            "--target",
            self.board.target(),
        ];
        for grant in sign.grants {
            args.extend(["--grant", grant]);
        }
        args.extend(sign.extra);
        self.signer(&args)
    }

    /// Starts a device with an empty flash that trusts `translator`, lets
    /// `op` deploy and `app` use capsules.
    ///
    /// # Errors
    ///
    /// As [`Device::start`].
    pub fn device(&self) -> Result<Device> {
        self.device_with(|_| {})
    }

    /// As [`Workshop::device`], with changed options.
    ///
    /// # Errors
    ///
    /// As [`Device::start`].
    pub fn device_with(&self, change: impl FnOnce(&mut DeviceOptions)) -> Result<Device> {
        let mut options = DeviceOptions {
            flash: self.path("device.img"),
            trust: vec![self.path("translator.pub")],
            root: Vec::new(),
            allow: vec![
                ("deploy".into(), self.path("op.pub")),
                ("use".into(), self.path("app.pub")),
            ],
            identity: self.path("device.pub"),
            extra: Vec::new(),
            wire: None,
        };
        change(&mut options);
        Device::start(self.board, &self.programs, options)
    }

    /// Runs the updater against a device, as the credential `NAME.cred`.
    ///
    /// # Errors
    ///
    /// Where it cannot be started; a refusal is in the outcome.
    pub fn updater(&self, device: &Device, credential: &str, args: &[&str]) -> Result<Outcome> {
        let all = self.updater_arguments(device, &device.url(), credential, args);
        Outcome::of(&self.programs.updater, self.dir(), &all)
    }

    /// As [`Workshop::updater`], over a proxy; does not wait for its end.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub fn updater_over(
        &self,
        proxy: &Proxy,
        device: &Device,
        credential: &str,
        args: &[&str],
    ) -> Result<Child> {
        Command::new(&self.programs.updater)
            .args(self.updater_arguments(device, &proxy.url(), credential, args))
            .current_dir(self.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the updater")
    }

    /// As [`Workshop::updater`], but does not wait for its end. What it says
    /// is lost.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub fn spawn_updater(&self, device: &Device, credential: &str, args: &[&str]) -> Result<Child> {
        Command::new(&self.programs.updater)
            .args(self.updater_arguments(device, &device.url(), credential, args))
            .current_dir(self.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the updater")
    }

    fn updater_arguments(
        &self,
        device: &Device,
        url: &str,
        credential: &str,
        args: &[&str],
    ) -> Vec<OsString> {
        let mut all: Vec<OsString> = vec!["--device".into(), url.into()];
        all.extend(["--cred".into(), format!("{credential}.cred").into()]);
        all.extend(["--peer".into(), device.options().identity.clone().into()]);
        all.extend(args.iter().map(Into::into));
        all
    }
}
