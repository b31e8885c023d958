//! Loops that a capsule does, too, compiled for the processor itself: the same source,
//! and for speed. Tasks: `f`, a Fibonacci number; `l`, the set of loops.

#![no_std]
#![no_main]

use core::hint::black_box;

use sealift_counting::{Host, Task, counted, start};
use sealift_loops::{fibonacci, run};

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    start();
    let host = Host::connect();
    loop {
        let Task { kind, number, .. } = host.next(&mut []);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let (result, instructions) = match kind {
            b'f' => counted(|| fibonacci(black_box(number))),
            b'l' => counted(|| run(black_box(number))),
            _ => panic!(),
        };
        host.answer(instructions, &result.to_le_bytes());
    }
}
