//! A board that QEMU emulates, with a program from `firmware/boards/counting` on it.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use fuzz_harness::Rng;
use fuzz_harness::promise::anchor;
use sealift_core::Roles;
use sealift_manifest::PublicKey;
use sealift_provision::{Keys, Provision, Trust, identity};
use sealift_storage::sim::MockFlash;

use crate::steps::{Event, Subject, time};
use crate::unit::{DEVICE, People};

/// Erase page of the board's flash, in bytes.
const PAGE: usize = 4096;
/// Bytes of a page that the device's key takes.
const KEY: usize = 256;

/// A kind of board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// A Cortex-M4F: QEMU's mps2-an386.
    CortexM,
    /// A 32-bit RISC-V: QEMU's virt.
    Riscv,
}

impl Machine {
    /// The board of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "cortex-m" => Some(Self::CortexM),
            "riscv" => Some(Self::Riscv),
            _ => None,
        }
    }

    /// The command that starts it with this program. What an instruction takes is
    /// what the program's counter is made for.
    fn command(self, program: &Path) -> Command {
        let (emulator, machine, image, icount) = match self {
            Self::CortexM => ("qemu-system-arm", "mps2-an386", "-kernel", "shift=7"),
            Self::Riscv => ("qemu-system-riscv32", "virt", "-bios", "shift=0"),
        };
        let mut command = Command::new(emulator);
        command.args(["-machine", machine, "-icount", icount]);
        if self == Self::Riscv {
            command.args(["-cpu", "rv32,f=off,d=off"]);
        }
        command
            .args(["-display", "none", "-monitor", "none", "-serial", "none"])
            .arg("-no-reboot")
            .args(["-semihosting-config", "enable=on,target=native"])
            .arg(image)
            .arg(program);
        command
    }
}

/// A board that does tasks.
#[derive(Debug)]
pub struct Board {
    child: Child,
    tasks: ChildStdin,
    answers: ChildStdout,
    provisioned: bool,
    instructions: u64,
}

impl Board {
    /// Starts it with this program.
    ///
    /// # Errors
    /// Where QEMU does not start.
    pub fn start(machine: Machine, program: &Path) -> Result<Self> {
        let mut child = machine
            .command(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start QEMU")?;
        Ok(Self {
            tasks: child.stdin.take().context("no pipe to QEMU")?,
            answers: child.stdout.take().context("no pipe from QEMU")?,
            child,
            provisioned: false,
            instructions: 0,
        })
    }

    /// Has a task done; what comes of it. See `firmware/boards/counting`.
    ///
    /// # Errors
    /// Where the program breaks.
    pub fn task(&mut self, kind: u8, number: u64, content: &[u8]) -> Result<Vec<u8>> {
        let mut task = vec![kind];
        task.extend(number.to_le_bytes());
        task.extend(u32::try_from(content.len())?.to_le_bytes());
        task.extend(content);
        let broken = || format!("the program broke at a task `{}`", char::from(kind));
        self.tasks.write_all(&task).with_context(broken)?;
        let (mut instructions, mut length) = ([0; 8], [0; 4]);
        self.answers
            .read_exact(&mut instructions)
            .with_context(broken)?;
        self.answers.read_exact(&mut length).with_context(broken)?;
        let mut answer = vec![0; u32::from_le_bytes(length) as usize];
        self.answers.read_exact(&mut answer).with_context(broken)?;
        self.instructions = u64::from_le_bytes(instructions);
        Ok(answer)
    }

    /// Writes to its flash what a device has there before its first start.
    fn provision(&mut self, trust: &[PublicKey]) -> Result<()> {
        let mut flash = MockFlash::<4, PAGE>::new(2);
        let (seed, name) = DEVICE;
        let made = identity::load(&mut flash, 0, name, &mut Rng::new(seed));
        if let Err(error) = made {
            bail!("{error}");
        }
        let People { operator, .. } = People::new()?;
        // A record without a key is none.
        let trust = match trust {
            [] => vec![anchor()],
            keys => keys.to_vec(),
        };
        let allow = (Roles::DEPLOY.and(Roles::USE), operator.credential().clone());
        let record = Provision {
            trust: Trust {
                translators: trust.into(),
                peers: vec![allow],
            },
            root: Keys::default(),
        };
        let record = record.encode()?;
        let pages = flash.bytes().chunks(PAGE);
        let pages = pages.filter_map(|page| page.get(..KEY));
        for (number, page) in pages.chain([record.as_slice()]).enumerate() {
            self.task(b'w', (number * PAGE) as u64, page)?;
        }
        Ok(())
    }
}

impl Subject for Board {
    fn act(&mut self, number: usize, event: &Event) -> Result<Vec<u8>> {
        match event {
            Event::Boot(trust) => {
                if !self.provisioned {
                    self.provision(trust)?;
                    self.provisioned = true;
                }
                self.task(b'b', time(number), &[])?;
                Ok(Vec::new())
            }
            Event::Datagram { host, bytes } => {
                let content = [&[*host][..], bytes].concat();
                self.task(b'd', time(number), &content)
            }
        }
    }

    fn instructions(&self) -> u64 {
        self.instructions
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // It waits for a task that does not come.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
