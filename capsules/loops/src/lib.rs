//! Goes through a set of loops, so often as it is asked to; what comes out is their
//! checksum.
#![no_std]

fn loops(rounds: u32) -> u32 {
    sealift_loops::run(rounds)
}

sealift_guest::functions!("loops" = loops(rounds: u32) -> u32; heap = none);
