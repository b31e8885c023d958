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

    fn resources(&self) -> &[&str] {
        &[
            "temperature",
            "temperature/celsius",
            "temperature/fahrenheit",
            "version",
        ]
    }

    fn handle(&mut self, request: &Request<'_>) -> Response {
        let fahrenheit = request.path_is(&["temperature", "fahrenheit"]);
        let celsius =
            request.path_is(&["temperature"]) || request.path_is(&["temperature", "celsius"]);
        let version = request.path_is(&["version"]);
        if !(celsius || fahrenheit || version) {
            return Response::not_found();
        }
        if request.method() != Method::Get {
            return Response::method_not_allowed();
        }
        if version {
            return Response::text("1");
        }
        let Some(reading) = temperature() else {
            return Response::unavailable();
        };
        let line = Line::<48>::new();
        let line = if fahrenheit {
            line.decimal(reading.fahrenheit()).text(" °F")
        } else {
            line.decimal(reading).text(" °C")
        };
        self.served = self.served.wrapping_add(1);
        let entry = Line::<96>::new().text("served ").text(line.as_str());
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
