//! treVM's persistent world without bindings: two resources on the
//! `coap-handler` crates.
#![no_std]

extern crate alloc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use coap_handler::{Handler, Reporting};
use coap_handler_implementations::{
    HandlerBuilder, SimpleRenderable, SimpleRendered, new_dispatcher,
};

wit_bindgen::generate!({
    inline: "
        package trevm:numbers;
        world capsule {
            export ariel:wasm-bindings/coap-server-guest@0.0.1;
        }
    ",
    path: "../../../wit/deps/ariel-wasm-bindings",
    generate_all,
});

use exports::ariel::wasm_bindings::coap_server_guest::{CoapErr, Guest};

/// The number of a sequence that starts with 0 and 1 and adds two to the next.
struct Fibonacci(u32);

impl SimpleRenderable for Fibonacci {
    fn render<W: Write>(&mut self, writer: &mut W) {
        let (mut this, mut next) = (0_u32, 1_u32);
        for _ in 0..self.0 {
            (this, next) = (next, this.wrapping_add(next));
        }
        // A writer that is full has what fits.
        let _ = write!(writer, "number {} is {this}", self.0);
    }
}

fn handler() -> impl Handler + Reporting {
    new_dispatcher()
        .at(&["fibonacci", "ten"], SimpleRendered(Fibonacci(10)))
        .at(&["fibonacci", "twenty"], SimpleRendered(Fibonacci(20)))
}

struct Component;

impl Guest for Component {
    fn initialize_handler() -> Result<(), ()> {
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
