//! A Sealift device on Espressif's ESP32-C6-DevKitC-1, on a wireless network; see
//! README.md.

#![no_std]
#![no_main]

extern crate alloc;

mod flash;
mod services;
mod start;
mod wifi;

use embassy_executor::Spawner;
use embassy_futures::join::join3;
use embassy_net::Runner;
use esp_hal::timer::timg::TimerGroup;
use esp_radio::wifi::{Interface, WifiController};
use sealift_mcu::{Plan, Random};
use sealift_provision::wifi::Wifi;
use static_cell::StaticCell;

use crate::flash::{BoardFlash, SLOT_PAGES, WIFI, WORD};
use crate::services::{Board, Thermometer};
use crate::start::stop;

type BoardDevice = sealift_mcu::BoardDevice<BoardFlash, Board, WORD>;

esp_bootloader_esp_idf::esp_app_desc!();

#[esp_rtos::main]
async fn main(spawner: Spawner) {
    let chip = start::board();
    let Some(mut rng) = start::random(chip.RNG, chip.ADC1) else {
        stop("the chip has no random numbers");
    };
    let timers = TimerGroup::new(chip.TIMG0);
    esp_rtos::start(timers.timer0, chip.FROM_CPU_INTR0);
    let Some(mut flash) = flash::open(chip.FLASH) else {
        stop("the flash is not as long as it should be");
    };
    let network = match sealift_provision::wifi::read(&mut flash, WIFI) {
        Ok(network) => network,
        Err(why) => stop(why),
    };
    let board = Board::new(chip.GPIO10, chip.GPIO9);
    let device = match device(flash, board, &mut rng) {
        Ok(device) => device,
        Err(why) => stop(why),
    };
    let (driver, control) = match wifi::start(chip.WIFI, &network) {
        Ok(wifi) => wifi,
        Err(error) => {
            log::error!("Wi-Fi: {error}");
            stop("the radio does not start");
        }
    };
    let (stack, runner) = sealift_mcu::network(driver, sealift_mcu::dhcp(), &mut rng);
    let thermometer = Thermometer::new(chip.TSENS);
    match background(control, network, runner, thermometer) {
        Ok(task) => spawner.spawn(task),
        Err(_) => stop("the network's task does not start"),
    }
    let mut watchdog = start::watchdog(chip.TIMG1);
    sealift_mcu::serve(device, stack, || watchdog.feed()).await;
    stop("the device does not listen");
}

/// What goes on besides the device.
#[embassy_executor::task]
async fn background(
    control: WifiController<'static>,
    wifi: Wifi,
    mut network: Runner<'static, Interface>,
    thermometer: Thermometer,
) {
    let joined = wifi::stay(control, wifi);
    let measuring = services::measure(thermometer);
    join3(network.run(), joined, measuring).await;
}

// Not inlined, so that what it needs of the stack is free again afterwards.
#[inline(never)]
fn device(
    flash: BoardFlash,
    board: Board,
    rng: &mut Random,
) -> Result<&'static mut BoardDevice, &'static str> {
    static DEVICE: StaticCell<BoardDevice> = StaticCell::new();
    let plan = Plan::new("sealift-esp32-c6", SLOT_PAGES);
    let device = sealift_mcu::boot(plan, flash, board, rng).map_err(|error| {
        log::error!("{error}");
        "the device does not start"
    })?;
    Ok(DEVICE.init(device))
}
