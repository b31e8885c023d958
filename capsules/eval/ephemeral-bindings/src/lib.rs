//! Logs the temperature, with noise from the device's random numbers.
#![no_std]

use sealift_guest::{Line, log, rng, sensors, services};

fn mess_with_temperature() {
    let Some(mut reading) = sensors::celsius() else {
        return log!("[Sensor] Error in the reading");
    };
    reading.value += (rng::u32() % 100) as i32;
    let mut line = Line::<48>::new();
    line.text("[Sensor] ").decimal(reading).text(" °C");
    services::log(line.as_str());
}

sealift_guest::functions!("mess-with-temperature" = mess_with_temperature(); heap = once);

#[cfg(test)]
mod tests {
    use super::*;

    use sealift_guest::Decimal;
    use sealift_guest::testing::Device;

    #[test]
    fn it_logs_a_reading_with_noise() {
        let device = Device::new();
        mess_with_temperature();
        assert_eq!(device.log(), ["[Sensor] Error in the reading"]);
        device.celsius(Decimal {
            value: 2157,
            scaling: -2,
        });
        device.random(&[199]);
        mess_with_temperature();
        assert_eq!(device.log(), ["[Sensor] 22.56 °C"]);
    }
}
