//! treVM's ephemeral world with bindings: logs the temperature, with random
//! noise on top.
#![no_std]

extern crate alloc;
use alloc::format;

use trevm_runtime as _;

wit_bindgen::generate!({
    inline: "
        package trevm:noise;
        world capsule {
            import ariel:wasm-bindings/sensors-api@0.0.1;
            import ariel:wasm-bindings/log-api@0.0.1;
            import ariel:wasm-bindings/rng-api@0.0.1;
            export measure: func();
        }
    ",
    path: "../../../wit/deps/ariel-wasm-bindings",
    generate_all,
});

use ariel::wasm_bindings::log_api::info;
use ariel::wasm_bindings::rng_api::RNG;
use ariel::wasm_bindings::sensors_api::{
    Category, Label, MeasurementUnit, SampleMetadata, trigger_measurements, wait_for_reading,
};

struct Component;

impl Guest for Component {
    fn measure() {
        if trigger_measurements(Some(Category::Temperature)).is_err() {
            return info("no thermometer");
        }
        for (sample, channel) in wait_for_reading(Some(Label::Temperature)).unwrap_or_default() {
            let accuracy = match sample.metadata {
                SampleMetadata::UnknownAccuracy => "roughly",
                SampleMetadata::NoMeasurementError => "exactly",
                SampleMetadata::SymmetricalError(_) => "about",
                _ => continue,
            };
            let unit = match channel.unit {
                MeasurementUnit::Celsius => "°C",
                MeasurementUnit::Kelvin => "K",
                _ => "?",
            };
            let noise = RNG::next_u32() % 10;
            let value = sample.value / 10 * 10 + noise as i32;
            info(&format!("{accuracy} {value}e{} {unit}", channel.scaling));
        }
    }
}

export!(Component);
