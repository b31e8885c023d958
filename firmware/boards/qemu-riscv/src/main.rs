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
use embassy_net::{Ipv4Cidr, Runner};
use rand_core::SeedableRng;
use sealift_core::capsule::{Category, Reading, Unavailable};
use sealift_mcu::{Plan, Random, Services};
use static_cell::StaticCell;

use crate::ethernet::Ethernet;
use crate::flash::{BoardFlash, WORD};
use crate::nor::Bank;
use crate::start::stop;

/// Pages of one slot: 256 KiB.
const SLOT_PAGES: u16 = 1;

/// QEMU's user network.
const ADDRESS: Ipv4Cidr = Ipv4Cidr::new(Ipv4Addr::new(10, 0, 2, 15), 24);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

type BoardDevice = sealift_mcu::BoardDevice<BoardFlash, Board, WORD>;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    start::board();
    let Some(seed) = random::seed() else {
        stop("the board has no source of random numbers");
    };
    let mut rng = Random::from_seed(seed);
    let device = match device(&mut rng) {
        Ok(device) => device,
        Err(why) => stop(why),
    };
    let Some(ethernet) = Ethernet::start() else {
        stop("the board has no network");
    };
    let config = sealift_mcu::fixed(ADDRESS, Some(GATEWAY));
    let (stack, runner) = sealift_mcu::network(ethernet, config, &mut rng);
    match network(runner) {
        Ok(task) => spawner.spawn(task),
        Err(_) => stop("the network's task does not start"),
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
    sealift_mcu::serve(device, stack, alive).await;
    stop("the device does not listen");
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Ethernet>) -> ! {
    runner.run().await
}

// Not inlined, so that what it needs of the stack is free again afterwards.
#[inline(never)]
fn device(rng: &mut Random) -> Result<&'static mut BoardDevice, &'static str> {
    static DEVICE: StaticCell<BoardDevice> = StaticCell::new();
    let bank = Bank::take().ok_or("the flash is in use")?;
    let flash = BoardFlash::open(bank).map_err(|error| {
        log::error!("flash: {error}");
        "the flash is not as it should be"
    })?;
    let plan = Plan {
        mapping: Some(flash.mapping()),
        ..Plan::new("sealift-qemu", SLOT_PAGES)
    };
    let device = sealift_mcu::boot(plan, flash, Board, rng).map_err(|error| {
        log::error!("{error}");
        "the device does not start"
    })?;
    Ok(DEVICE.init(device))
}

/// What this board has for capsules: a sensor, which is simulated.
struct Board;

impl Services for Board {
    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        sealift_simulation::read_sensors(embassy_time::Instant::now().as_millis(), category)
    }
}
