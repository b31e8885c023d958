//! The loop of CoreMark, with the parameters of its performance run on 2,000 bytes.
//!
//! The crate `coremark` 1.0.0 by ahaoboy (MIT), a port of EEMBC's benchmark to Rust
//! that gives the reference's checksums, without what needs `std`: its report and its
//! clock. The algorithms are as they are there, but for two accesses to the list whose
//! bounds were not checked, and are here. What comes out is no CoreMark score, which
//! would take EEMBC's own source, unchanged; it is the same work for a processor and
//! for an interpreter on it.

#![no_std]
#![forbid(unsafe_code)]
#![allow(clippy::pedantic, reason = "the algorithms are as they were published")]

extern crate alloc;

mod crc;
mod list;
mod matrix;
mod state;

use alloc::vec::Vec;

use crate::crc::crcu16;
use crate::list::List;

/// Bytes of each algorithm's data: a third of all.
const SIZE: usize = 2000 / 3;
/// The seeds of the performance run.
const SEEDS: [i16; 3] = [0, 0, 0x66];

/// The checksums of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksums {
    /// Of the list, in the first iteration.
    pub list: u16,
    /// Of the matrices.
    pub matrix: u16,
    /// Of the state machine.
    pub state: u16,
    /// Of everything, which depends on the number of iterations.
    pub last: u16,
}

impl Checksums {
    /// Of a run that did what the reference does, but for [`Checksums::last`].
    pub const KNOWN: Self = Self {
        list: 0xe714,
        matrix: 0x1fd7,
        state: 0x8e3a,
        last: 0,
    };

    /// The last checksum in the upper half; below, whether the others are as they
    /// should be: 1 or 0.
    pub fn packed(self) -> u32 {
        let known = Self { last: 0, ..self } == Self::KNOWN;
        u32::from(self.last) << 16 | u32::from(known)
    }
}

/// Matrices, and their order.
#[derive(Default)]
struct MatParams {
    n: usize,
    a: Vec<i16>,
    b: Vec<i16>,
    c: Vec<i32>,
}

/// Inputs, memory and checksums: the reference's `core_results`.
#[derive(Default)]
struct CoreResults {
    seed1: i16,
    seed2: i16,
    seed3: i16,
    size: usize,
    state_mem: Vec<u8>,
    mat: MatParams,
    crc: u16,
    crclist: u16,
    crcmatrix: u16,
    crcstate: u16,
}

/// What is looked for in the list.
#[derive(Clone, Copy, Default)]
struct ListData {
    data16: i16,
    idx: i16,
}

/// Sets up the data, and goes through the loop so often.
pub fn run(iterations: u32) -> Checksums {
    let [seed1, seed2, seed3] = SEEDS;
    let mut res = CoreResults {
        seed1,
        seed2,
        seed3,
        size: SIZE,
        ..CoreResults::default()
    };
    let mut list = list::core_list_init(SIZE, seed1);
    let combined = i32::from(seed1) | i32::from(seed2) << 16;
    matrix::core_init_matrix(SIZE, combined, &mut res.mat);
    res.state_mem = state::core_init_state(SIZE, seed1);
    for iteration in 0..iterations {
        iterate(&mut list, &mut res);
        if iteration == 0 {
            res.crclist = res.crc;
        }
    }
    Checksums {
        list: res.crclist,
        matrix: res.crcmatrix,
        state: res.crcstate,
        last: res.crc,
    }
}

fn iterate(list: &mut List, res: &mut CoreResults) {
    for finder in [1, -1] {
        let crc = list.bench(res, finder);
        res.crc = crcu16(crc, res.crc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_the_references() {
        // What the published crate says of 1 and of 10 iterations.
        for (iterations, last) in [(1, 0xe714), (10, 0xfcaf)] {
            let known = Checksums {
                last,
                ..Checksums::KNOWN
            };
            assert_eq!(run(iterations), known);
        }
    }
}
