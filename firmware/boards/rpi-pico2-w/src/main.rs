//! A Sealift device on Raspberry Pi's Pico 2 W, on a wireless network; see
//! README.md.

#![no_std]
#![no_main]

extern crate alloc;

mod flash;
mod services;
mod start;
mod wifi;

use embassy_executor::Spawner;
use embassy_futures::join::{join, join3};
use embassy_net::Runner;
use embassy_rp::bind_interrupts;
use embassy_rp::peripherals::{DMA_CH0, PIO0, TRNG};
use sealift_mcu::cortex::stop;
use sealift_mcu::{Plan, Random};
use sealift_provision::wifi::Wifi;
use static_cell::StaticCell;

use crate::flash::{BoardFlash, SLOT_PAGES, WIFI, WORD};
use crate::services::{Board, Thermometer};
use crate::start::Watchdog;
use crate::wifi::{Chip, Control, Driver, Pins};

type BoardDevice = sealift_mcu::BoardDevice<BoardFlash, Board, WORD>;

bind_interrupts!(struct Interrupts {
    PIO0_IRQ_0 => embassy_rp::pio::InterruptHandler<PIO0>;
    DMA_IRQ_0 => embassy_rp::dma::InterruptHandler<DMA_CH0>;
    TRNG_IRQ => embassy_rp::trng::InterruptHandler<TRNG>;
});

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let chip = start::board();
    if !wifi::is_possible() {
        stop("this image was built without the firmware of the Wi-Fi chip, see README.md");
    }
    let mut rng = start::random(chip.TRNG, Interrupts);
    let Some((mut flash, mapping)) = flash::open(chip.FLASH) else {
        stop("the flash is not as long as it should be");
    };
    let network = match sealift_provision::wifi::read(&mut flash, WIFI) {
        Ok(network) => network,
        Err(why) => stop(why),
    };
    let plan = Plan {
        mapping: Some(mapping),
        ..Plan::new("sealift-rpi-pico2-w", SLOT_PAGES)
    };
    let board = Board::new(chip.PIN_15);
    let device = match device(plan, flash, board, &mut rng) {
        Ok(device) => device,
        Err(why) => stop(why),
    };
    let pins = Pins {
        power: chip.PIN_23,
        data: chip.PIN_24,
        select: chip.PIN_25,
        clock: chip.PIN_29,
        pio: chip.PIO0,
        dma: chip.DMA_CH0,
    };
    let mut watchdog = Watchdog::start(chip.WATCHDOG);
    let (driver, control, wifi) = wifi::start(pins, Interrupts).await;
    let (stack, runner) = sealift_mcu::network(driver, sealift_mcu::dhcp(), &mut rng);
    let thermometer = Thermometer::new(chip.ADC, chip.ADC_TEMP_SENSOR);
    match background(wifi, control, network, runner, stack, thermometer) {
        Ok(task) => spawner.spawn(task),
        Err(_) => stop("the network's task does not start"),
    }
    sealift_mcu::serve(device, stack, || watchdog.feed()).await;
    stop("the device does not listen");
}

/// What goes on besides the device.
#[embassy_executor::task]
async fn background(
    chip: Chip,
    control: Control,
    wifi: Wifi,
    mut network: Runner<'static, Driver>,
    stack: embassy_net::Stack<'static>,
    thermometer: Thermometer,
) {
    let joined = wifi::stay(control, wifi, stack);
    let measuring = services::measure(thermometer);
    join(join3(chip.run(), network.run(), joined), measuring).await;
}

// Not inlined, so that what it needs of the stack is free again afterwards.
#[inline(never)]
fn device(
    plan: Plan<{ sealift_mcu::NAMES.len() }>,
    flash: BoardFlash,
    board: Board,
    rng: &mut Random,
) -> Result<&'static mut BoardDevice, &'static str> {
    static DEVICE: StaticCell<BoardDevice> = StaticCell::new();
    let device = sealift_mcu::boot(plan, flash, board, rng).map_err(|error| {
        log::error!("{error}");
        "the device does not start"
    })?;
    Ok(DEVICE.init(device))
}
