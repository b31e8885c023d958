//! A Sealift device on a 32-bit RISC-V, as QEMU's machine virt.
//!
//! The emulator is told which file has the second flash bank; see README.md.

#![no_std]
#![no_main]

extern crate alloc;

mod clock;
mod ethernet;
mod flash;
mod fwcfg;
mod nor;
mod plic;
mod random;
mod registers;
mod start;
mod uart;
mod virtio;
mod watchdog;

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use embassy_executor::Spawner;
use embassy_net::{Ipv4Cidr, Runner, StackResources, StaticConfigV4};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sealift_core::capsule::{Category, Reading, Unavailable};
use sealift_core::{Device, Limits};
use sealift_mcu::{BoardHost, Plan, Services, Sockets};
use static_cell::{ConstStaticCell, StaticCell};

use crate::ethernet::Ethernet;
use crate::flash::{BoardFlash, WORD};
use crate::nor::Bank;

/// The components of this board.
const NAMES: [&str; 2] = ["vm1", "vm2"];
/// Pages of one slot: 256 KiB.
const SLOT_PAGES: u16 = 1;
/// Peers with a security context at a time.
const SESSIONS: usize = 4;
/// The most that one capsule may get.
const LIMITS: Limits = Limits {
    memory: 64 * 1024,
    stack: 16 * 1024,
    fuel: 100_000_000,
};
/// The largest ephemeral capsule with its input.
const JOB_LIMIT: usize = 24 * 1024;
const TIME_LIMIT_MS: u64 = 60_000;
const SESSION_IDLE_MS: u64 = 24 * 60 * 60 * 1000;

/// QEMU's user network.
const ADDRESS: Ipv4Cidr = Ipv4Cidr::new(Ipv4Addr::new(10, 0, 2, 15), 24);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

type BoardDevice =
    Device<BoardFlash, ChaCha20Rng, BoardHost<Board>, { NAMES.len() }, WORD, SESSIONS>;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    start::board();
    let mut rng = match random::seed() {
        Some(seed) => ChaCha20Rng::from_seed(seed),
        None => start::stop("the board has no source of random numbers"),
    };
    let device = match device(&mut rng) {
        Ok(device) => device,
        Err(why) => start::stop(why),
    };

    static RESOURCES: ConstStaticCell<StackResources<2>> =
        ConstStaticCell::new(StackResources::new());
    static SOCKETS: ConstStaticCell<Sockets> = ConstStaticCell::new(Sockets::new());
    let config = embassy_net::Config::ipv4_static(StaticConfigV4 {
        address: ADDRESS,
        gateway: Some(GATEWAY),
        dns_servers: Default::default(),
    });
    let Some(ethernet) = Ethernet::start() else {
        start::stop("the board has no network");
    };
    let (stack, runner) = embassy_net::new(ethernet, config, RESOURCES.take(), rng.next_u64());
    match network(runner) {
        Ok(task) => spawner.spawn(task),
        Err(_) => start::stop("the network's task does not start"),
    }
    // For the test of the watchdog: a main loop that never comes round.
    let hangs = fwcfg::is_given("hang=yes");
    let alive = move || {
        if hangs {
            loop {
                core::hint::spin_loop();
            }
        }
        watchdog::feed();
    };
    watchdog::start();
    sealift_mcu::serve(device, stack, SOCKETS.take(), alive).await;
    start::stop("the device does not listen");
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Ethernet>) -> ! {
    runner.run().await
}

// Not inlined, so that what it needs of the stack is free again afterwards.
#[inline(never)]
fn device(rng: &mut ChaCha20Rng) -> Result<&'static mut BoardDevice, &'static str> {
    static DEVICE: StaticCell<BoardDevice> = StaticCell::new();
    let mut plan = Plan {
        subject: "sealift-qemu",
        names: NAMES,
        slot_pages: SLOT_PAGES,
        base: 0,
        mapping: None,
        limits: LIMITS,
        job_limit: JOB_LIMIT,
        time_limit: TIME_LIMIT_MS,
        session_idle: SESSION_IDLE_MS,
    };
    let bank = Bank::take().ok_or("the flash is in use")?;
    let flash = BoardFlash::open(bank).map_err(|error| {
        log::error!("flash: {error:?}");
        "the flash is not as it should be"
    })?;
    plan.mapping = Some(flash.mapping());
    let mut fork = || {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        ChaCha20Rng::from_seed(seed)
    };
    let host = BoardHost::new(Board { rng: fork() });
    let device = sealift_mcu::start(plan, flash, fork(), host).map_err(|error| {
        log::error!("{error}");
        "the device does not start"
    })?;
    Ok(DEVICE.init(device))
}

/// What this board has for capsules: random numbers. The sensor is simulated.
struct Board {
    rng: ChaCha20Rng,
}

impl Services for Board {
    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable> {
        self.rng.fill_bytes(bytes);
        Ok(())
    }

    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        sealift_simulation::read_sensors(embassy_time::Instant::now().as_millis(), category)
    }
}
