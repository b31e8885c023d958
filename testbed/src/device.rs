//! A device process, its flash file and its log.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{Board, Programs};

/// What a device is started with.
#[derive(Clone, Debug)]
pub struct DeviceOptions {
    /// Flash file; made if it does not exist.
    pub flash: PathBuf,
    /// Trusted translator keys.
    pub trust: Vec<PathBuf>,
    /// Root keys, which sign trust records.
    pub root: Vec<PathBuf>,
    /// Role and credential file, such as `("deploy", "op.pub")`.
    pub allow: Vec<(String, PathBuf)>,
    /// Where it writes its public credential.
    pub identity: PathBuf,
    /// Further arguments.
    pub extra: Vec<String>,
    /// Of an emulated board: the host and port that get each frame of its network as
    /// a datagram, and send it frames in the same way, in place of a network of QEMU's.
    pub wire: Option<String>,
}

/// A running device.
#[derive(Debug)]
pub struct Device {
    child: Child,
    board: Board,
    programs: Programs,
    options: DeviceOptions,
    address: String,
    log: Arc<Log>,
}

/// RAM that a process has, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Now (`VmRSS`).
    pub resident: u64,
    /// At its most (`VmHWM`).
    pub peak: u64,
}

#[derive(Debug, Default)]
struct Log {
    text: Mutex<(String, bool)>,
    grown: Condvar,
}

const PATIENCE: Duration = Duration::from_secs(30);
const READY: &str = "listening on ";

impl Device {
    /// Starts the device on an address of its own and waits until it listens.
    ///
    /// # Errors
    ///
    /// Where it does not start, with its log.
    pub fn start(board: Board, programs: &Programs, options: DeviceOptions) -> Result<Self> {
        Self::start_at(board, programs, options, &own_address())
    }

    fn start_at(
        board: Board,
        programs: &Programs,
        options: DeviceOptions,
        listen: &str,
    ) -> Result<Self> {
        let mut command = board.command(programs, &options, listen)?;
        let mut child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let log = Arc::new(Log::default());
        let sink = Arc::clone(&log);
        let output: Box<dyn Read + Send> = match (child.stderr.take(), child.stdout.take()) {
            (Some(output), _) => Box::new(output),
            (None, Some(output)) => Box::new(output),
            (None, None) => bail!("no pipe to the device"),
        };
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                sink.push(&line);
            }
            sink.close();
        });
        let device = Self {
            child,
            board,
            programs: programs.clone(),
            options,
            address: listen.to_owned(),
            log,
        };
        device.wait_for(READY)?;
        if board != Board::Native {
            let credential = device.credential()?;
            std::fs::write(&device.options.identity, credential)
                .context("cannot write the device's credential")?;
        }
        Ok(device)
    }

    /// The credential that a board says in its log.
    fn credential(&self) -> Result<String> {
        let log = self.log();
        let start = log.find("-----BEGIN").context("no credential in the log")?;
        let end = log.find("-----END").context("no whole credential")?;
        let end = end + log[end..].find('\n').context("no whole credential")?;
        let lines = log[start..end].lines();
        // Before each line but the first stands its level.
        let bare = lines.map(|line| line.rsplit("  ").next().unwrap_or(line));
        Ok(bare.fold(String::new(), |text, line| text + line + "\n"))
    }

    /// Its address, as `coap://HOST:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("coap://{}", self.address)
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it was started with.
    #[must_use]
    pub fn options(&self) -> &DeviceOptions {
        &self.options
    }

    /// Its log since this start.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text().0.clone()
    }

    /// The first log line that contains `needle`; waits for it.
    ///
    /// # Errors
    ///
    /// Where the device ends, or goes on too long, without such a line.
    pub fn wait_for(&self, needle: &str) -> Result<String> {
        let guard = self.log.text();
        let (guard, _) = self
            .log
            .grown
            .wait_timeout_while(guard, PATIENCE, |(text, closed)| {
                !*closed && !text.contains(needle)
            })
            .unwrap_or_else(PoisonError::into_inner);
        match guard.0.lines().find(|line| line.contains(needle)) {
            Some(line) => Ok(line.to_owned()),
            None => bail!("the device did not say {needle:?}; its log:\n{}", guard.0),
        }
    }

    /// Ends the process with SIGKILL: a power cut, as far as a process can
    /// have one.
    ///
    /// # Errors
    ///
    /// Where the process was gone already.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().context("cannot kill the device")?;
        self.child.wait().context("cannot wait for the device")?;
        Ok(())
    }

    /// Kills it and starts it again on the same flash, at the same address.
    ///
    /// # Errors
    ///
    /// As [`Device::start`].
    pub fn restart(mut self) -> Result<Self> {
        self.kill()?;
        let address = self.address.clone();
        let (programs, options) = (self.programs.clone(), self.options.clone());
        Self::start_at(self.board, &programs, options, &address)
    }

    /// The RAM that the process has.
    ///
    /// # Errors
    ///
    /// Where it has ended, or the system does not say.
    pub fn memory(&self) -> Result<Memory> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes = line.and_then(|line| line.split_whitespace().next());
            let kilobytes = kilobytes.with_context(|| format!("{path} has no {name}"))?;
            Ok::<_, anyhow::Error>(kilobytes.parse::<u64>()? * 1024)
        };
        Ok(Memory {
            resident: field("VmRSS:")?,
            peak: field("VmHWM:")?,
        })
    }

    /// Whether the process has not ended.
    #[must_use]
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

/// A loopback address that no other device of this machine has, with CoAP's
/// port. A free port would do until a device is restarted: it may be taken by
/// then.
fn own_address() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let count = COUNT.fetch_add(1, Ordering::Relaxed) % 250;
    format!("127.{high}.{low}.{}:5683", count + 2)
}

impl Drop for Device {
    fn drop(&mut self) {
        // It may have been killed before; both calls then only say so.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Log {
    fn text(&self) -> std::sync::MutexGuard<'_, (String, bool)> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &str) {
        let mut guard = self.text();
        guard.0.push_str(line);
        guard.0.push('\n');
        self.grown.notify_all();
    }

    fn close(&self) {
        self.text().1 = true;
        self.grown.notify_all();
    }
}
