//! A thermometer on the chip, as capsules see it.

use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering};

use sealift_core::capsule::{Accuracy, Category, Label, Reading, Unavailable, Unit};

/// What a thermometer last said. Measuring takes time, which no capsule is to
/// make others wait for: a task of the board does it now and then.
#[derive(Debug)]
pub struct Thermometer(AtomicI32);

/// Nothing was measured yet.
const NOTHING: i32 = i32::MIN;

impl Thermometer {
    /// One that was not read yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicI32::new(NOTHING))
    }

    /// It says so many hundredths of a degree Celsius.
    pub fn says(&self, hundredths: i32) {
        self.0.store(hundredths, Ordering::Relaxed);
    }

    /// What the sensors of this category say, on a board that has this one.
    ///
    /// # Errors
    ///
    /// Where it is not asked for temperatures, or before the first measurement.
    pub fn read(&self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        let value = self.0.load(Ordering::Relaxed);
        match category {
            None | Some(Category::Temperature) if value != NOTHING => Ok(vec![Reading {
                value,
                scaling: -2,
                unit: Unit::Celsius,
                label: Label::Temperature,
                accuracy: Accuracy::Unknown,
            }]),
            _ => Err(Unavailable),
        }
    }
}

impl Default for Thermometer {
    fn default() -> Self {
        Self::new()
    }
}
