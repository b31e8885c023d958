//! Serves the temperature, with noise from the device's random numbers, and
//! logs it.
#![no_std]

use sealift_guest::{Capsule, Line, Request, Response, rng, sensors, services};

struct Sensor;

impl Capsule for Sensor {
    fn start() -> Option<Self> {
        Some(Self)
    }

    fn resources(&self) -> &'static [&'static str] {
        &["temperature_sensor"]
    }

    fn handle(&mut self, request: &Request<'_>) -> Response {
        if !request.is("temperature_sensor") {
            return Response::not_found();
        }
        let Some(mut reading) = sensors::celsius() else {
            return Response::unavailable();
        };
        reading.value += (rng::u32() % 100) as i32;
        let mut line = Line::<48>::new();
        line.text("[Sensor] ").decimal(reading).text(" °C");
        services::log(line.as_str());
        Response::text(line.as_str())
    }
}

sealift_guest::persistent!(Sensor, heap = bump);

#[cfg(test)]
mod tests {
    use super::*;

    use sealift_guest::testing::Device;
    use sealift_guest::{Code, Decimal};

    #[test]
    fn it_serves_and_logs_a_reading_with_noise() {
        let device = Device::new();
        let mut capsule = device.start::<Sensor>().unwrap();
        assert_eq!(
            capsule.get("temperature_sensor").code(),
            Code::SERVICE_UNAVAILABLE
        );
        device.celsius(Decimal {
            value: -157,
            scaling: -2,
        });
        device.random(&[42]);
        assert_eq!(
            capsule.get("temperature_sensor").text(),
            "[Sensor] -1.15 °C"
        );
        assert_eq!(device.log(), ["[Sensor] -1.15 °C"]);
        assert_eq!(capsule.get("temperature").code(), Code::NOT_FOUND);
    }
}
