//! What this board has for capsules.

use alloc::vec::Vec;

use embassy_rp::Peri;
use embassy_rp::adc::{self, Adc, Blocking, Channel};
use embassy_rp::gpio::{Input, Pull};
use embassy_rp::peripherals::{ADC, ADC_TEMP_SENSOR, PIN_15};
use embassy_time::Timer;
use sealift_core::capsule::{Category, Reading, Unavailable};
use sealift_mcu::Services;

use crate::wifi;

/// Seconds between measurements.
const INTERVAL_S: u64 = 10;

static THERMOMETER: sealift_mcu::Thermometer = sealift_mcu::Thermometer::new();

/// The light, which hangs on the Wi-Fi chip, a button between GPIO 15 and GND,
/// and the processor's own thermometer. The button BOOTSEL is the flash chip's
/// select line, which embassy-rp reads on RP2040 alone.
pub(crate) struct Board {
    button: Input<'static>,
}

impl Board {
    /// With the button at this pin.
    pub(crate) fn new(button: Peri<'static, PIN_15>) -> Self {
        Self {
            button: Input::new(button, Pull::Up),
        }
    }
}

impl Services for Board {
    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        THERMOMETER.read(category)
    }

    fn toggle_led(&mut self) -> Result<(), Unavailable> {
        wifi::toggle_light();
        Ok(())
    }

    fn button_low(&mut self) -> Result<bool, Unavailable> {
        Ok(self.button.is_low())
    }
}

/// The processor's thermometer.
pub(crate) struct Thermometer {
    adc: Adc<'static, Blocking>,
    channel: Channel<'static>,
}

impl Thermometer {
    /// Switches it on.
    pub(crate) fn new(adc: Peri<'static, ADC>, sensor: Peri<'static, ADC_TEMP_SENSOR>) -> Self {
        Self {
            adc: Adc::new_blocking(adc, adc::Config::default()),
            channel: Channel::new_temp_sensor(sensor),
        }
    }
}

/// Reads the thermometer, for ever.
pub(crate) async fn measure(mut thermometer: Thermometer) {
    loop {
        // Takes 96 cycles of 48 MHz.
        let sample = thermometer.adc.blocking_read(&mut thermometer.channel);
        match sample {
            Ok(sample) => THERMOMETER.says(hundredths(sample)),
            Err(_) => log::warn!("the thermometer cannot be read"),
        }
        Timer::after_secs(INTERVAL_S).await;
    }
}

/// A sample of 12 bits, of 3.3 V, in hundredths of a degree Celsius: 27 degrees
/// at 0.706 V, and one less for each 1.721 mV more (RP2350 Datasheet, 12.4.6).
fn hundredths(sample: u16) -> i32 {
    // 3.3 V / 4096 are 805.66 microvolts.
    let microvolts = i32::from(sample & 0x0fff) * 80_566 / 100;
    2700 - (microvolts - 706_000) * 100 / 1721
}
