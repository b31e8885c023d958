//! A Sealift device on a Cortex-M4F, as QEMU's machine mps2-an386.
//!
//! The emulator is told with `-semihosting-config arg=flash=FILE` which file
//! has the flash; see README.md.

#![no_std]
#![no_main]

extern crate alloc;

mod clock;
mod ethernet;
mod flash;
mod hostfile;
mod psram;
mod registers;
mod start;
mod uart;
mod watchdog;

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use embassy_executor::Spawner;
use embassy_net::{Ipv4Cidr, Runner};
use rand_core::SeedableRng;
use sealift_core::capsule::{Category, Reading, Unavailable};
use sealift_mcu::cortex::stop;
use sealift_mcu::{Plan, Random, Services};
use static_cell::StaticCell;

use crate::ethernet::Lan9118;
use crate::flash::{BoardFlash, WORD};
use crate::hostfile::HostFile;
use crate::registers::Peripheral::FpgaIo;

/// Bytes of flash: as much as many microcontrollers have.
const FLASH: usize = 1 << 20;
/// Pages of one slot: 128 KiB.
const SLOT_PAGES: u16 = 32;

/// QEMU's user network.
const ADDRESS: Ipv4Cidr = Ipv4Cidr::new(Ipv4Addr::new(10, 0, 2, 15), 24);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

type BoardDevice = sealift_mcu::BoardDevice<BoardFlash, Board, WORD>;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    start::board();
    let Some(seed) = seed() else {
        stop("the host gives no random numbers");
    };
    let mut rng = Random::from_seed(seed);
    let device = match device(&mut rng) {
        Ok(device) => device,
        Err(why) => stop(why),
    };
    let config = sealift_mcu::fixed(ADDRESS, Some(GATEWAY));
    let (stack, runner) = sealift_mcu::network(start::network(), config, &mut rng);
    match network(runner) {
        Ok(task) => spawner.spawn(task),
        Err(_) => stop("the network's task does not start"),
    }
    // For the test of the watchdog: a main loop that never comes round.
    let hangs = hostfile::argument("hang", &mut [0; 512]).is_some();
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
async fn network(mut runner: Runner<'static, Lan9118>) -> ! {
    runner.run().await
}

/// What is random on this board comes from the host, by way of a generator
/// that it seeds. A real board has hardware for this.
fn seed() -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    let source = HostFile::open("/dev/urandom").ok()?;
    source.read(&mut seed).ok()?;
    Some(seed)
}

// Not inlined, so that what it needs of the stack is free again afterwards.
#[inline(never)]
fn device(rng: &mut Random) -> Result<&'static mut BoardDevice, &'static str> {
    static DEVICE: StaticCell<BoardDevice> = StaticCell::new();
    let mut buffer = [0; 512];
    let path = hostfile::argument("flash", &mut buffer).ok_or("no flash=FILE was given")?;
    let flash = BoardFlash::open(path, start::psram(FLASH)).map_err(|error| {
        log::error!("{path}: {error}");
        "the file of the flash cannot be used"
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

/// What this board has for capsules: a light and a button. The sensor is
/// simulated.
struct Board;

/// FPGAIO: the lights, and the buttons.
const LEDS: u32 = 0x00;
const BUTTONS: u32 = 0x08;

impl Services for Board {
    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        sealift_simulation::read_sensors(embassy_time::Instant::now().as_millis(), category)
    }

    fn toggle_led(&mut self) -> Result<(), Unavailable> {
        FpgaIo.write(LEDS, FpgaIo.read(LEDS) ^ 1);
        Ok(())
    }

    fn button_low(&mut self) -> Result<bool, Unavailable> {
        Ok(FpgaIo.read(BUTTONS) & 1 == 0)
    }
}
