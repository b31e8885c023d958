//! What this board has for capsules.

use alloc::vec::Vec;

use embassy_time::Timer;
use esp_hal::gpio::{Input, InputConfig, Level, Output, OutputConfig, Pull};
use esp_hal::peripherals::{GPIO9, GPIO10, TSENS};
use esp_hal::tsens::{Config, TemperatureSensor};
use sealift_core::capsule::{Category, Reading, Unavailable};
use sealift_mcu::Services;

/// Seconds between measurements.
const INTERVAL_S: u64 = 10;

static THERMOMETER: sealift_mcu::Thermometer = sealift_mcu::Thermometer::new();

/// A light at GPIO 10, the button BOOT, and the chip's own thermometer. The
/// light that is on the board takes colours on a bus, and has no driver here.
pub(crate) struct Board {
    light: Output<'static>,
    button: Input<'static>,
}

impl Board {
    /// The light is off.
    pub(crate) fn new(light: GPIO10<'static>, button: GPIO9<'static>) -> Self {
        let pulled = InputConfig::default().with_pull(Pull::Up);
        Self {
            light: Output::new(light, Level::Low, OutputConfig::default()),
            button: Input::new(button, pulled),
        }
    }
}

impl Services for Board {
    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        THERMOMETER.read(category)
    }

    fn toggle_led(&mut self) -> Result<(), Unavailable> {
        self.light.toggle();
        Ok(())
    }

    fn button_low(&mut self) -> Result<bool, Unavailable> {
        Ok(self.button.is_low())
    }
}

/// The chip's thermometer, where it works.
pub(crate) struct Thermometer(Option<TemperatureSensor<'static>>);

impl Thermometer {
    /// Switches it on.
    pub(crate) fn new(sensor: TSENS<'static>) -> Self {
        Self(TemperatureSensor::new(sensor, Config::default()).ok())
    }
}

/// Reads the thermometer, for ever.
pub(crate) async fn measure(thermometer: Thermometer) {
    let Some(sensor) = thermometer.0 else {
        return;
    };
    loop {
        // It needs a moment after it was switched on.
        Timer::after_secs(INTERVAL_S).await;
        let found = sensor.get_temperature();
        THERMOMETER.says(hundredths(found.raw_value, found.offset));
    }
}

/// What the sensor says, in hundredths of a degree Celsius: 0.4386 degrees for
/// each step, and 27.88 less for each step of its range, and 20.52 less (ESP32-C6
/// Technical Reference Manual, 39.4.4).
fn hundredths(raw: u8, range: i8) -> i32 {
    i32::from(raw) * 4386 / 100 - i32::from(range) * 2788 - 2052
}
