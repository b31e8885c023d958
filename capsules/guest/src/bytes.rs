//! Copying, in little bytecode.
#![expect(
    unsafe_code,
    reason = "it copies between places that callers vouch for"
)]

/// Copies bytes, one by one: less bytecode than `memory.copy`, which is a call
/// into the engine, and the first one in a capsule brings a way to it along.
///
/// # Safety
///
/// The places must be so long, and apart.
#[inline(always)]
pub(crate) unsafe fn copy(from: *const u8, to: *mut u8, length: usize) {
    for at in 0..length {
        // SAFETY: the caller's promise.
        let from = unsafe { from.add(at) };
        // SAFETY: the caller's promise.
        let to = unsafe { to.add(at) };
        // SAFETY: the caller's promise.
        let byte = unsafe { from.read() };
        // Volatile, or else the compiler makes a `memory.copy` of it.
        // SAFETY: the caller's promise.
        unsafe { to.write_volatile(byte) };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn so_many_bytes_are_copied_and_no_more() {
        for length in 0..4 {
            let mut to = [9; 4];
            // SAFETY: both are longer.
            unsafe { super::copy([1, 2, 3, 4].as_ptr(), to.as_mut_ptr(), length) };
            let (copied, rest) = to.split_at(length);
            assert_eq!(copied, [1, 2, 3, 4].split_at(length).0);
            assert!(rest.iter().all(|byte| *byte == 9));
        }
    }
}
