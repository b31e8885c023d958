//! The sensors. Needs the grant `sensors`.
//!
//! The types are laid out as the canonical ABI has them in linear memory, so
//! that what the device writes is used in place.

use alloc::boxed::Box;

use super::{Unavailable, sys};
use crate::Decimal;

/// What a sensor measures, all in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of the WIT")]
pub enum Category {
    Accelerometer,
    AccelerometerTemperature,
    AccelerometerGyroscope,
    AccelerometerGyroscopeTemperature,
    AccelerometerMagnetometerTemperature,
    Ammeter,
    Co2Gas,
    Color,
    Gnss,
    Gyroscope,
    RelativeHumidity,
    RelativeHumidityTemperature,
    Light,
    Magnetometer,
    Ph,
    Pressure,
    PushButton,
    Temperature,
    Tvoc,
    Voltage,
}

/// What a value is a value of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of the WIT")]
pub enum Label {
    AccelerationX,
    AccelerationY,
    AccelerationZ,
    Altitude,
    AngularVelocityX,
    AngularVelocityY,
    AngularVelocityZ,
    GroundSpeed,
    Latitude,
    Longitude,
    Opaque,
    RelativeHumidity,
    Heading,
    Temperature,
    VerticalSpeed,
    X,
    Y,
    Z,
}

/// The unit of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of the WIT")]
pub enum Unit {
    AccelG,
    Ampere,
    Becquerel,
    Boolean,
    Candela,
    Celsius,
    Coulomb,
    Decibel,
    Decimaldegree,
    Degree,
    DegreePerSecond,
    Farad,
    Gram,
    Gray,
    Henry,
    Hertz,
    Joule,
    Katal,
    Kelvin,
    Lumen,
    Lux,
    Meter,
    MeterPerSecond,
    Mole,
    Newton,
    Ohm,
    Pascal,
    Percent,
    PercentageRelativeHumidity,
    Radian,
    Second,
    Siemens,
    Sievert,
    Steradian,
    Tesla,
    Volt,
    Watt,
    Weber,
}

/// How far a value can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Accuracy {
    /// Not known.
    Unknown,
    /// The value is exact.
    Exact,
    /// Deviation and bias, in `10^scaling` of the value's unit.
    Symmetrical {
        /// How far values are apart.
        deviation: u8,
        /// How far they are off.
        bias: i8,
        /// The power of ten of both.
        scaling: i8,
    },
    /// There is no value now.
    Unavailable,
    /// The channel is switched off.
    Disabled,
}

/// What a sensor found: `value * 10^scaling` of `unit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Reading {
    /// The digits.
    pub value: i32,
    /// How far it can be trusted.
    pub accuracy: Accuracy,
    /// What it is a value of.
    pub label: Label,
    /// The power of ten.
    pub scaling: i8,
    /// The unit.
    pub unit: Unit,
}

impl Reading {
    /// The value; `None` where the sensor has none.
    #[must_use]
    pub fn decimal(&self) -> Option<Decimal> {
        let Self { value, scaling, .. } = *self;
        match self.accuracy {
            Accuracy::Unavailable | Accuracy::Disabled => None,
            _ => Some(Decimal { value, scaling }),
        }
    }
}

/// Measures with the sensors of a category, or with all there are.
///
/// # Errors
///
/// Where there is none, or it does not answer.
pub fn measure(category: Option<Category>) -> Result<(), Unavailable> {
    sys::trigger(category)
}

/// What the last measurement found, of one label or all of it.
///
/// # Errors
///
/// Where there was none.
pub fn readings(label: Option<Label>) -> Result<Box<[Reading]>, Unavailable> {
    sys::readings(label)
}

/// The temperature in degrees Celsius; `None` where the device has no
/// thermometer.
#[must_use]
pub fn celsius() -> Option<Decimal> {
    measure(Some(Category::Temperature)).ok()?;
    let readings = readings(Some(Label::Temperature)).ok()?;
    let reading = readings
        .first()
        .filter(|reading| reading.unit == Unit::Celsius);
    reading.and_then(Reading::decimal)
}

const _: () = {
    assert!(size_of::<Reading>() == 12 && align_of::<Reading>() == 4);
    assert!(core::mem::offset_of!(Reading, label) == 8);
    assert!(size_of::<Accuracy>() == 4);
};
