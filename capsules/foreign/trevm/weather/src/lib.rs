//! treVM's persistent world with bindings: serves the temperature with random
//! noise on top, and logs what it serves.
#![no_std]

extern crate alloc;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicU32, Ordering};

use coap_handler::{Handler, Reporting};
use coap_handler_implementations::{
    HandlerBuilder, SimpleRenderable, SimpleRendered, new_dispatcher,
};

wit_bindgen::generate!({
    inline: "
        package trevm:weather;
        world capsule {
            import ariel:wasm-bindings/sensors-api@0.0.1;
            import ariel:wasm-bindings/log-api@0.0.1;
            import ariel:wasm-bindings/rng-api@0.0.1;
            export ariel:wasm-bindings/coap-server-guest@0.0.1;
        }
    ",
    path: "../../../wit/deps/ariel-wasm-bindings",
    generate_all,
});

use ariel::wasm_bindings::log_api::info;
use ariel::wasm_bindings::rng_api::RNG;
use ariel::wasm_bindings::sensors_api::{Category, Label, trigger_measurements, wait_for_reading};
use exports::ariel::wasm_bindings::coap_server_guest::{CoapErr, Guest};

/// What stays from one request to the next.
static SERVED: AtomicU32 = AtomicU32::new(0);

struct Temperature;

impl SimpleRenderable for Temperature {
    fn render<W: Write>(&mut self, writer: &mut W) {
        let measured = trigger_measurements(Some(Category::Temperature));
        let readings = measured.and_then(|()| wait_for_reading(Some(Label::Temperature)));
        let Some((sample, channel)) = readings.ok().and_then(|mut readings| readings.pop()) else {
            let _ = writer.write_str("no thermometer");
            return;
        };
        let noise = RNG::next_u32() % 10;
        let value = sample.value / 10 * 10 + noise as i32;
        let served = SERVED.fetch_add(1, Ordering::Relaxed) + 1;
        let line = format!("{value}e{} degrees, no. {served}", channel.scaling);
        info(&line);
        // A writer that is full has what fits.
        let _ = writer.write_str(&line);
    }
}

fn handler() -> impl Handler + Reporting {
    new_dispatcher().at(&["temperature"], SimpleRendered(Temperature))
}

struct Component;

impl Guest for Component {
    fn initialize_handler() -> Result<(), ()> {
        info("the weather station starts");
        Ok(())
    }

    fn report() -> Result<Vec<String>, CoapErr> {
        Ok(trevm_runtime::paths(&handler()))
    }

    fn coap_run(code: u8, length: u32, message: Vec<u8>) -> Result<(u8, Vec<u8>), CoapErr> {
        trevm_runtime::answer(handler(), code, length, message).ok_or(CoapErr::InternalServerError)
    }
}

export!(Component);
