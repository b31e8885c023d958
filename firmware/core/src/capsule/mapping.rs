//! Flash that the processor reads as memory: payloads run where they lie.
#![expect(
    unsafe_code,
    reason = "only a board knows where its flash is in memory; it vouches for that once"
)]

use core::ops::Range;
use core::slice;

use super::ArtifactBytes;

/// Where a device's flash is in memory.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// The address of offset 0.
    start: usize,
    len: usize,
}

impl Mapping {
    /// The flash that a device is given, from `start` on.
    ///
    /// # Safety
    ///
    /// For as long as the program runs, the `len` bytes from `start` on can be
    /// read, and are what the flash with which the device boots reads from
    /// offset 0 on. Nothing changes them but `write` and `erase` of that flash.
    #[must_use]
    pub unsafe fn new(start: *const u8, len: usize) -> Self {
        let start = start.expose_provenance();
        Self { start, len }
    }

    /// The payload that lies in this range of the flash; `None` if that is not
    /// in the mapping or not aligned as an artifact has to be.
    ///
    /// The supervisor is the only caller, and holds the bytes either until the
    /// end of a function that writes nothing, or together with the slot's
    /// [`Lease`](sealift_storage::Lease): it drops what uses them first.
    pub(crate) fn artifact(self, range: Range<u32>) -> Option<ArtifactBytes> {
        let start = usize::try_from(range.start).ok()?;
        let end = usize::try_from(range.end).ok()?;
        let len = end.checked_sub(start).filter(|_| end <= self.len)?;
        let address = self.start.checked_add(start)?;
        let pointer = core::ptr::with_exposed_provenance(address);
        // SAFETY: who made the mapping vouched that its bytes can be read for
        // ever, and the range is inside of it, by the comparison above. They
        // change by a write or erase of the slot only, which takes the slot's
        // token, and that is lent for as long as a running capsule holds these
        // bytes (`Supervisor::launch`, `Supervisor::stop`).
        let bytes: &'static [u8] = unsafe { slice::from_raw_parts(pointer, len) };
        ArtifactBytes::in_place(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(16))]
    struct Aligned([u8; 64]);
    static FLASH: Aligned = Aligned([7; 64]);

    #[test]
    fn nothing_outside_of_the_flash_is_looked_at() {
        // SAFETY: a static that nothing writes.
        let mapping = unsafe { Mapping::new(FLASH.0.as_ptr(), 64) };
        let len = |range| mapping.artifact(range).map(|bytes| bytes.as_ref().len());
        assert_eq!(len(0..64), Some(64));
        assert_eq!(len(16..20), Some(4));
        assert_eq!(len(0..65), None);
        assert_eq!(len(64..80), None);
        assert_eq!(len(Range { start: 20, end: 16 }), None);
        assert_eq!(len(4..20), None);
    }
}
