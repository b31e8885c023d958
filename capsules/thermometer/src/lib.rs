//! Serves the temperature. The last digit is noise, from the device's random
//! numbers, so that nobody takes the demo for a measurement.
#![no_std]

use sealift_guest::{Capsule, Decimal, Line, Method, Request, Response, rng, sensors, services};

struct Thermometer {
    served: u32,
}

impl Capsule for Thermometer {
    fn start() -> Option<Self> {
        services::log("thermometer 1 starts");
        Some(Self { served: 0 })
    }

    fn resources(&self) -> &'static [&'static str] {
        &[
            "temperature",
            "temperature/celsius",
            "temperature/fahrenheit",
            "version",
        ]
    }

    fn handle(&mut self, request: &Request<'_>) -> Response {
        let fahrenheit = match request.path() {
            "temperature" | "temperature/celsius" => Some(false),
            "temperature/fahrenheit" => Some(true),
            "version" => None,
            _ => return Response::not_found(),
        };
        if request.method() != Method::Get {
            return Response::method_not_allowed();
        }
        let Some(fahrenheit) = fahrenheit else {
            return Response::text("1");
        };
        let Some(reading) = temperature() else {
            return Response::unavailable();
        };
        let mut line = Line::<48>::new();
        if fahrenheit {
            line.decimal(reading.fahrenheit()).text(" °F");
        } else {
            line.decimal(reading).text(" °C");
        }
        self.served = self.served.wrapping_add(1);
        let mut entry = Line::<96>::new();
        entry.text("served ").text(line.as_str());
        services::log(entry.text(" as no. ").number(self.served).as_str());
        Response::text(line.as_str())
    }
}

fn temperature() -> Option<Decimal> {
    let mut reading = sensors::celsius()?;
    reading.value = reading.value / 10 * 10 + (rng::u32() % 10) as i32;
    Some(reading)
}

sealift_guest::persistent!(Thermometer);

#[cfg(test)]
mod tests {
    use super::*;

    use sealift_guest::Code;
    use sealift_guest::testing::Device;

    #[test]
    fn it_serves_the_temperature_in_both_scales() {
        let device = Device::new();
        let mut thermometer = device.start::<Thermometer>().unwrap();
        device.celsius(Decimal {
            value: 2157,
            scaling: -2,
        });
        device.random(&[14, 15]);
        assert_eq!(thermometer.get("temperature").text(), "21.54 °C");
        assert_eq!(
            thermometer.get("temperature/fahrenheit").text(),
            "70.790 °F"
        );
        assert_eq!(
            device.log(),
            [
                "thermometer 1 starts",
                "served 21.54 °C as no. 1",
                "served 70.790 °F as no. 2"
            ]
        );
    }

    #[test]
    fn without_a_sensor_it_says_so() {
        let mut thermometer = Device::new().start::<Thermometer>().unwrap();
        let code = |path| thermometer.get(path).code();
        let paths = ["temperature", "version", "temperature/kelvin"];
        let codes = [Code::SERVICE_UNAVAILABLE, Code::CONTENT, Code::NOT_FOUND];
        assert_eq!(paths.map(code), codes);
    }
}
