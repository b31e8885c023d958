//! What the Ariel OS application needs and can be tested without Ariel OS.
//!
//! Its sensors answer after a while, and a capsule's question has to be answered
//! at once, as the device serves nobody meanwhile. So a task asks them now and
//! then, and [`Measured`] keeps what they said last.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unreachable,
        clippy::todo
    )
)]

extern crate alloc;

use alloc::vec::Vec;

use sealift_core::capsule::{Category, Reading, Unavailable};

/// What one sensor said last, and what kinds of sensor it is.
#[derive(Debug)]
struct Sensor {
    number: usize,
    categories: Vec<Category>,
    readings: Vec<Reading>,
}

/// What all sensors said last.
#[derive(Debug, Default)]
pub struct Measured(Vec<Sensor>);

impl Measured {
    /// Nothing was measured yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sensor `number`, which is of these categories, says this. One that says
    /// nothing does not answer: what it said before is forgotten.
    pub fn says(&mut self, number: usize, categories: Vec<Category>, readings: Vec<Reading>) {
        self.0.retain(|sensor| sensor.number != number);
        if !readings.is_empty() {
            let place = self.0.partition_point(|sensor| sensor.number < number);
            self.0.insert(
                place,
                Sensor {
                    number,
                    categories,
                    readings,
                },
            );
        }
    }

    /// What the sensors of this category said last, or all of them, in order of
    /// their numbers.
    ///
    /// # Errors
    ///
    /// Where there is none that said something.
    pub fn read(&self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        let asked = |sensor: &&Sensor| {
            category.is_none_or(|category| sensor.categories.contains(&category))
        };
        let readings: Vec<Reading> = self
            .0
            .iter()
            .filter(asked)
            .flat_map(|sensor| sensor.readings.iter().copied())
            .collect();
        match readings.is_empty() {
            true => Err(Unavailable),
            false => Ok(readings),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use sealift_core::capsule::{Accuracy, Label, Unit};

    use super::*;

    fn reading(value: i32) -> Reading {
        Reading {
            value,
            scaling: 0,
            unit: Unit::Celsius,
            label: Label::Temperature,
            accuracy: Accuracy::Unknown,
        }
    }

    fn values(measured: &Measured, category: Option<Category>) -> Vec<i32> {
        let readings = measured.read(category).unwrap_or_default();
        readings.iter().map(|reading| reading.value).collect()
    }

    #[test]
    fn each_sensor_has_its_latest_word_in_its_place() {
        let mut measured = Measured::new();
        measured.says(1, vec![Category::Temperature], vec![reading(10)]);
        measured.says(0, vec![Category::Pressure], vec![reading(1), reading(2)]);
        assert_eq!(values(&measured, None), [1, 2, 10]);
        measured.says(0, vec![Category::Pressure], vec![reading(3)]);
        assert_eq!(values(&measured, None), [3, 10]);
    }

    #[test]
    fn only_sensors_of_the_category_are_asked() {
        let both = vec![Category::RelativeHumidity, Category::Temperature];
        let mut measured = Measured::new();
        measured.says(0, vec![Category::Pressure], vec![reading(1)]);
        measured.says(1, both, vec![reading(2)]);
        assert_eq!(values(&measured, Some(Category::Temperature)), [2]);
        assert_eq!(values(&measured, Some(Category::RelativeHumidity)), [2]);
        assert_eq!(measured.read(Some(Category::Light)), Err(Unavailable));
    }

    #[test]
    fn a_sensor_that_does_not_answer_any_more_is_not_there() {
        let mut measured = Measured::new();
        assert_eq!(measured.read(None), Err(Unavailable));
        measured.says(0, vec![Category::Temperature], vec![reading(1)]);
        measured.says(0, vec![Category::Temperature], vec![]);
        assert_eq!(measured.read(None), Err(Unavailable));
    }
}
