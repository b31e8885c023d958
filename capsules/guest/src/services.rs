//! What the device offers, as far as the manifest grants it.

#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from the WIT"
)]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package sealift:guest-services;
            world services {
                import ariel:wasm-bindings/log-api@0.0.1;
                import ariel:wasm-bindings/rng-api@0.0.1;
                import ariel:wasm-bindings/time-api@0.0.1;
                import ariel:wasm-bindings/sensors-api@0.0.1;
            }
        ",
        path: "../wit/deps/ariel-wasm-bindings",
        generate_all,
    });
}

/// Writes a line to the device's log; as `format!`, up to 96 bytes. Needs the
/// grant `log`.
#[macro_export]
macro_rules! log {
    ($($arg:tt)*) => {{
        let mut line = $crate::Line::<96>::new();
        let _ = ::core::fmt::Write::write_fmt(&mut line, ::core::format_args!($($arg)*));
        $crate::services::log(line.as_str());
    }};
}

/// Writes a line to the device's log. Needs the grant `log`.
pub fn log(line: &str) {
    bindings::ariel::wasm_bindings::log_api::info(line);
}

/// Random numbers. Needs the grant `rng`.
pub mod rng {
    use super::bindings::ariel::wasm_bindings::rng_api::RNG;

    /// 32 random bits.
    #[must_use]
    pub fn u32() -> u32 {
        RNG::next_u32()
    }

    /// 64 random bits.
    #[must_use]
    pub fn u64() -> u64 {
        RNG::next_u64()
    }

    /// Random bytes. A device bounds how many; asking for more traps.
    #[must_use]
    pub fn bytes(len: u32) -> alloc::vec::Vec<u8> {
        RNG::random_bytes(len)
    }
}

/// The clock. Needs the grant `time`.
pub mod time {
    use super::bindings::ariel::wasm_bindings::time_api;

    /// Milliseconds since the device started.
    #[must_use]
    pub fn now() -> u64 {
        time_api::now_as_millis()
    }

    /// Lets time pass; costs fuel in proportion.
    pub fn sleep(millis: u64) {
        time_api::sleep(millis);
    }
}

/// The sensors. Needs the grant `sensors`.
pub mod sensors {
    pub use super::bindings::ariel::wasm_bindings::sensors_api::{
        Category, Channel, Label, MeasurementUnit, Sample, SampleMetadata,
    };
    use super::bindings::ariel::wasm_bindings::sensors_api::{
        trigger_measurements, wait_for_reading,
    };
    use crate::Decimal;

    /// Measures with the sensors of a category and gives the first reading of
    /// a label; `None` where the device has none.
    #[must_use]
    pub fn read(category: Category, label: Label) -> Option<(Sample, Channel)> {
        trigger_measurements(Some(category)).ok()?;
        wait_for_reading(Some(label)).ok()?.into_iter().next()
    }

    /// The temperature in degrees Celsius; `None` where the device has no
    /// thermometer.
    #[must_use]
    pub fn celsius() -> Option<Decimal> {
        let (sample, channel) = read(Category::Temperature, Label::Temperature)?;
        matches!(channel.unit, MeasurementUnit::Celsius).then_some(Decimal {
            value: sample.value,
            scaling: channel.scaling,
        })
    }
}
