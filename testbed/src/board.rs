//! Which board the device under test is: a Linux process, or an image in QEMU.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{DeviceOptions, Outcome, Programs};

/// The variable that says which board the end-to-end tests run against.
pub const BOARD: &str = "SEALIFT_BOARD";

/// A board that can be started on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Board {
    /// `sealift-native`.
    Native,
    /// A Cortex-M4F: QEMU's mps2-an386.
    CortexM,
    /// A 32-bit RISC-V: QEMU's virt.
    Riscv,
}

/// The flash of an emulated board.
#[derive(Clone, Copy, Debug)]
struct Flash {
    /// Bytes of it.
    len: usize,
    /// Bytes of a page.
    page: usize,
}

const ERASED: u8 = 0xff;
/// The page of the provisioning record: behind the two of the identity.
const RECORD: usize = 2;

impl Board {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Native, Self::CortexM, Self::Riscv];

    /// Its name on command lines and in [`BOARD`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::CortexM => "cortex-m",
            Self::Riscv => "riscv",
        }
    }

    /// The board of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|board| board.name() == name)
    }

    /// The board that [`BOARD`] names, by default the native one.
    ///
    /// # Errors
    ///
    /// Where there is no such board.
    pub fn chosen() -> Result<Self> {
        match std::env::var(BOARD) {
            Err(_) => Ok(Self::Native),
            Ok(name) => Self::from_name(&name)
                .with_context(|| format!("{BOARD}={name}: there is no such board")),
        }
    }

    /// What capsules for it are translated for.
    #[must_use]
    pub const fn target(self) -> &'static str {
        match self {
            Self::Native if cfg!(target_pointer_width = "64") => "pulley64",
            Self::Native | Self::CortexM | Self::Riscv => "pulley32",
        }
    }

    /// The other target: a capsule for it is refused.
    #[must_use]
    pub fn other_target(self) -> &'static str {
        match self.target() {
            "pulley32" => "pulley64",
            _ => "pulley32",
        }
    }

    /// Bytes of an erase page of its flash.
    #[must_use]
    pub const fn page(self) -> usize {
        match self.flash() {
            None => 4096,
            Some(flash) => flash.page,
        }
    }

    /// What is run: the device, or the image.
    pub(crate) fn program(self, programs: &Programs) -> PathBuf {
        match self {
            Self::Native => programs.device.clone(),
            Self::CortexM => programs.images.join("sealift-qemu-cortex-m"),
            Self::Riscv => programs.images.join("sealift-qemu-riscv"),
        }
    }

    /// The command that starts it, at a host and port. It writes its log to
    /// standard error or standard output.
    pub(crate) fn command(
        self,
        programs: &Programs,
        options: &DeviceOptions,
        listen: &str,
    ) -> Result<Command> {
        let program = self.program(programs);
        ensure!(
            program.exists(),
            "{} is missing: `cargo xtask test` or `cargo xtask demo --board {}` makes it",
            program.display(),
            self.name()
        );
        if let Some(flash) = self.flash()
            && !options.flash.exists()
        {
            provisioned(flash, programs, options)?;
        }
        match self {
            Self::Native => Ok(native(&program, options, listen)),
            Self::CortexM => cortex_m(&program, options, listen),
            Self::Riscv => riscv(&program, options, listen),
        }
    }

    /// Its flash, if somebody else has to make the file.
    const fn flash(self) -> Option<Flash> {
        match self {
            Self::Native => None,
            Self::CortexM => Some(Flash {
                len: 1 << 20,
                page: 4096,
            }),
            // As long as the whole bank: QEMU takes no other file.
            Self::Riscv => Some(Flash {
                len: 32 << 20,
                page: 256 * 1024,
            }),
        }
    }
}

fn native(program: &Path, options: &DeviceOptions, listen: &str) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--flash")
        .arg(&options.flash)
        .args(["--listen", listen])
        .arg("--identity-out")
        .arg(&options.identity)
        .args(roles(options))
        .args(&options.extra)
        // The log is waited for, whatever the caller's shell says.
        .env_remove("RUST_LOG")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Whom the device trusts, as arguments.
