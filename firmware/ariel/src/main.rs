//! A Sealift device as an application of Ariel OS; see README.md.

#![no_std]
#![no_main]

extern crate alloc;

mod chip;
mod sensors;

use alloc::vec::Vec;

use ariel_os::cell::StaticCell;
use ariel_os::{net, random};
use rand_core::{RngCore, SeedableRng};
use sealift_core::capsule::{Category, Reading, Unavailable};
use sealift_mcu::{Plan, Random, Services};

use crate::chip::{BoardFlash, Peripherals, SLOT_PAGES, WORD};

type BoardDevice = sealift_mcu::BoardDevice<BoardFlash, Board, WORD>;

#[ariel_os::task(autostart, peripherals)]
async fn device(peripherals: Peripherals) {
    let mut seed = [0; 32];
    random::crypto_rng().fill_bytes(&mut seed);
    let mut rng = Random::from_seed(seed);
    let device = match start(peripherals, &mut rng) {
        Ok(device) => device,
        Err(why) => {
            log::error!("stopped: {why}");
            return;
        }
    };
    let Some(stack) = net::network_stack().await else {
        log::error!("stopped: there is no network");
        return;
    };
    // Ariel OS 0.5.0 has no watchdog to feed.
    sealift_mcu::serve(device, stack, || {}).await;
}

#[ariel_os::task(autostart)]
async fn measure() {
    sensors::measure().await;
}

// Not inlined, so that what it needs of the stack is free again afterwards.
#[inline(never)]
fn start(
    peripherals: Peripherals,
    rng: &mut Random,
) -> Result<&'static mut BoardDevice, &'static str> {
    static DEVICE: StaticCell<BoardDevice> = StaticCell::new();
    let (flash, mapping) = chip::open(peripherals).ok_or("the flash is not as it should be")?;
    let plan = Plan {
        mapping,
        ..Plan::new("sealift-ariel", SLOT_PAGES)
    };
    let device = sealift_mcu::boot(plan, flash, Board, rng).map_err(|error| {
        log::error!("{error}");
        "the device does not start"
    })?;
    Ok(DEVICE.init(device))
}

/// What Ariel OS has for capsules: the sensors that are registered with it.
struct Board;

impl Services for Board {
    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        sensors::read(category)
    }
}
