//! A Sealift device as a Linux process: a UDP socket, and NOR flash in a file.
//!
//! Identity and all state live in the flash file. The process can be killed
//! at any moment and started again on the same file, as a board can lose its
//! power.

#![forbid(unsafe_code)]

mod arguments;
mod flash;
mod host;

use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use rand_core::OsRng;
use sealift_core::{Acceptance, Config, Device, Grants, Limits, Policy, Step};
use sealift_engine::{DEFAULT_CLASS_ID, DEFAULT_VENDOR_ID};
use sealift_oscore::MAX_DATAGRAM;
use sealift_provision::identity;
use sealift_storage::Layout;

use crate::arguments::Arguments;
use crate::flash::{FileFlash, PAGE, WORD};
use crate::host::NativeHost;

/// The device's name in its credential.
const SUBJECT: &str = "sealift-native";
/// The components of this board.
const NAMES: [&str; 2] = ["vm1", "vm2"];
/// Pages of one slot: 128 KiB.
const SLOT_PAGES: u16 = 32;
/// Peers with a security context at a time.
const SESSIONS: usize = 16;
/// The most that one capsule may get.
const LIMITS: Limits = Limits {
    memory: 1 << 20,
    stack: 1 << 20,
    fuel: 1_000_000_000,
};
/// The largest ephemeral capsule with its input.
const JOB_LIMIT: usize = 256 * 1024;

/// How long a capsule may take for a start, a call or a job.
const TIME_LIMIT_MS: u64 = 60_000;
/// How long a security context may be idle.
const SESSION_IDLE_MS: u64 = 24 * 60 * 60 * 1000;

/// How long the socket is listened to at the most before the device has its
/// turn.
const TICK: Duration = Duration::from_millis(500);

/// Failures of the socket in a row after which the device gives up.
const MAX_FAILURES: u32 = 20;

type NativeDevice = Device<FileFlash, OsRng, NativeHost, { NAMES.len() }, WORD, SESSIONS>;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let socket = UdpSocket::bind(arguments.listen)
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let mut device = boot(arguments)?;
    log::info!("listening on {}", socket.local_addr()?);
    serve(&mut device, &socket)
}

fn boot(arguments: &Arguments) -> Result<NativeDevice> {
    let base = usize::try_from(identity::PAGES)? * PAGE;
    let layout = Layout::new(u32::try_from(base)?, SLOT_PAGES, NAMES)
        .with_counter()
        .with_trust();
    let store = layout
        .size(u32::try_from(PAGE)?)
        .context("the layout is too large")?;
    let capacity = base + usize::try_from(store)?;
    let mut flash = FileFlash::open(&arguments.flash, capacity)?;
    let loaded = identity::load(&mut flash, 0, SUBJECT, &mut OsRng)?;
    if loaded.new {
        log::info!("made a new device key");
    }
    let identity = loaded.identity;
    if let Some(path) = &arguments.identity_out {
        arguments::write_credential(path, identity.credential())?;
    }
    let provision = arguments.provision()?;
    let config = Config {
        acceptance: Acceptance {
            trust: provision.trust.translators,
            root: provision.root,
            vendor_id: DEFAULT_VENDOR_ID,
            class_id: DEFAULT_CLASS_ID,
            offered: Grants::ALL,
            limits: LIMITS,
        },
        policy: Policy::new(provision.trust.peers),
        identity,
        layout,
        mapping: None,
        beside: true,
        job_limit: JOB_LIMIT,
        time_limit: TIME_LIMIT_MS,
        session_idle: SESSION_IDLE_MS,
    };
    let host = NativeHost::new(
        arguments.led.clone(),
        arguments.button.clone(),
        arguments.listen.ip(),
    );
    Device::boot(config, flash, OsRng, host).context("the device does not start")
}

fn serve(device: &mut NativeDevice, socket: &UdpSocket) -> Result<()> {
    let start = Instant::now();
    let now = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut incoming = [0; 2 * MAX_DATAGRAM];
    let mut outgoing = [0; MAX_DATAGRAM];
    let mut failures = 0;
    loop {
        let until = loop {
            match device.poll(now(), &mut outgoing) {
                Step::Send(to, length) => send(socket, outgoing.get(..length), to),
                Step::Wait(until) => break until,
            }
        };
        let rest = Duration::from_millis(until.saturating_sub(now()));
        // Zero would be for ever.
        socket.set_read_timeout(Some(rest.clamp(Duration::from_micros(1), TICK)))?;
        let received = socket.recv_from(&mut incoming);
        if let Some((length, peer)) = datagram(received, &mut failures)? {
            let datagram = incoming.get(..length).unwrap_or_default();
            let length = device.handle_datagram(now(), peer, datagram, &mut outgoing);
            send(socket, outgoing.get(..length), peer);
        }
        if failures > 0 {
            std::thread::sleep(TICK);
        }
    }
}

fn send(socket: &UdpSocket, datagram: Option<&[u8]>, to: SocketAddr) {
    let datagram = datagram.unwrap_or_default();
    if !datagram.is_empty()
        && let Err(error) = socket.send_to(datagram, to)
    {
        log::warn!("cannot send to {to}: {error}");
    }
}

/// What was received, if anything was. A peer whose port is closed makes a
/// later call fail on Linux, and so does a moment without memory; that must
/// not end the device.
fn datagram(
    received: std::io::Result<(usize, SocketAddr)>,
    failures: &mut u32,
) -> Result<Option<(usize, SocketAddr)>> {
    use std::io::ErrorKind::{
        ConnectionRefused, ConnectionReset, Interrupted, TimedOut, WouldBlock,
    };
    match received {
        Ok(received) => {
            *failures = 0;
            Ok(Some(received))
        }
        Err(error) => match error.kind() {
            WouldBlock | TimedOut => {
                *failures = 0;
                Ok(None)
            }
            Interrupted | ConnectionRefused | ConnectionReset => Ok(None),
            _ if *failures < MAX_FAILURES => {
                *failures += 1;
                log::warn!("cannot receive: {error}");
                Ok(None)
            }
            _ => Err(error).context("the socket failed"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_moment_without_memory_or_network_does_not_end_the_device() {
        let failed = |kind: ErrorKind, failures: &mut u32| {
            datagram(Err(Error::from(kind)), failures).map(|datagram| datagram.is_some())
        };
        let mut failures = 0;
        for kind in [ErrorKind::OutOfMemory, ErrorKind::HostUnreachable] {
            assert!(!failed(kind, &mut failures).unwrap());
        }
        assert_eq!(failures, 2);
        assert!(!failed(ErrorKind::WouldBlock, &mut failures).unwrap());
        assert_eq!(failures, 0);
        // But a socket that stays broken does.
        failures = MAX_FAILURES;
        assert!(failed(ErrorKind::OutOfMemory, &mut failures).is_err());
    }
}
