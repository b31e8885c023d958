//! The memory that stands for the flash: a part of the board's PSRAM, which
//! the program uses for nothing else.
#![expect(
    unsafe_code,
    reason = "memory at a fixed address that the linker knows nothing of"
)]

use core::slice;

use sealift_core::capsule::Mapping;

const START: usize = 0x2100_0000;

/// Bytes of the PSRAM from its start on. There is one of it.
#[derive(Debug)]
pub(crate) struct Psram {
    len: usize,
}

impl Psram {
    /// The whole of it is 16 MB.
    pub(crate) const LONGEST: usize = 16 << 20;

    /// Takes `len` bytes, at most [`Psram::LONGEST`].
    ///
    /// # Safety
    ///
    /// To be called once, and the linker script places nothing there.
    pub(crate) unsafe fn take(len: usize) -> Self {
        assert!(len <= Self::LONGEST);
        Self { len }
    }

    /// How many bytes it has.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Copies bytes out; `None` beyond the end.
    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) -> Option<()> {
        let from = self.address(offset, bytes.len())?;
        // SAFETY: the range is in the memory that `take` gave to this value
        // alone, and `bytes` is not in it.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Some(())
    }

    /// Copies bytes in; `None` beyond the end.
    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) -> Option<()> {
        let to = self.address(offset, bytes.len())?;
        // SAFETY: as for reading. Nobody else looks at these bytes: a payload
        // that runs in place is in a slot that is lent, which the store does
        // not write.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Some(())
    }

    /// All of it, to be filled before anything else is done with it.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        let start = core::ptr::with_exposed_provenance_mut(START);
        // SAFETY: it is this value's alone, exclusively borrowed, and any
        // content is bytes.
        unsafe { slice::from_raw_parts_mut(start, self.len) }
    }

    /// For payloads that run in place.
    pub(crate) fn mapping(&self) -> Mapping {
        let start = core::ptr::with_exposed_provenance(START);
        // SAFETY: the memory is always there, and what is in it changes by
        // `write` alone, which the flash calls for its `write` and `erase`.
        unsafe { Mapping::new(start, self.len) }
    }

    fn address(&self, offset: usize, len: usize) -> Option<*mut u8> {
        let fits = offset.checked_add(len)? <= self.len;
        fits.then(|| core::ptr::with_exposed_provenance_mut(START.wrapping_add(offset)))
    }
}
