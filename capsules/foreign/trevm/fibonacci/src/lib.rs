//! treVM's ephemeral world without bindings: a function of a number.
#![no_std]

extern crate alloc;
use trevm_runtime as _;

wit_bindgen::generate!({
    inline: "
        package trevm:fibonacci;
        world capsule {
            export fibonacci: func(n: u32) -> u32;
        }
    ",
});

struct Component;

impl Guest for Component {
    fn fibonacci(n: u32) -> u32 {
        let mut pair = [0_u32, 1];
        for _ in 0..n {
            pair = [pair[1], pair[0].wrapping_add(pair[1])];
        }
        pair[0]
    }
}

export!(Component);
