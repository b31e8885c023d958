//! treVM's asynchronous world: the device goes on while a capsule sleeps.
#![no_std]

extern crate alloc;
use alloc::format;

use trevm_runtime as _;

wit_bindgen::generate!({
    inline: "
        package trevm:sleeper;
        world capsule {
            import ariel:wasm-bindings/log-api@0.0.1;
            import ariel:wasm-bindings/time-api@0.0.1;
            import ariel:wasm-bindings/rng-api@0.0.1;
            export run: func();
            export nap: func(millis: u64) -> u64;
        }
    ",
    path: "../../../wit/deps/ariel-wasm-bindings",
    generate_all,
});

use ariel::wasm_bindings::log_api::info;
use ariel::wasm_bindings::rng_api::RNG;
use ariel::wasm_bindings::time_api::{now_as_millis, sleep};

struct Component;

impl Guest for Component {
    fn run() {
        for _ in 0..3 {
            let millis = u64::from(RNG::next_u32() % 20);
            let slept = Self::nap(millis);
            info(&format!("wanted {millis} ms, got {slept}"));
        }
        info("rested");
    }

    fn nap(millis: u64) -> u64 {
        let start = now_as_millis();
        sleep(millis);
        now_as_millis() - start
    }
}

export!(Component);
