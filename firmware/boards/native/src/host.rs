//! What capsules may use of this board: the log, the system's random numbers
//! and clock, and a simulated temperature sensor.

use std::time::Instant;

use rand_core::{OsRng, RngCore};
use sealift_core::capsule::{Accuracy, Category, Host, Label, Reading, Unavailable, Unit};

/// The services of a Linux process.
#[derive(Clone, Debug)]
pub(crate) struct NativeHost {
    start: Instant,
}

impl NativeHost {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Host for NativeHost {
    fn log(&mut self, capsule: &str, line: &str) {
        log::info!("{capsule}: says: {line}");
    }

    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable> {
        OsRng.try_fill_bytes(bytes).map_err(|_| Unavailable)
    }

    fn now_ms(&mut self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        match category {
            None | Some(Category::Temperature) => Ok(vec![Reading {
                value: room_temperature(self.now_ms()),
                scaling: -2,
                unit: Unit::Celsius,
                label: Label::Temperature,
                accuracy: Accuracy::Unknown,
            }]),
            Some(_) => Err(Unavailable),
        }
    }
}

/// A room whose temperature rises and falls by a degree in twenty minutes, in
/// hundredths of a degree Celsius.
fn room_temperature(now_ms: u64) -> i32 {
    const HALF_PERIOD_S: u64 = 600;
    let seconds = now_ms / 1000;
    let phase = seconds % HALF_PERIOD_S;
    let rising = (seconds / HALF_PERIOD_S).is_multiple_of(2);
    let along = if rising { phase } else { HALF_PERIOD_S - phase };
    2100 + i32::try_from(along * 100 / HALF_PERIOD_S).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::room_temperature;

    #[test]
    fn the_room_stays_between_21_and_22_degrees_without_jumps() {
        let mut before = room_temperature(0);
        for second in 0..3000 {
            let now = room_temperature(second * 1000);
            assert!((2100..=2200).contains(&now));
            assert!((now - before).abs() <= 1);
            before = now;
        }
    }
}
