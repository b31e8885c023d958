//! The thermometer's second version: one resource answers in both scales, and
//! counts.
#![no_std]

use core::fmt::Write;

use sealift_guest::{Capsule, Decimal, Line, Method, Request, Response, log, rng, sensors};

struct Thermometer {
    served: u32,
}

impl Capsule for Thermometer {
    fn start() -> Option<Self> {
        log!("thermometer 2 starts");
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
        let mut line = Line::<64>::new();
        let _ = match scale {
            Scale::Celsius => write!(line, "{celsius} °C"),
            Scale::Fahrenheit => write!(line, "{fahrenheit} °F"),
            _ => write!(line, "{celsius} °C, {fahrenheit} °F, no. {}", self.served),
        };
        log!("served {}", line.as_str());
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
