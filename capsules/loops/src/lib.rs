//! Goes through loops, as often as it is asked to, and says what they come to: the same
//! loops as `firmware/boards/counting` has, to compare their instructions.
#![no_std]

use sealift_loops::{fibonacci, run};

sealift_guest::functions!(
    "fibonacci" = fibonacci(rounds: u32) -> u32,
    "loops" = run(rounds: u32) -> u32;
    heap = none
);
