//! The thermometer's second version: one resource answers in both scales, and
//! counts.
#![no_std]

use sealift_guest::{Capsule, Decimal, Line, Method, Request, Response, rng, sensors, services};

struct Thermometer {
    served: u32,
}

impl Capsule for Thermometer {
    fn start() -> Option<Self> {
        services::log("thermometer 2 starts");
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
        let mut path = request.path();
        let scale = match (path.next(), path.next(), path.next()) {
            (Some(b"version"), None, None) => Scale::None,
            (Some(b"temperature"), None, None) => Scale::Both,
            (Some(b"temperature"), Some(b"celsius"), None) => Scale::Celsius,
            (Some(b"temperature"), Some(b"fahrenheit"), None) => Scale::Fahrenheit,
            _ => return Response::not_found(),
        };
        if request.method() != Method::Get {
            return Response::method_not_allowed();
        }
        if let Scale::None = scale {
            return Response::text("2");
        }
        let Some(celsius) = temperature() else {
            return Response::unavailable();
        };
        self.served = self.served.wrapping_add(1);
        let fahrenheit = celsius.fahrenheit();
        let line = Line::<64>::new();
        let line = match scale {
            Scale::Celsius => line.decimal(celsius).text(" °C"),
            Scale::Fahrenheit => line.decimal(fahrenheit).text(" °F"),
            _ => line
                .decimal(celsius)
                .text(" °C, ")
                .decimal(fahrenheit)
                .text(" °F, no. ")
                .number(self.served),
        };
        let entry = Line::<96>::new().text("served ");
        services::log(entry.text(line.as_str()).as_str());
        Response::text(line.as_str())
    }
}

enum Scale {
    None,
    Both,
    Celsius,
    Fahrenheit,
}

fn temperature() -> Option<Decimal> {
    let mut reading = sensors::celsius()?;
    reading.value = reading.value / 10 * 10 + (rng::u32() % 10) as i32;
    Some(reading)
}

sealift_guest::persistent!(Thermometer);
