//! The types of the capsule WIT, as Wasmtime moves them in and out of linear
//! memory.

use wasmtime::component::{ComponentType, Lift, Lower};

macro_rules! wit_enum {
    ($(#[$doc:meta])* $name:ident: $($case:ident = $wit:literal,)*) => {
        $(#[$doc])*
        #[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
        #[component(enum)]
        #[repr(u8)]
        pub enum $name {
            $(
                #[doc = concat!("`", $wit, "`")]
                #[component(name = $wit)]
                $case,
            )*
        }
    };
}

wit_enum! {
    /// What a sensor measures, all in all.
    Category:
    Accelerometer = "accelerometer",
    AccelerometerTemperature = "accelerometer-temperature",
    AccelerometerGyroscope = "accelerometer-gyroscope",
    AccelerometerGyroscopeTemperature = "accelerometer-gyroscope-temperature",
    AccelerometerMagnetometerTemperature = "accelerometer-magnetometer-temperature",
    Ammeter = "ammeter",
    Co2Gas = "co2-gas",
    Color = "color",
    Gnss = "gnss",
    Gyroscope = "gyroscope",
    RelativeHumidity = "relative-humidity",
    RelativeHumidityTemperature = "relative-humidity-temperature",
    Light = "light",
    Magnetometer = "magnetometer",
    Ph = "ph",
    Pressure = "pressure",
    PushButton = "push-button",
    Temperature = "temperature",
    Tvoc = "tvoc",
    Voltage = "voltage",
}

wit_enum! {
    /// What one channel of a sensor measures.
    Label:
    AccelerationX = "acceleration-x",
    AccelerationY = "acceleration-y",
    AccelerationZ = "acceleration-z",
    Altitude = "altitude",
    AngularVelocityX = "angular-velocity-x",
    AngularVelocityY = "angular-velocity-y",
    AngularVelocityZ = "angular-velocity-z",
    GroundSpeed = "ground-speed",
    Latitude = "latitude",
    Longitude = "longitude",
    Opaque = "opaque",
    RelativeHumidity = "relative-humidity",
    Heading = "heading",
    Temperature = "temperature",
    VerticalSpeed = "vertical-speed",
    X = "x",
    Y = "y",
    Z = "z",
}

wit_enum! {
    /// The unit of a value.
    Unit:
    AccelG = "accel-g",
    Ampere = "ampere",
    Becquerel = "becquerel",
    Boolean = "boolean",
    Candela = "candela",
    Celsius = "celsius",
    Coulomb = "coulomb",
    Decibel = "decibel",
    DecimalDegree = "decimaldegree",
    Degree = "degree",
    DegreePerSecond = "degree-per-second",
    Farad = "farad",
    Gram = "gram",
    Gray = "gray",
    Henry = "henry",
    Hertz = "hertz",
    Joule = "joule",
    Katal = "katal",
    Kelvin = "kelvin",
    Lumen = "lumen",
    Lux = "lux",
    Meter = "meter",
    MeterPerSecond = "meter-per-second",
    Mole = "mole",
    Newton = "newton",
    Ohm = "ohm",
    Pascal = "pascal",
    Percent = "percent",
    PercentageRelativeHumidity = "percentage-relative-humidity",
    Radian = "radian",
    Second = "second",
    Siemens = "siemens",
    Sievert = "sievert",
    Steradian = "steradian",
    Tesla = "tesla",
    Volt = "volt",
    Watt = "watt",
    Weber = "weber",
}

/// How far a value can be trusted.
#[derive(ComponentType, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(variant)]
pub enum Accuracy {
    /// Not known.
    #[component(name = "unknown-accuracy")]
    Unknown,
    /// The value is exact.
    #[component(name = "no-measurement-error")]
    Exact,
    /// Deviation and bias, in units of ten to the power of the third.
    #[component(name = "symmetrical-error")]
    Symmetrical((u8, i8, i8)),
    /// There is no value now.
    #[component(name = "channel-temporarily-unavailable")]
    Unavailable,
    /// The channel is switched off.
    #[component(name = "channel-disabled")]
    Disabled,
}

/// What a sensor found: `value * 10^scaling` of `unit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The digits.
    pub value: i32,
    /// The power of ten.
    pub scaling: i8,
    /// The unit.
    pub unit: Unit,
    /// What it is a value of.
    pub label: Label,
    /// How far it can be trusted.
    pub accuracy: Accuracy,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(super) struct Sample {
    value: i32,
    metadata: Accuracy,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(super) struct Channel {
    label: Label,
    scaling: i8,
    unit: Unit,
}

impl From<&Reading> for (Sample, Channel) {
    fn from(reading: &Reading) -> Self {
        let sample = Sample {
            value: reading.value,
            metadata: reading.accuracy,
        };
        let channel = Channel {
            label: reading.label,
            scaling: reading.scaling,
            unit: reading.unit,
        };
        (sample, channel)
    }
}

#[derive(ComponentType, Lift, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by the derived code, from numbers")]
pub(super) enum CoapErr {
    #[component(name = "not-found")]
    NotFound,
    #[component(name = "internal-server-error")]
    InternalServerError,
    #[component(name = "handler-not-built")]
    HandlerNotBuilt,
}
