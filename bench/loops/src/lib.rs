//! Loops, the same source for a capsule and for the processor that its interpreter
//! runs on: what is compared is the instructions of both.
//!
//! [`fibonacci`] is one short loop; [`run`] is a small set of them. A round of that goes through what small programs do, on data that follows from the
//! checksum of the round before: it finds in a linked list, reverses and sorts it
//! ([`list`]), multiplies matrices of integers ([`matrix`]), and reads numbers with a
//! state machine ([`words`]). All results go into a CRC-16.
//!
//! That is in the spirit of CoreMark, but is not CoreMark, and nothing that is
//! counted here can be compared with a CoreMark score.

#![no_std]
#![forbid(unsafe_code)]

mod list;
mod matrix;
mod words;

/// The Fibonacci number after so many rounds of an addition: a loop that is as short
/// as one can be.
#[must_use]
pub fn fibonacci(rounds: u32) -> u32 {
    let (mut this, mut next) = (0_u32, 1_u32);
    for _ in 0..rounds {
        (this, next) = (next, this.wrapping_add(next));
    }
    this
}

/// So many rounds of the set; the checksum of all their results.
#[must_use]
pub fn run(rounds: u32) -> u32 {
    let mut sum = Sum(0xffff);
    for _ in 0..rounds {
        let mut numbers = Numbers(sum.0.into());
        list::round(&mut numbers, &mut sum);
        matrix::round(&mut numbers, &mut sum);
        words::round(&mut numbers, &mut sum);
    }
    sum.0.into()
}

/// CRC-16 with the polynomial 0x1021, from the highest bit on.
struct Sum(u16);

impl Sum {
    fn add(&mut self, value: u16) {
        self.0 ^= value;
        for _ in 0..16 {
            let out = self.0 >> 15;
            self.0 = (self.0 << 1) ^ (out * 0x1021);
        }
    }
}

/// Numbers without an order that can be seen: a linear congruential generator.
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> u16 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [_, _, low, high] = self.0.to_le_bytes();
        u16::from_le_bytes([low, high])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_the_sum_of_the_two_before() {
        assert_eq!(
            [0, 1, 2, 3, 10, 20, 47].map(fibonacci),
            [0, 1, 1, 2, 55, 6765, 2_971_215_073]
        );
    }

    #[test]
    fn a_sum_is_the_known_one() {
        // CRC-16/IBM-3740 of "12345678": its check value before the last digit.
        let mut sum = Sum(0xffff);
        for pair in b"12345678".chunks(2) {
            sum.add(u16::from_be_bytes([pair[0], pair[1]]));
        }
        assert_eq!(sum.0, 0xa12b);
    }

    #[test]
    fn rounds_come_to_their_checksums() {
        assert_eq!([0, 1, 2, 11].map(run), [0xffff, 0x8a22, 0xf50a, 0xbac2]);
    }
}
