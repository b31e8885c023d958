//! treVM's GPIO world: the button switches the light.
#![no_std]

extern crate alloc;
use alloc::string::String;

use trevm_runtime as _;

wit_bindgen::generate!({
    inline: "
        package trevm:blink;
        world capsule {
            import ariel:wasm-bindings/log-api@0.0.1;
            import ariel:wasm-bindings/gpio-api@0.0.1;
            import ariel:wasm-bindings/time-api@0.0.1;
            export blink: func(times: u32) -> string;
        }
    ",
    path: "../../../wit/deps/ariel-wasm-bindings",
    generate_all,
});

use ariel::wasm_bindings::gpio_api::{toggle_led, wait_for_button_low};
use ariel::wasm_bindings::log_api::info;
use ariel::wasm_bindings::time_api::sleep;

struct Component;

impl Guest for Component {
    fn blink(times: u32) -> String {
        for _ in 0..times {
            info("press the button");
            if wait_for_button_low().is_err() {
                return String::from("no button");
            }
            if toggle_led().is_err() {
                return String::from("no light");
            }
            // What a finger leaves of bouncing.
            sleep(20);
        }
        String::from("done")
    }
}

export!(Component);
