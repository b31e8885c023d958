//! Ariel OS's sensors, as capsules see them: they have its categories, labels and
//! units by name, and are not told what is newer than their WIT.

use alloc::vec::Vec;
use core::cell::RefCell;

use ariel_os::sensors::sensor::{ReadingChannel, Sample, SampleMetadata};
use ariel_os::sensors::{self, MeasurementUnit, REGISTRY, Reading as _};
use ariel_os::time::Timer;
use critical_section::Mutex;
use sealift_ariel_adapter::Measured;
use sealift_core::capsule::{Accuracy, Category, Label, Reading, Unavailable, Unit};

/// Seconds between measurements.
const INTERVAL_S: u64 = 10;

static MEASURED: Mutex<RefCell<Measured>> = Mutex::new(RefCell::new(Measured::new()));

/// Asks all sensors that are registered, for ever.
pub(crate) async fn measure() {
    loop {
        for sensor in REGISTRY.sensors() {
            if let Err(error) = sensor.trigger_measurement() {
                log::warn!("sensor {:?}: {error}", sensor.display_name());
            }
        }
        for (number, sensor) in REGISTRY.sensors().enumerate() {
            let categories = sensor.categories().iter().copied();
            let categories: Vec<Category> = categories.filter_map(category).collect();
            let readings = match sensor.wait_for_reading().await {
                Ok(samples) => samples.samples().filter_map(reading).collect(),
                Err(error) => {
                    log::warn!("sensor {:?}: {error}", sensor.display_name());
                    Vec::new()
                }
            };
            critical_section::with(|cs| {
                let mut measured = MEASURED.borrow_ref_mut(cs);
                measured.says(number, categories, readings);
            });
        }
        Timer::after_secs(INTERVAL_S).await;
    }
}

/// What the sensors of this category said last.
///
/// # Errors
///
/// Where there is none.
pub(crate) fn read(category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
    critical_section::with(|cs| MEASURED.borrow_ref(cs).read(category))
}

/// A sample, unless it has no value or is what no capsule has a word for.
fn reading((channel, sample): (ReadingChannel, Sample)) -> Option<Reading> {
    let accuracy = match sample.metadata() {
        SampleMetadata::UnknownAccuracy => Accuracy::Unknown,
        SampleMetadata::NoMeasurementError => Accuracy::Exact,
        SampleMetadata::SymmetricalError {
            deviation,
            bias,
            scaling,
        } => Accuracy::Symmetrical((deviation, bias, scaling)),
        SampleMetadata::ChannelTemporarilyUnavailable => Accuracy::Unavailable,
        SampleMetadata::ChannelDisabled => Accuracy::Disabled,
    };
    Some(Reading {
        value: sample.value().unwrap_or(0),
        scaling: channel.scaling(),
        unit: unit(channel.unit())?,
        label: label(channel.label())?,
        accuracy,
    })
}

/// A function from an enumeration of Ariel OS to that of capsules, where names
/// are the same.
macro_rules! by_name {
    ($function:ident: $theirs:ty => $ours:ty, $($name:ident)*) => {
        fn $function(theirs: $theirs) -> Option<$ours> {
            match theirs {
                $(<$theirs>::$name => Some(<$ours>::$name),)*
                _ => None,
            }
        }
    };
}

by_name!(category: sensors::Category => Category,
    Accelerometer AccelerometerTemperature AccelerometerGyroscope
    AccelerometerGyroscopeTemperature AccelerometerMagnetometerTemperature Ammeter Co2Gas
    Color Gnss Gyroscope RelativeHumidity RelativeHumidityTemperature Light Magnetometer Ph
    Pressure PushButton Temperature Tvoc Voltage);

by_name!(label: sensors::Label => Label,
    AccelerationX AccelerationY AccelerationZ Altitude AngularVelocityX AngularVelocityY
    AngularVelocityZ GroundSpeed Latitude Longitude Opaque RelativeHumidity Heading
    Temperature VerticalSpeed X Y Z);

by_name!(same_unit: MeasurementUnit => Unit,
    AccelG Ampere Becquerel Candela Celsius Coulomb Decibel DecimalDegree Degree
    DegreePerSecond Farad Gram Gray Henry Hertz Joule Katal Kelvin Lumen Lux Meter
    MeterPerSecond Mole Newton Ohm Pascal Percent PercentageRelativeHumidity Radian Second
    Siemens Sievert Steradian Tesla Volt Watt Weber);

fn unit(theirs: MeasurementUnit) -> Option<Unit> {
    match theirs {
        MeasurementUnit::Bool => Some(Unit::Boolean),
        theirs => same_unit(theirs),
    }
}
