//! What this board has for capsules.

use alloc::vec::Vec;

use embassy_nrf::Peri;
use embassy_nrf::gpio::{Input, Level, Output, OutputDrive, Pull};
use embassy_nrf::peripherals::{P0_11, P0_13};
use embassy_nrf::temp::Temp;
use embassy_time::Timer;
use sealift_core::capsule::{Category, Reading, Unavailable};
use sealift_mcu::{Services, Thermometer};

/// Seconds between measurements.
const INTERVAL_S: u64 = 10;

static THERMOMETER: Thermometer = Thermometer::new();

/// Light 1 and button 1, and the chip's own thermometer.
pub(crate) struct Board {
    light: Output<'static>,
    button: Input<'static>,
}

impl Board {
    /// The light is off.
    pub(crate) fn new(light: Peri<'static, P0_13>, button: Peri<'static, P0_11>) -> Self {
        Self {
            // On when low.
            light: Output::new(light, Level::High, OutputDrive::Standard),
            button: Input::new(button, Pull::Up),
        }
    }
}

/// Reads the thermometer, for ever.
pub(crate) async fn measure(mut thermometer: Temp<'static>) {
    loop {
        // In quarters of a degree.
        let quarters = thermometer.read().await.to_bits();
        THERMOMETER.says(quarters.saturating_mul(25));
        Timer::after_secs(INTERVAL_S).await;
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
