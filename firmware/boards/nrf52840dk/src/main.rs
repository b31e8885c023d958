//! A Sealift device on Nordic's nRF52840 DK, as an Ethernet adapter on the
//! board's own USB port; see README.md.

#![no_std]
#![no_main]

extern crate alloc;

mod flash;
mod services;
mod start;
mod usb;

use core::net::Ipv4Addr;

use embassy_executor::Spawner;
use embassy_futures::join::join4;
use embassy_net::{Ipv4Cidr, Runner};
use embassy_nrf::nvmc::Nvmc;
use embassy_nrf::temp::{self, Temp};
use embassy_nrf::{bind_interrupts, peripherals};
use sealift_mcu::cortex::stop;
use sealift_mcu::{Plan, Random};
use static_cell::StaticCell;

use crate::flash::{BoardFlash, SLOT_PAGES, WORD};
use crate::services::Board;
use crate::usb::{Ethernet, Link, Usb};

/// The device's end of the cable; any other address of this network is the
/// host's.
const ADDRESS: Ipv4Cidr = Ipv4Cidr::new(Ipv4Addr::new(10, 55, 0, 2), 24);

type BoardDevice = sealift_mcu::BoardDevice<BoardFlash, Board, WORD>;

bind_interrupts!(struct Interrupts {
    USBD => embassy_nrf::usb::InterruptHandler<peripherals::USBD>;
    CLOCK_POWER => embassy_nrf::usb::vbus_detect::InterruptHandler;
    TEMP => temp::InterruptHandler;
});

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let chip = start::board();
    let mut rng = start::random(chip.RNG);
    let board = Board::new(chip.P0_13, chip.P0_11);
    let device = match device(Nvmc::new(chip.NVMC), board, &mut rng) {
        Ok(device) => device,
        Err(why) => stop(why),
    };
    let (usb, link, ethernet) = usb::start(chip.USBD, Interrupts);
    let config = sealift_mcu::fixed(ADDRESS, None);
    let (stack, runner) = sealift_mcu::network(ethernet, config, &mut rng);
    match background(usb, link, runner, Temp::new(chip.TEMP, Interrupts)) {
        Ok(task) => spawner.spawn(task),
        Err(_) => stop("the network's task does not start"),
    }
    let Some(mut watchdog) = start::watchdog(chip.WDT) else {
        stop("the watchdog is somebody else's");
    };
    sealift_mcu::serve(device, stack, || watchdog.pet()).await;
    stop("the device does not listen");
}

/// What goes on besides the device.
#[embassy_executor::task]
async fn background(
    mut usb: Usb,
    link: Link,
    mut network: Runner<'static, Ethernet>,
    thermometer: Temp<'static>,
) {
    let measuring = services::measure(thermometer);
    join4(usb.run(), link.run(), network.run(), measuring).await;
}

// Not inlined, so that what it needs of the stack is free again afterwards.
#[inline(never)]
fn device(
    nvmc: Nvmc<'static>,
    board: Board,
    rng: &mut Random,
) -> Result<&'static mut BoardDevice, &'static str> {
    static DEVICE: StaticCell<BoardDevice> = StaticCell::new();
    let (flash, mapping) = flash::open(nvmc).ok_or("the flash is not as long as it should be")?;
    let plan = Plan {
        mapping: Some(mapping),
        ..Plan::new("sealift-nrf52840dk", SLOT_PAGES)
    };
    let device = sealift_mcu::boot(plan, flash, board, rng).map_err(|error| {
        log::error!("{error}");
        "the device does not start"
    })?;
    Ok(DEVICE.init(device))
}
