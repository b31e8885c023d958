//! Random numbers. Needs the grant `rng`.

use alloc::boxed::Box;

use super::sys;

/// 32 random bits.
#[must_use]
pub fn u32() -> u32 {
    sys::next_u32()
}

/// 64 random bits.
#[must_use]
pub fn u64() -> u64 {
    sys::next_u64()
}

/// Random bytes. A device bounds how many; asking for more traps.
#[must_use]
pub fn bytes(len: u32) -> Box<[u8]> {
    sys::random_bytes(len)
}
