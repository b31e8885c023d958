//! The room around a board that has no sensors: a thermometer in it, simulated.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;

use sealift_core::capsule::{Accuracy, Category, Label, Reading, Unavailable, Unit};

/// What the sensors of this category say, `now_ms` milliseconds after the start.
///
/// # Errors
///
/// Where there are none: all there is is a thermometer.
pub fn read_sensors(now_ms: u64, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
    match category {
        None | Some(Category::Temperature) => Ok(vec![Reading {
            value: room_temperature(now_ms),
            scaling: -2,
            unit: Unit::Celsius,
            label: Label::Temperature,
            accuracy: Accuracy::Unknown,
        }]),
        Some(_) => Err(Unavailable),
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
    use super::*;

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
