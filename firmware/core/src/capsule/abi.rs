//! The types of the capsule WIT, as Wasmtime moves them in and out of linear
//! memory.
//!
//! The translator gives fields and cases their places as names, `a`, `b` and so
//! on, which is a kilobyte less in a capsule with sensors (`signer/src/slim.rs`):
//! so that is what they are called here, too.

use wasmtime::component::{ComponentType, Lift, Lower};

macro_rules! wit_enum {
    ($(#[$doc:meta])* $name:ident: $($place:literal: $case:ident = $wit:literal,)*) => {
        $(#[$doc])*
        #[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
        #[component(enum)]
        #[repr(u8)]
        pub enum $name {
            $(
                #[doc = concat!("`", $wit, "`")]
                #[component(name = $place)]
                $case,
            )*
        }

        #[cfg(test)]
        impl $name {
            /// Places and names in the WIT.
            const CASES: &[(&str, &str)] = &[$(($place, $wit),)*];
        }
    };
}

wit_enum! {
    /// What a sensor measures, all in all.
    Category:
    "a": Accelerometer = "accelerometer",
    "b": AccelerometerTemperature = "accelerometer-temperature",
    "c": AccelerometerGyroscope = "accelerometer-gyroscope",
    "d": AccelerometerGyroscopeTemperature = "accelerometer-gyroscope-temperature",
    "e": AccelerometerMagnetometerTemperature = "accelerometer-magnetometer-temperature",
    "f": Ammeter = "ammeter",
    "g": Co2Gas = "co2-gas",
    "h": Color = "color",
    "i": Gnss = "gnss",
    "j": Gyroscope = "gyroscope",
    "k": RelativeHumidity = "relative-humidity",
    "l": RelativeHumidityTemperature = "relative-humidity-temperature",
    "m": Light = "light",
    "n": Magnetometer = "magnetometer",
    "o": Ph = "ph",
    "p": Pressure = "pressure",
    "q": PushButton = "push-button",
    "r": Temperature = "temperature",
    "s": Tvoc = "tvoc",
    "t": Voltage = "voltage",
}

wit_enum! {
    /// What one channel of a sensor measures.
    Label:
    "a": AccelerationX = "acceleration-x",
    "b": AccelerationY = "acceleration-y",
    "c": AccelerationZ = "acceleration-z",
    "d": Altitude = "altitude",
    "e": AngularVelocityX = "angular-velocity-x",
    "f": AngularVelocityY = "angular-velocity-y",
    "g": AngularVelocityZ = "angular-velocity-z",
    "h": GroundSpeed = "ground-speed",
    "i": Latitude = "latitude",
    "j": Longitude = "longitude",
    "k": Opaque = "opaque",
    "l": RelativeHumidity = "relative-humidity",
    "m": Heading = "heading",
    "n": Temperature = "temperature",
    "o": VerticalSpeed = "vertical-speed",
    "p": X = "x",
    "q": Y = "y",
    "r": Z = "z",
}

wit_enum! {
    /// The unit of a value.
    Unit:
    "a": AccelG = "accel-g",
    "b": Ampere = "ampere",
    "c": Becquerel = "becquerel",
    "d": Boolean = "boolean",
    "e": Candela = "candela",
    "f": Celsius = "celsius",
    "g": Coulomb = "coulomb",
    "h": Decibel = "decibel",
    "i": DecimalDegree = "decimaldegree",
    "j": Degree = "degree",
    "k": DegreePerSecond = "degree-per-second",
    "l": Farad = "farad",
    "m": Gram = "gram",
    "n": Gray = "gray",
    "o": Henry = "henry",
    "p": Hertz = "hertz",
    "q": Joule = "joule",
    "r": Katal = "katal",
    "s": Kelvin = "kelvin",
    "t": Lumen = "lumen",
    "u": Lux = "lux",
    "v": Meter = "meter",
    "w": MeterPerSecond = "meter-per-second",
    "x": Mole = "mole",
    "y": Newton = "newton",
    "z": Ohm = "ohm",
    "aa": Pascal = "pascal",
    "ba": Percent = "percent",
    "ca": PercentageRelativeHumidity = "percentage-relative-humidity",
    "da": Radian = "radian",
    "ea": Second = "second",
    "fa": Siemens = "siemens",
    "ga": Sievert = "sievert",
    "ha": Steradian = "steradian",
    "ia": Tesla = "tesla",
    "ja": Volt = "volt",
    "ka": Watt = "watt",
    "la": Weber = "weber",
}

/// How far a value can be trusted.
#[derive(ComponentType, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(variant)]
pub enum Accuracy {
    /// Not known.
    #[component(name = "a")]
    Unknown,
    /// The value is exact.
    #[component(name = "b")]
    Exact,
    /// Deviation and bias, in units of ten to the power of the third.
    #[component(name = "c")]
    Symmetrical((u8, i8, i8)),
    /// There is no value now.
    #[component(name = "d")]
    Unavailable,
    /// The channel is switched off.
    #[component(name = "e")]
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
    #[component(name = "a")]
    value: i32,
    #[component(name = "b")]
    metadata: Accuracy,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(super) struct Channel {
    #[component(name = "a")]
    label: Label,
    #[component(name = "b")]
    scaling: i8,
    #[component(name = "c")]
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
    #[component(name = "a")]
    NotFound,
    #[component(name = "b")]
    InternalServerError,
    #[component(name = "c")]
    HandlerNotBuilt,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of an enum of the WIT, in order.
    fn cases(wit: &'static str) -> impl Iterator<Item = &'static str> {
        let sensors = include_str!("../../../../capsules/wit/deps/ariel-wasm-bindings/sensors.wit");
        let (_, rest) = sensors
            .split_once(&alloc::format!("enum {wit} {{"))
            .unwrap();
        let (cases, _) = rest.split_once('}').unwrap();
        cases
            .split(',')
            .map(str::trim)
            .filter(|case| !case.is_empty())
    }

    #[test]
    fn cases_have_the_places_that_they_have_in_the_wit() {
        for (wit, ours) in [
            ("category", Category::CASES),
            ("label", Label::CASES),
            ("measurement-unit", Unit::CASES),
        ] {
            assert!(cases(wit).eq(ours.iter().map(|(_, name)| *name)), "{wit}");
            for (at, (place, name)) in ours.iter().enumerate() {
                let letter = |number: usize| char::from(b'a' + u8::try_from(number).unwrap());
                let mut letters = alloc::string::String::from(letter(at % 26));
                if let Some(more) = (at / 26).checked_sub(1) {
                    letters.push(letter(more));
                }
                assert_eq!(*place, letters, "{name}");
            }
        }
    }
}
