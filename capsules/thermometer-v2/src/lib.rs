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

    fn resources(&self) -> &'static [&'static str] {
        &[
            "temperature",
            "temperature/celsius",
            "temperature/fahrenheit",
            "version",
        ]
    }

    fn handle(&mut self, request: &Request<'_>) -> Response {
        let scale = match request.path() {
            "version" => Scale::None,
            "temperature" => Scale::Both,
            "temperature/celsius" => Scale::Celsius,
            "temperature/fahrenheit" => Scale::Fahrenheit,
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
        let mut line = Line::<64>::new();
        if !matches!(scale, Scale::Fahrenheit) {
            line.decimal(celsius).text(" °C");
        }
        if let Scale::Both = scale {
            line.text(", ");
        }
        if !matches!(scale, Scale::Celsius) {
            line.decimal(fahrenheit).text(" °F");
        }
        if let Scale::Both = scale {
            line.text(", no. ").number(self.served);
        }
        let mut entry = Line::<96>::new();
        services::log(entry.text("served ").text(line.as_str()).as_str());
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