fn roles(options: &DeviceOptions) -> Vec<String> {
    let mut arguments = Vec::new();
    for key in &options.trust {
        arguments.extend(["--trust".into(), key.display().to_string()]);
    }
    for key in &options.root {
        arguments.extend(["--root".into(), key.display().to_string()]);
    }
    for (role, credential) in &options.allow {
        arguments.extend(["--allow".into(), format!("{role}={}", credential.display())]);
    }
    arguments
}

/// A flash as it leaves the factory: erased, but for the provisioning record.
fn provisioned(flash: Flash, programs: &Programs, options: &DeviceOptions) -> Result<()> {
    let file = options.flash.with_extension("provision");
    let mut arguments: Vec<String> = vec!["provision".into()];
    arguments.extend(["--out".into(), file.display().to_string()]);
    arguments.extend(roles(options));
    let folder = options.flash.parent().unwrap_or(Path::new("."));
    Outcome::of(&programs.updater, folder, &arguments)?.success()?;
    let record = fs::read(&file).context("no provisioning record")?;
    // The next flash in this place needs one, too, and the updater writes over none.
    fs::remove_file(&file).context("cannot remove the record")?;
    let mut content = vec![ERASED; flash.len];
    let start = RECORD * flash.page;
    let place = content.get_mut(start..start + record.len());
    place.context("no room for it")?.copy_from_slice(&record);
    fs::write(&options.flash, content).context("cannot write the flash")
}

/// The file of the flash, for an argument of QEMU.
fn flash_file(options: &DeviceOptions) -> Result<&str> {
    let flash = options.flash.to_str().context("a path that is not UTF-8")?;
    if flash.contains([',', ' ']) {
        bail!("{flash}: QEMU takes no path with a comma, and the board none with a space");
    }
    Ok(flash)
}

/// QEMU's end of the network: its own network, in which the device's port is that of
/// `listen`; or frames as datagrams, from there.
fn network(device: &str, options: &DeviceOptions, listen: &str) -> String {
    match &options.wire {
        None => format!("user,{device},hostfwd=udp:{listen}-:5683"),
        Some(wire) => format!("socket,{device},udp={wire},localaddr={listen}"),
    }
}

fn cortex_m(image: &Path, options: &DeviceOptions, listen: &str) -> Result<Command> {
    let flash = flash_file(options)?;
    let arguments = options.extra.iter();
    let arguments: String = arguments.map(|extra| format!(",arg={extra}")).collect();
    let mut command = Command::new("qemu-system-arm");
    command
        .args(["-machine", "mps2-an386", "-display", "none"])
        .args(["-monitor", "none", "-serial", "stdio"])
        .arg("-semihosting-config")
        .arg(format!(
            "enable=on,target=native,arg=flash={flash}{arguments}"
        ))
        .arg("-nic")
        .arg(network("model=lan9118", options, listen))
        .arg("-kernel")
        .arg(image)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    Ok(command)
}

fn riscv(image: &Path, options: &DeviceOptions, listen: &str) -> Result<Command> {
    let flash = flash_file(options)?;
    let mut command = Command::new("qemu-system-riscv32");
    command
        // No floating point: the image is for a core that has none.
        .args(["-machine", "virt", "-cpu", "rv32,f=off,d=off"])
        .args(["-display", "none"])
        .args(["-monitor", "none", "-serial", "stdio"])
        .args(["-global", "virtio-mmio.force-legacy=false"])
        .args(["-device", "virtio-rng-device"])
        .arg("-drive")
        .arg(format!("if=pflash,unit=1,format=raw,file={flash}"))
        .arg("-netdev")
        .arg(network("id=net", options, listen))
        .args(["-device", "virtio-net-device,netdev=net"])
        // As what is started first: QEMU loads no `-kernel` where there is a
        // second flash bank.
        .arg("-bios")
        .arg(image)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    if !options.extra.is_empty() {
        // Beside a flash bank, QEMU starts no kernel, and tells the board what
        // belongs to one.
        command.arg("-kernel").arg(image);
        command.arg("-append").arg(options.extra.join(" "));
    }
    Ok(command)
}
